/// A value of a parsed document: two pointers and an index into simdjson's tape.
///
/// Copying one costs no reference counting and reading one makes no call. It is valid until the parser that made it parses
/// again or goes away; whoever keeps text longer copies it.
///
/// The tape (simdjson, doc/tape.md) holds 64-bit words, the kind in the upper byte:
///
///     {  [   low 32 bits: index after the closing word; bits 32…55: number of members, at most 0xFFFFFF
///     "      offset in the string buffer: u32 length, bytes, one zero byte
///     l u d  the next word is an Int64, UInt64 (past Int64.max only), Double
///     t f n  true, false, null
public struct JSONValue {
    @usableFromInline let tape: UnsafePointer<UInt64>
    @usableFromInline let strings: UnsafePointer<UInt8>
    @usableFromInline let index: Int

    /// What a value is. The raw value is simdjson's letter.
    public enum Kind: UInt8, Sendable {
        case object = 0x7B
        case array = 0x5B
        case string = 0x22
        case int64 = 0x6C
        case uint64 = 0x75
        case double = 0x64
        case bool = 0x74
        case null = 0x6E
    }

    @inlinable @inline(__always)
    init(tape: UnsafePointer<UInt64>, strings: UnsafePointer<UInt8>, index: Int) {
        self.tape = tape
        self.strings = strings
        self.index = index
    }

    @inlinable @inline(__always) var letter: UInt8 { UInt8(truncatingIfNeeded: tape[index] &>> 56) }
    @inlinable @inline(__always) var low32: Int { Int(truncatingIfNeeded: tape[index] & 0xFFFF_FFFF) }

    /// The value's kind. Integers are `int64` where they fit and `uint64` past that; a number with fraction or exponent
    /// is a `double`, even `1.0`.
    @inlinable
    public var kind: Kind {
        let letter = self.letter
        return letter == 0x66 ? .bool : Kind(rawValue: letter).unsafelyUnwrapped
    }

    @inlinable public var isNull: Bool { letter == 0x6E }
    @inlinable public var isObject: Bool { letter == 0x7B }
    @inlinable public var isArray: Bool { letter == 0x5B }
    @inlinable public var isString: Bool { letter == 0x22 }

    /// Tape index of the value after this one.
    @inlinable @inline(__always)
    var next: Int {
        switch letter {
        case 0x7B, 0x5B: low32
        case 0x6C, 0x75, 0x64: index &+ 2
        default: index &+ 1
        }
    }

    /// The integer, where it was written as one and fits.
    @inlinable
    public var int64: Int64? { letter == 0x6C ? Int64(bitPattern: tape[index &+ 1]) : nil }

    /// The integer, where it was written as one and is not negative.
    @inlinable
    public var uint64: UInt64? {
        switch letter {
        case 0x75: tape[index &+ 1]
        case 0x6C: UInt64(exactly: Int64(bitPattern: tape[index &+ 1]))
        default: nil
        }
    }

    /// Any number as a double; integers are rounded to the nearest.
    @inlinable
    public var double: Double? {
        switch letter {
        case 0x64: Double(bitPattern: tape[index &+ 1])
        case 0x6C: Double(Int64(bitPattern: tape[index &+ 1]))
        case 0x75: Double(tape[index &+ 1])
        default: nil
        }
    }

    @inlinable
    public var bool: Bool? {
        switch letter {
        case 0x74: true
        case 0x66: false
        default: nil
        }
    }

    /// The bytes of a string, unescaped and valid UTF-8. At least eight bytes may be read from its start.
    @inlinable
    public var stringBytes: UnsafeRawBufferPointer? {
        letter == 0x22 ? uncheckedStringBytes : nil
    }

    @inlinable @inline(__always)
    var uncheckedStringBytes: UnsafeRawBufferPointer {
        let start = UnsafeRawPointer(strings) + Int(truncatingIfNeeded: tape[index] & 0x00FF_FFFF_FFFF_FFFF)
        return UnsafeRawBufferPointer(start: start + 4, count: Int(start.loadUnaligned(as: UInt32.self)))
    }

    /// The string, copied.
    public var string: String? { stringBytes.map { String(decoding: $0, as: UTF8.self) } }
}
