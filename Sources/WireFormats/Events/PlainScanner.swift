/// Reads the tokens of a flat JSON object where it lies, and gives up (nil, false) at anything out of the ordinary: escapes,
/// bytes beyond ASCII, exponents, literals, nesting, numbers beyond what is exact. Giving up is no verdict: the full parser
/// then looks at the same text.
struct PlainScanner {
    private(set) var at: UnsafePointer<UInt8>
    let end: UnsafePointer<UInt8>

    /// A number as JSON tells them apart.
    enum Number {
        case integer(Int64)
        case fraction(Double)
    }

    /// A value of a member.
    enum Scalar {
        case number(Number)
        case text(UnsafeRawBufferPointer)
    }

    /// - Precondition: the text is not empty.
    init(_ text: UnsafeRawBufferPointer) {
        at = text.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self)
        end = at + text.count
    }

    @inline(__always)
    mutating func skipSpace() {
        while at < end, RecordScanner.isSpace(at.pointee) { at += 1 }
    }

    /// Takes a byte that must come next, after white space.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        if at < end, at.pointee == byte {
            at += 1
            return true
        }
        skipSpace()
        guard at < end, at.pointee == byte else { return false }
        at += 1
        return true
    }

    /// Whether nothing but white space is left.
    mutating func isAtEnd() -> Bool {
        skipSpace()
        return at == end
    }

    /// A member's key with its colon: its `KeyWord`, 0 for a longer one.
    @inline(__always)
    mutating func key() -> UInt64? {
        guard let text = text(), take(0x3A) else { return nil }
        guard text.count &- 1 < 8 else { return text.isEmpty ? nil : 0 }
        var word: UInt64 = 0
        if text.baseAddress.unsafelyUnwrapped + 8 <= UnsafeRawPointer(end) {
            word = text.baseAddress.unsafelyUnwrapped.loadUnaligned(as: UInt64.self)
            word &= UInt64.max &>> UInt64(truncatingIfNeeded: 64 &- 8 &* text.count)
        } else {
            for byte in text.reversed() { word = word &<< 8 | UInt64(byte) }
        }
        return word
    }

    /// A string of printable ASCII without escapes, white space before it skipped.
    @inline(__always)
    mutating func text() -> UnsafeRawBufferPointer? {
        guard take(0x22) else { return nil }
        let start = at
        // Eight bytes at a time while none of them is a quote or something to give up at.
        while at + 8 <= end {
            let word = UnsafeRawPointer(at).loadUnaligned(as: UInt64.self)
            let special = PlainScanner.special(word)
            if special != 0 {
                at += special.trailingZeroBitCount &>> 3
                return finish(start)
            }
            at += 8
        }
        while at < end, at.pointee >= 0x20, at.pointee < 0x80, at.pointee != 0x22, at.pointee != 0x5C { at += 1 }
        return at < end ? finish(start) : nil
    }

    /// The lowest set bit lies in the first byte that is a quote, a backslash, a control or beyond ASCII; bits above it mean
    /// nothing (borrows). After Mycroft's test for a zero byte.
    @inline(__always)
    private static func special(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101, high: UInt64 = 0x8080_8080_8080_8080
        let quote = word ^ (ones &* 0x22), escape = word ^ (ones &* 0x5C)
        let below = (quote &- ones) & ~quote | (escape &- ones) & ~escape | (word &- ones &* 0x20) & ~word | word
        return below & high
    }

    @inline(__always)
    private mutating func finish(_ start: UnsafePointer<UInt8>) -> UnsafeRawBufferPointer? {
        guard at.pointee == 0x22 else { return nil }
        let text = UnsafeRawBufferPointer(start: start, count: at - start)
        at += 1
        return text
    }

    /// A value: a string or a number.
    @inline(__always)
    mutating func scalar() -> Scalar? {
        skipSpace()
        guard at < end else { return nil }
        if at.pointee == 0x22 { return text().map { .text($0) } }
        return number().map { .number($0) }
    }

    /// A number without exponent whose digits make up an integer that a double holds exactly: then one division by a power
    /// of ten that is exact too rounds correctly (Clinger 1990), as the full parser does.
    @inline(__always)
    private mutating func number() -> Number? {
        let isNegative = at.pointee == 0x2D
        if isNegative { at += 1 }
        let first = at
        var magnitude: UInt64 = 0
        takeDigits(&magnitude)
        let whole = at - first
        // Up to 18 digits there is no overflow. A leading zero stands alone.
        guard whole >= 1, whole <= 18, whole == 1 || first.pointee != 0x30, at < end else { return nil }
        if at.pointee != 0x2E {
            guard at.pointee | 0x20 != 0x65 else { return nil }
            let value = Int64(truncatingIfNeeded: magnitude)
            return .integer(isNegative ? 0 &- value : value)
        }
        at += 1
        let point = at
        guard whole <= 15, end - at >= 1 else { return nil }
        // No further than 15 digits in all, below 2^53.
        let limit = min(end, at + (16 &- whole))
        while at < limit, at.pointee &- 0x30 < 10 {
            magnitude = magnitude &* 10 &+ UInt64(at.pointee &- 0x30)
            at += 1
        }
        let places = at - point
        guard places >= 1, whole &+ places <= 15, at < end, at.pointee | 0x20 != 0x65 else { return nil }
        let value = Double(magnitude) / PlainScanner.power(places)
        return .fraction(isNegative ? -value : value)
    }

    @inline(__always)
    private mutating func takeDigits(_ magnitude: inout UInt64) {
        while at < end, at.pointee &- 0x30 < 10 {
            magnitude = magnitude &* 10 &+ UInt64(at.pointee &- 0x30)
            at += 1
        }
    }

    /// 10^places for 1…14.
    @inline(__always)
    private static func power(_ places: Int) -> Double {
        var power = 10.0
        for _ in 1..<places { power *= 10 }
        return power
    }
}
