/// What a record says about itself. The journal knows nothing of events: `kind` and the payload are the caller's.
public struct JournalRecordHeader: Equatable, Sendable {
    /// Counts records from 1. Never given to a second record once this one was durable.
    public var number: UInt64
    /// The first event position in the record.
    public var firstPosition: UInt64
    /// The last one; `firstPosition - 1` where the record takes none.
    public var lastPosition: UInt64
    /// The caller's.
    public var kind: UInt8

    public init(number: UInt64, firstPosition: UInt64, lastPosition: UInt64, kind: UInt8) {
        self.number = number
        self.firstPosition = firstPosition
        self.lastPosition = lastPosition
        self.kind = kind
    }
}

/// One record of a `JournalReader`.
public struct JournalRecord {
    /// Number, positions and kind.
    public let header: JournalRecordHeader
    /// The reader's memory: valid until its next call.
    public let payload: UnsafeRawBufferPointer
}

/// The fields of a record in memory, as `JournalFormat` lays them out, at a place that holds the whole record.
struct JournalRecordFields {
    private let place: UnsafeRawPointer

    init(_ place: UnsafeRawPointer) { self.place = place }

    private func load<Number: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: Number.Type) -> Number {
        Number(littleEndian: place.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    var checksum: UInt32 { load(0, UInt32.self) }
    var payloadLength: Int { Int(load(4, UInt32.self)) }
    var number: UInt64 { load(8, UInt64.self) }
    var firstPosition: UInt64 { load(16, UInt64.self) }
    var syncedThrough: UInt64 { load(24, UInt64.self) }
    var positions: UInt32 { load(32, UInt32.self) }
    var kind: UInt8 { load(36, UInt8.self) }
    var isSeal: Bool { load(37, UInt8.self) == 1 }
    var size: Int { JournalFormat.recordSize(payload: payloadLength) }
    /// Zeros where no record is: a record's number is never 0.
    var isBlank: Bool { (0..<5).allSatisfy { load($0 * 8, UInt64.self) == 0 } }
    var lastPosition: UInt64 { firstPosition &+ UInt64(positions) &- 1 }
    var header: JournalRecordHeader {
        JournalRecordHeader(number: number, firstPosition: firstPosition, lastPosition: lastPosition, kind: kind)
    }

    /// The checksum that the bytes ask for, in the segment of that id.
    func computedChecksum(segment: UInt32) -> UInt32 {
        crc32c(UnsafeRawBufferPointer(start: place + 4, count: size - 4), from: segment)
    }

    /// Writes what the appender knows; `finish` adds the rest.
    static func begin(
        _ place: UnsafeMutableRawPointer, payloadLength: Int, number: UInt64, firstPosition: UInt64, positions: UInt32,
        kind: UInt8, isSeal: Bool = false
    ) {
        place.storeBytes(of: 0, as: UInt32.self)
        place.storeBytes(of: UInt32(payloadLength).littleEndian, toByteOffset: 4, as: UInt32.self)
        place.storeBytes(of: number.littleEndian, toByteOffset: 8, as: UInt64.self)
        place.storeBytes(of: firstPosition.littleEndian, toByteOffset: 16, as: UInt64.self)
        place.storeBytes(of: 0, toByteOffset: 24, as: UInt64.self)
        place.storeBytes(of: positions.littleEndian, toByteOffset: 32, as: UInt32.self)
        place.storeBytes(of: kind, toByteOffset: 36, as: UInt8.self)
        place.storeBytes(of: isSeal ? 1 : 0, toByteOffset: 37, as: UInt8.self)
        place.storeBytes(of: 0, toByteOffset: 38, as: UInt16.self)
        let end = JournalFormat.recordHeaderSize + payloadLength
        let size = JournalFormat.recordSize(payload: payloadLength)
        if size > end { (place + end).initializeMemory(as: UInt8.self, repeating: 0, count: size - end) }
    }

    /// Writes what is known when the record goes to a file: how much is durable, and the checksum.
    static func finish(_ place: UnsafeMutableRawPointer, syncedThrough: UInt64, segment: UInt32) {
        place.storeBytes(of: syncedThrough.littleEndian, toByteOffset: 24, as: UInt64.self)
        let sum = JournalRecordFields(place).computedChecksum(segment: segment)
        place.storeBytes(of: sum.littleEndian, as: UInt32.self)
    }
}
