/// Finds where the records of a body lie, without parsing them: the elements of an array, or lines.
///
/// The tape does not say where in the text a value stood, so this is how a rejected element gets its bytes, and how the
/// good elements of an array are saved when one of them is not JSON.
struct RecordScanner {
    enum Form { case array, lines }

    let text: UnsafeRawBufferPointer
    let form: Form
    private var offset: Int
    /// How many records were found so far.
    private(set) var found = 0
    /// Whether the array's closing bracket was seen, with nothing but white space after it.
    private(set) var isWhole = false

    init(_ text: UnsafeRawBufferPointer, form: Form) {
        self.text = text
        self.form = form
        offset = 0
        if form == .array {
            offset = RecordScanner.skipSpace(text, from: 0)
            if offset < text.count, text[offset] == 0x5B { offset += 1 }
        }
    }

    /// The bytes of the next record without the white space around them, nil after the last.
    mutating func next() -> Range<Int>? {
        form == .array ? nextElement() : nextLine()
    }

    private mutating func nextLine() -> Range<Int>? {
        while offset < text.count {
            var end = offset
            while end < text.count, text[end] != 0x0A { end &+= 1 }
            let range = RecordScanner.trim(text, offset..<end)
            offset = min(end &+ 1, text.count)
            if !range.isEmpty {
                found &+= 1
                return range
            }
        }
        isWhole = true
        return nil
    }

    private mutating func nextElement() -> Range<Int>? {
        guard offset < text.count else { return nil }
        var index = offset
        var depth = 0
        while index < text.count {
            switch text[index] {
            case 0x22:
                index &+= 1
                while index < text.count, text[index] != 0x22 { index &+= text[index] == 0x5C ? 2 : 1 }
            case 0x7B, 0x5B: depth &+= 1
            case 0x7D where depth > 0, 0x5D where depth > 0: depth &-= 1
            case 0x2C where depth == 0: return element(upTo: index)
            case 0x5D:
                let isLast = RecordScanner.skipSpace(text, from: index + 1) == text.count
                let range = element(upTo: index)
                offset = text.count
                isWhole = isLast
                return range.isEmpty ? nil : range
            default: break
            }
            index &+= 1
        }
        offset = text.count
        return nil
    }

    private mutating func element(upTo end: Int) -> Range<Int> {
        let range = RecordScanner.trim(text, offset..<end)
        offset = end + 1
        found &+= 1
        return range
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

    static func skipSpace(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        while index < text.count, isSpace(text[index]) { index &+= 1 }
        return index
    }

    static func trim(_ text: UnsafeRawBufferPointer, _ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, isSpace(text[start]) { start &+= 1 }
        while end > start, isSpace(text[end &- 1]) { end &-= 1 }
        return start..<end
    }
}
