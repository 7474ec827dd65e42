import Factorization

/// Numbers as JSON writes them: an integer of 64 bits, or any other finite number.
enum ExpressionNumber {
    static func read(_ word: String) -> AttributeNumber? {
        guard isNumber(Array(word.utf8)) else { return nil }
        if let integer = Int64(word), word != "-0" { return .integer(integer) }
        guard let number = Double(word), number.isFinite else { return nil }
        return .number(number)
    }

    /// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
    private static func isNumber(_ bytes: [UInt8]) -> Bool {
        var place = 0
        func digits() -> Int {
            let start = place
            while place < bytes.count, bytes[place] &- 0x30 <= 9 { place += 1 }
            return place - start
        }
        func skip(_ options: StaticString) -> Bool {
            guard place < bytes.count, options.withUTF8Buffer({ $0.contains(bytes[place]) }) else { return false }
            place += 1
            return true
        }
        _ = skip("-")
        let first = place, whole = digits()
        guard whole > 0, whole == 1 || bytes[first] != 0x30 else { return false }
        if skip("."), digits() == 0 { return false }
        if skip("eE") {
            _ = skip("+-")
            if digits() == 0 { return false }
        }
        return place == bytes.count
    }
}
