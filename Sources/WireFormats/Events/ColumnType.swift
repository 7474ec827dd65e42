import Factorization

/// Types of columns, named as numpy names them. All are little-endian.
public enum ColumnType: UInt8, Sendable, CaseIterable {
    case int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64
    /// Text: two frames, `<u4` offsets (count + 1 of them, from 0, not falling) and the bytes, valid UTF-8.
    case utf8

    /// numpy's dtype string; one-byte types also go with `<` in place of `|`.
    public var name: StaticString {
        switch self {
        case .int8: "|i1"
        case .int16: "<i2"
        case .int32: "<i4"
        case .int64: "<i8"
        case .uint8: "|u1"
        case .uint16: "<u2"
        case .uint32: "<u4"
        case .uint64: "<u8"
        case .float32: "<f4"
        case .float64: "<f8"
        case .utf8: "utf8"
        }
    }

    /// Bytes per row; for text those of an offset.
    public var width: Int {
        switch self {
        case .int8, .uint8: 1
        case .int16, .uint16: 2
        case .int32, .uint32, .float32, .utf8: 4
        case .int64, .uint64, .float64: 8
        }
    }

    public var isFloat: Bool { self == .float32 || self == .float64 }

    init?(_ name: UnsafeRawBufferPointer) {
        for type in ColumnType.allCases {
            if name.equals(type.name) {
                self = type
                return
            }
        }
        if name.equals("<i1") { self = .int8 } else if name.equals("<u1") { self = .uint8 } else { return nil }
    }
}

/// What a column gives to the records.
enum ColumnRole: UInt8 {
    case user, item, type, value, weight, time, context

    init?(_ name: UnsafeRawBufferPointer) {
        if name.equals("user") {
            self = .user
        } else if name.equals("item") {
            self = .item
        } else if name.equals("type") {
            self = .type
        } else if name.equals("value") {
            self = .value
        } else if name.equals("weight") {
            self = .weight
        } else if name.equals("time") {
            self = .time
        } else if ColumnRole.contextField(name) != nil {
            self = .context
        } else {
            return nil
        }
    }

    /// FIELD of `context.FIELD`.
    static func contextField(_ name: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard name.count > 8, UnsafeRawBufferPointer(rebasing: name[..<8]).equals("context.") else { return nil }
        return UnsafeRawBufferPointer(rebasing: name[8...])
    }

    /// Whether a column of this type may have this role.
    func takes(_ type: ColumnType) -> Bool {
        switch self {
        case .user, .item: !type.isFloat
        case .type: type == .utf8
        case .value, .weight, .time: type != .utf8
        case .context: true
        }
    }
}

/// One column of a message in hand: pointers into its frames.
struct Column {
    var role: ColumnRole
    var type: ColumnType
    /// Rows, or offsets.
    var data: UnsafeRawPointer
    /// Bytes of text columns.
    var text: UnsafeRawPointer
    /// The field of a context column: its name on the tape, and in the batch in hand.
    var fieldName: UnsafeRawBufferPointer
    var field = TextRange.none

    /// The row's integer; nil where it is past Int64 (`<u8` only). Not for floats.
    @inline(__always)
    func integer(_ row: Int) -> Int64? {
        switch type {
        case .int64: data.loadUnaligned(fromByteOffset: row &* 8, as: Int64.self)
        case .int32: Int64(data.loadUnaligned(fromByteOffset: row &* 4, as: Int32.self))
        case .uint32, .utf8: Int64(data.loadUnaligned(fromByteOffset: row &* 4, as: UInt32.self))
        case .uint64: Int64(exactly: data.loadUnaligned(fromByteOffset: row &* 8, as: UInt64.self))
        case .int16: Int64(data.loadUnaligned(fromByteOffset: row &* 2, as: Int16.self))
        case .uint16: Int64(data.loadUnaligned(fromByteOffset: row &* 2, as: UInt16.self))
        case .int8: Int64(data.load(fromByteOffset: row, as: Int8.self))
        case .uint8: Int64(data.load(fromByteOffset: row, as: UInt8.self))
        case .float32, .float64: nil
        }
    }

    /// The row's number, whatever its type.
    @inline(__always)
    func number(_ row: Int) -> Double {
        switch type {
        case .float32: Double(data.loadUnaligned(fromByteOffset: row &* 4, as: Float.self))
        case .float64: data.loadUnaligned(fromByteOffset: row &* 8, as: Double.self)
        case .uint64: Double(data.loadUnaligned(fromByteOffset: row &* 8, as: UInt64.self))
        default: Double(integer(row) ?? 0)
        }
    }

    /// What the row says as an event's value, weight or time (milliseconds since 1970); nil where that is out of its range.
    @inline(__always)
    func value(_ row: Int) -> Float? {
        let number = number(row)
        return number.magnitude <= EventLimits.greatestValue ? Float(number) : nil
    }
    @inline(__always)
    func weight(_ row: Int) -> Float? {
        let number = number(row)
        return number >= 0 && number <= EventLimits.greatestWeight ? Float(number) : nil
    }
    @inline(__always)
    func time(_ row: Int) -> Int64? {
        type.isFloat ? EventTime.milliseconds(number(row)) : integer(row).flatMap { EventTime.milliseconds($0) }
    }

    /// Whether it is of numbers and gives a field of the record itself: rows then take nothing of the batch but their records.
    var isPlain: Bool { type != .utf8 && role != .context }

    /// The row's text. Not for numbers.
    @inline(__always)
    func string(_ row: Int) -> UnsafeRawBufferPointer {
        let start = Int(data.loadUnaligned(fromByteOffset: row &* 4, as: UInt32.self))
        let end = Int(data.loadUnaligned(fromByteOffset: row &* 4 &+ 4, as: UInt32.self))
        return UnsafeRawBufferPointer(start: text + start, count: end &- start)
    }
}
