/// Bytes that no `BatchEncoder` wrote: what is wrong with them.
public struct BatchDecodingError: Error, Equatable, CustomStringConvertible {
    public let description: String
}

/// From the bytes of a `BatchEncoder` back to a batch.
extension EventBatch {
    /// What a batch must hold to take these bytes; nil where they are too few to say, or name more than they can hold.
    public static func capacities(_ bytes: UnsafeRawBufferPointer) -> (records: Int, features: Int, text: Int, messages: Int)? {
        var reader = BatchReader(bytes)
        guard let records = reader.count(), let features = reader.count(), let text = reader.count(), let messages = reader.count(),
            records <= bytes.count / 18, features <= bytes.count / BatchEncoder.featureBytes, text <= bytes.count,
            messages <= bytes.count / BatchEncoder.messageBytes
        else { return nil }
        return (records, features, text, messages)
    }

    /// Fills this batch, which is reset first, with what was encoded. Equal bytes give equal records, and so equal positions.
    /// - Precondition: the batch has the `capacities` that the bytes ask for.
    public func decode(_ bytes: UnsafeRawBufferPointer, hashing: KeyHash) throws(BatchDecodingError) {
        reset()
        guard let counts = EventBatch.capacities(bytes) else { throw BatchDecodingError(description: "the batch's header is wrong") }
        precondition(
            counts.records <= recordCapacity && counts.features <= featureCapacity && counts.text <= textCapacity
                && counts.messages <= messageCapacity, "a batch too small for what it is to decode")
        var reader = BatchReader(bytes)
        reader.offset = BatchEncoder.headerBytes
        guard let arena = reader.bytes(counts.text), copyText(arena) != nil else {
            throw BatchDecodingError(description: "the batch's text is cut")
        }
        for index in 0..<counts.messages {
            guard let message = reader.message(records: counts.records, text: counts.text), append(message) else {
                throw BatchDecodingError(description: "message \(index) of the batch is wrong")
            }
        }
        for index in 0..<counts.features {
            guard let feature = reader.feature(of: self, hashing), append(feature) else {
                throw BatchDecodingError(description: "feature \(index) of the batch is wrong")
            }
        }
        var lastType = TextRange.none, nextFeature = 0
        for index in 0..<counts.records {
            guard let record = reader.record(of: self, hashing, &lastType, &nextFeature), append(record) else {
                throw BatchDecodingError(description: "record \(index) of the batch is wrong")
            }
        }
        guard nextFeature == counts.features, reader.offset == bytes.count else {
            throw BatchDecodingError(description: "the batch's parts do not add up")
        }
    }
}

/// Reads little-endian numbers with bounds; nil past the end, or for what cannot be.
private struct BatchReader {
    let whole: UnsafeRawBufferPointer
    var offset = 0

    init(_ whole: UnsafeRawBufferPointer) { self.whole = whole }

    @inline(__always)
    mutating func get<Value: FixedWidthInteger & BitwiseCopyable>(_: Value.Type = Value.self) -> Value? {
        guard offset &+ MemoryLayout<Value>.size <= whole.count else { return nil }
        defer { offset &+= MemoryLayout<Value>.size }
        return Value(littleEndian: whole.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    mutating func count() -> Int? { get(UInt32.self).map(Int.init) }

    @inline(__always)
    mutating func finite() -> Float? {
        guard let bits = get(UInt32.self) else { return nil }
        let value = Float(bitPattern: bits)
        return value.isFinite ? value : nil
    }

    mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count <= whole.count - offset else { return nil }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: whole[offset..<offset + count])
    }

    @inline(__always)
    private mutating func range(text: Int) -> TextRange? {
        guard let place = get(UInt32.self), let length = get(UInt16.self), Int(place) + Int(length) <= text else { return nil }
        return TextRange(offset: place, length: UInt32(length))
    }

    @inline(__always)
    private mutating func key(isText: Bool, of batch: EventBatch, _ hashing: KeyHash) -> Key? {
        guard let word = get(UInt64.self) else { return nil }
        guard isText else { return Key(integer: Int64(bitPattern: word), hashing: hashing) }
        let place = Int(word & 0xFFFF_FFFF), length = Int(word >> 32)
        guard length >= 1, length <= Key.longestText, place + length <= batch.textCount else { return nil }
        return Key(text: batch.text(TextRange(offset: UInt32(place), length: UInt32(length))), hashing: hashing)
    }

    mutating func message(records: Int, text: Int) -> MessageEntry? {
        guard let first = get(UInt32.self), let count = get(UInt32.self), Int(first) + Int(count) <= records,
            let source = range(text: text), let flags = get(UInt8.self), get(UInt8.self) == 0, let epoch = get(UInt64.self),
            let sequence = get(UInt64.self)
        else { return nil }
        var message = MessageEntry(
            stream: 0, firstRecord: first, recordCount: count, source: source, epoch: epoch, sequence: sequence, isNumbered: true)
        message.isComplete = flags & 1 != 0
        return message
    }

    mutating func feature(of batch: EventBatch, _ hashing: KeyHash) -> FeatureEntry? {
        guard let field = range(text: batch.textCount), let kind = get(UInt8.self), kind <= BatchEncoder.numberValue,
            let value = key(isText: kind == BatchEncoder.textValue, of: batch, hashing), let weight = finite()
        else { return nil }
        return FeatureEntry(field: field, value: value, weight: weight, isNumber: kind == BatchEncoder.numberValue)
    }

    @inline(__always)
    mutating func record(
        of batch: EventBatch, _ hashing: KeyHash, _ lastType: inout TextRange, _ nextFeature: inout Int
    ) -> EventRecord? {
        guard let rawKind = get(UInt8.self), let kind = RecordKind(rawValue: rawKind), kind.isJournalled, let flags = get(UInt8.self),
            let user = key(isText: flags & BatchEncoder.Flag.userText != 0, of: batch, hashing),
            let item = key(isText: flags & BatchEncoder.Flag.itemText != 0, of: batch, hashing)
        else { return nil }
        var record = EventRecord(kind: kind, user: user, item: item)
        if flags & BatchEncoder.Flag.value != 0 {
            guard let value = finite() else { return nil }
            record.hasValue = true
            record.value = value
        }
        if flags & BatchEncoder.Flag.weight != 0 {
            guard let weight = finite() else { return nil }
            record.weight = weight
        }
        if flags & BatchEncoder.Flag.time != 0 {
            guard let time = get(Int64.self) else { return nil }
            record.timeMilliseconds = time
        }
        if flags & BatchEncoder.Flag.type != 0 {
            guard let type = range(text: batch.textCount) else { return nil }
            lastType = type
            record.type = type
        } else if flags & BatchEncoder.Flag.sameType != 0 {
            record.type = lastType
        }
        if flags & BatchEncoder.Flag.features != 0 {
            guard let count = get(UInt16.self), nextFeature + Int(count) <= batch.featureCount else { return nil }
            record.firstFeature = UInt32(nextFeature)
            record.featureCount = count
            nextFeature += Int(count)
        }
        return record
    }
}

extension RecordKind {
    /// Whether the journal may hold it, because it did not begin with the sequencer.
    var isJournalled: Bool { rawValue <= RecordKind.refine.rawValue }
}
