/// Reads the tokens of a flat JSON object where it lies, and gives up (nil, false) at anything out of the ordinary: escapes,
/// bytes beyond ASCII, exponents, literals, nesting, numbers beyond what is exact. Giving up is no verdict: the full parser
/// then looks at the same text.
struct PlainScanner {
    private(set) var at: UnsafePointer<UInt8>
    let end: UnsafePointer<UInt8>
    /// The last place from which eight bytes can be read.
    private let last: UnsafePointer<UInt8>
    /// The least bytes of a text: one word.
    static let shortest = 8

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

    /// - Precondition: the text has `shortest` bytes at least.
    @inline(__always)
    init(_ text: UnsafeRawBufferPointer) {
        at = text.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self)
        end = at + text.count
        last = end - 8
    }

    /// The next eight bytes, the first one lowest; zeros stand for what lies behind the end.
    @inline(__always)
    private var word: UInt64 {
        if at <= last { return UnsafeRawPointer(at).loadUnaligned(as: UInt64.self) }
        return UnsafeRawPointer(last).loadUnaligned(as: UInt64.self) >> UInt64(truncatingIfNeeded: 8 &* (at - last))
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

    /// A member's key with its colon: its `KeyWord`, 0 for one of eight bytes or more.
    @inline(__always)
    mutating func key() -> UInt64? {
        // The usual keys have four letters: with nothing between their parts, quotes and colon are in the same word.
        let member = word & 0x00FF_FFFF_FFFF_FFFF
        let isUsual = member == PlainScanner.member(KeyWord.user) || member == PlainScanner.member(KeyWord.item)
            || member == PlainScanner.member(KeyWord.type) || member == PlainScanner.member(KeyWord.time)
        guard isUsual else { return anyKey() }
        at += 7
        return member &>> 8 & 0xFFFF_FFFF
    }

    /// A key of four letters between its quotes, and its colon.
    @inline(__always)
    private static func member(_ key: UInt64) -> UInt64 { 0x3A22 << 40 | key << 8 | 0x22 }

    @inline(never)
    private mutating func anyKey() -> UInt64? {
        guard take(0x22) else { return nil }
        let word = word, special = PlainScanner.special(word)
        var key: UInt64 = 0
        if special != 0 {
            let bits = UInt64(truncatingIfNeeded: special.trailingZeroBitCount & ~7)
            key = word & ~(UInt64.max &<< bits)
            at += Int(truncatingIfNeeded: bits >> 3)
            guard bits > 0, at < end, at.pointee == 0x22 else { return nil }
            at += 1
        } else {
            guard rest() != nil else { return nil }
        }
        return take(0x3A) ? key : nil
    }

    /// An integer of up to seven digits that a comma or a brace follows at once. Nil, and nothing taken, for any other value:
    /// that is for `scalar`.
    @inline(__always)
    mutating func shortInteger() -> Int64? {
        let word = word, digits = word ^ 0x3030_3030_3030_3030, others = PlainScanner.others(digits)
        let bits = UInt64(truncatingIfNeeded: others.trailingZeroBitCount & ~7)
        // Eight digits leave 64 bits.
        guard bits &- 8 <= 48 else { return nil }
        let next = UInt8(truncatingIfNeeded: word &>> bits)
        guard next == 0x2C || next == 0x7D, bits == 8 || digits & 0xFF != 0 else { return nil }
        at += Int(truncatingIfNeeded: bits >> 3)
        return PlainScanner.number(digits &<< (64 &- bits))
    }

    /// Of eight bytes, values of digits where they are digits: the lowest set bit lies in the first that is none; bits above it
    /// mean nothing (carries).
    @inline(__always)
    private static func others(_ digits: UInt64) -> UInt64 { ((digits &+ 0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080 }

    /// The number of eight digits, values 0 to 9 and not characters, the first one in the lowest byte: pairs, then all four
    /// of them at once (Lemire, "Quickly parsing eight digits").
    @inline(__always)
    private static func number(_ digits: UInt64) -> Int64 {
        let pairs = digits &* 10 &+ digits &>> 8, mask: UInt64 = 0x0000_00FF_0000_00FF
        let sum = (pairs & mask) &* (100 &+ 1_000_000 &<< 32) &+ (pairs &>> 16 & mask) &* (1 &+ 10_000 &<< 32)
        return Int64(truncatingIfNeeded: sum &>> 32)
    }

    /// A string of printable ASCII without escapes, white space before it skipped.
    @inline(__always)
    mutating func text() -> UnsafeRawBufferPointer? {
        take(0x22) ? rest() : nil
    }

    /// A string from behind its opening quote.
    @inline(__always)
    private mutating func rest() -> UnsafeRawBufferPointer? {
        let start = at
        // Eight bytes at a time while none of them is a quote or something to give up at.
        while at <= last {
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
        // A time in milliseconds has 13 digits: eight at once.
        if at <= last {
            let digits = word ^ 0x3030_3030_3030_3030
            if PlainScanner.others(digits) == 0 {
                magnitude = UInt64(PlainScanner.number(digits))
                at += 8
            }
        }
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
