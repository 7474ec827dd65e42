/// An event batch as bytes: what a journal record of batches holds. `EventBatch.decode` reads them back.
///
/// | part | bytes |
/// |---|---|
/// | header | records u32, features u32, bytes of text u32, messages u32 |
/// | text | the batch's arena as it stands; places below are offsets into it |
/// | message | first record u32, records u32, source: place u32, length u16; flags u8 (1 complete), 0 u8, epoch u64, sequence u64 |
/// | feature | field: place u32, length u16; kind of value u8 (0 integer, 1 text, 2 the number 1.0 and no category); value u64; weight f32 |
/// | record | kind u8, flags u8, user u64, item u64, then what the flags name, in their order |
///
/// Flags of a record: 1 value f32; 2 weight f32 (else 1); 4 time i64; 8 the user, 16 the item is text; 32 type (place u32,
/// length u16); 64 the type is that of the record before; 128 features u16, the next of the batch. A text id's eight bytes
/// are place u32, length u32. All numbers are little-endian. A plain event of integers takes 18 bytes, 22 with a value.
///
/// Owned by one thread. Writes into memory of its own, which only grows: no allocation once warm.
public final class BatchEncoder {
    static let headerBytes = 16, messageBytes = 32, featureBytes = 19
    static let textValue: UInt8 = 1, numberValue: UInt8 = 2
    /// A record with everything that flags can name.
    static let longestRecord = 18 + 4 + 4 + 8 + 6 + 2

    enum Flag {
        static let value: UInt8 = 1, weight: UInt8 = 2, time: UInt8 = 4, userText: UInt8 = 8, itemText: UInt8 = 16
        static let type: UInt8 = 32, sameType: UInt8 = 64, features: UInt8 = 128
    }

    private var memory = UnsafeMutableRawPointer.allocate(byteCount: 1 << 16, alignment: 16)
    private var capacity = 1 << 16

    public init() {}

    deinit { memory.deallocate() }

    /// The bytes of a batch; valid until the next call.
    /// - Parameter withMessages: whether the entries of the messages are among them (those of acknowledged streams).
    public func encode(_ batch: EventBatch, withMessages: Bool) -> UnsafeRawBufferPointer {
        let messages = withMessages ? batch.messageCount : 0
        ensure(
            BatchEncoder.headerBytes + batch.textCount + messages * BatchEncoder.messageBytes
                + batch.featureCount * BatchEncoder.featureBytes + batch.recordCount * BatchEncoder.longestRecord)
        var cursor = Cursor(memory)
        let arena = batch.text(TextRange(offset: 0, length: UInt32(batch.textCount)))
        cursor.put(UInt32(batch.recordCount))
        // Counted below: features that no record names any more are left out.
        cursor.put(UInt32(0))
        cursor.put(UInt32(arena.count))
        cursor.put(UInt32(messages))
        if let text = arena.baseAddress, arena.count > 0 { cursor.copy(text, arena.count) }
        if withMessages { for message in batch.messages { put(message, &cursor) } }
        let base = UInt64(UInt(bitPattern: arena.baseAddress))
        var features: UInt32 = 0
        for record in batch.records where record.featureCount > 0 {
            let first = Int(record.firstFeature)
            for index in first..<first + Int(record.featureCount) { put(batch.features[index], base, &cursor) }
            features += UInt32(record.featureCount)
        }
        memory.storeBytes(of: features.littleEndian, toByteOffset: 4, as: UInt32.self)
        var lastType = TextRange.none
        for index in 0..<batch.recordCount { put(batch.recordStore + index, base, &lastType, &cursor) }
        return UnsafeRawBufferPointer(start: memory, count: cursor.address - memory)
    }

    private func ensure(_ bytes: Int) {
        guard bytes > capacity else { return }
        memory.deallocate()
        capacity = max(bytes, 2 * capacity)
        memory = .allocate(byteCount: capacity, alignment: 16)
    }

    private func put(_ message: MessageEntry, _ cursor: inout Cursor) {
        cursor.put(message.firstRecord)
        cursor.put(message.recordCount)
        cursor.put(message.source.offset)
        cursor.put(UInt16(truncatingIfNeeded: message.source.length))
        cursor.put(UInt8(message.isComplete ? 1 : 0))
        cursor.put(UInt8(0))
        cursor.put(message.epoch)
        cursor.put(message.sequence)
    }

    private func put(_ feature: FeatureEntry, _ base: UInt64, _ cursor: inout Cursor) {
        cursor.put(feature.field.offset)
        cursor.put(UInt16(truncatingIfNeeded: feature.field.length))
        let isOne = feature.isNumber && feature.weight == 1
        cursor.put(isOne ? BatchEncoder.numberValue : feature.value.isText ? BatchEncoder.textValue : 0)
        cursor.put(BatchEncoder.word(feature.value, base))
        cursor.put(feature.weight.bitPattern)
    }

    @inline(__always)
    private func put(_ record: UnsafePointer<EventRecord>, _ base: UInt64, _ lastType: inout TextRange, _ cursor: inout Cursor) {
        let start = cursor.address
        var flags: UInt8 = 0
        cursor.address += 2
        cursor.put(BatchEncoder.word(record.pointee.user, base))
        cursor.put(BatchEncoder.word(record.pointee.item, base))
        if record.pointee.user.isText { flags |= Flag.userText }
        if record.pointee.item.isText { flags |= Flag.itemText }
        if record.pointee.hasValue {
            flags |= Flag.value
            cursor.put(record.pointee.value.bitPattern)
        }
        if record.pointee.weight != 1 {
            flags |= Flag.weight
            cursor.put(record.pointee.weight.bitPattern)
        }
        if record.pointee.timeMilliseconds != EventRecord.noTime {
            flags |= Flag.time
            cursor.put(record.pointee.timeMilliseconds)
        }
        let type = record.pointee.type
        if !type.isEmpty {
            if type == lastType {
                flags |= Flag.sameType
            } else {
                flags |= Flag.type
                cursor.put(type.offset)
                cursor.put(UInt16(truncatingIfNeeded: type.length))
                lastType = type
            }
        }
        if record.pointee.featureCount > 0 {
            flags |= Flag.features
            cursor.put(record.pointee.featureCount)
        }
        start.storeBytes(of: record.pointee.kind.rawValue, as: UInt8.self)
        start.storeBytes(of: flags, toByteOffset: 1, as: UInt8.self)
    }

    /// The eight bytes that stand for a key: its integer, or where its text lies.
    @inline(__always)
    private static func word(_ key: Key, _ base: UInt64) -> UInt64 {
        key.isText ? (key.payload &- base) | UInt64(key.length) << 32 : key.payload
    }

    /// Where the next bytes go; `ensure` has made room for all.
    private struct Cursor {
        var address: UnsafeMutableRawPointer

        init(_ address: UnsafeMutableRawPointer) { self.address = address }

        @inline(__always)
        mutating func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
            address.storeBytes(of: value.littleEndian, as: Value.self)
            address += MemoryLayout<Value>.size
        }

        mutating func copy(_ bytes: UnsafeRawPointer, _ count: Int) {
            address.copyMemory(from: bytes, byteCount: count)
            address += count
        }
    }
}
