public import Factorization
import Glibc

/// The short way for the common message: one flat interaction, read where it lies.
///
/// The full parser costs a message of 30 bytes several times what it costs an element of an array: it copies and pads the
/// text, sweeps it in blocks, writes a tape, and four readers walk that. Here one walk does it all. What is taken gives the
/// same record as the full way would, which a test holds over made-up texts; what is not is left untouched.
extension EventDecoder {
    /// Takes messages from `first` on as long as each is a plain event and the batch has room.
    /// - Returns: The index of the first message not taken: it is for `begin` and `fill`; the count where all were.
    public func takePlain(
        _ bodies: UnsafeBufferPointer<UnsafeRawBufferPointer>, from first: Int, stream: UInt16, into batch: EventBatch
    ) -> Int {
        guard limits.depth > 1 else { return first }
        var index = first
        while index < bodies.count, takePlain(bodies[index], stream, batch) { index &+= 1 }
        return index
    }

    /// The place of a message's body where no columns follow it: then it may be a plain event.
    public func onlyBody(of frames: UnsafeBufferPointer<UnsafeRawBufferPointer>, topic: TopicRule) -> Int? {
        let body = bodyIndex(of: frames, topic)
        return body == frames.count - 1 ? body : nil
    }

    /// What the members of a plain event say.
    fileprivate struct PlainEvent {
        /// In the batch already: put together elsewhere, it would have to be copied as a whole right after its parts were written.
        let record: UnsafeMutablePointer<EventRecord>
        var hasSource = false, hasSequence = false
        /// Keys that came, by their bits: one that comes twice is for the full way.
        var keys: UInt16 = 0
        var source = TextRange.none
        var epoch: UInt64 = 0
        var sequence: UInt64 = 0
    }

    private func takePlain(_ body: UnsafeRawBufferPointer, _ stream: UInt16, _ batch: EventBatch) -> Bool {
        guard body.count >= PlainScanner.shortest, body.count <= limits.messageBytes, batch.recordCount < batch.recordCapacity,
            batch.messageCount < batch.messageCapacity
        else { return false }
        let mark = batch.mark
        var event = PlainEvent(record: batch.next)
        event.record.initialize(to: EventRecord(kind: .interaction, user: noKey, item: noKey))
        guard readPlain(body, &event, batch) else {
            batch.restore(mark)
            return false
        }
        let entry = MessageEntry(
            stream: stream, firstRecord: UInt32(truncatingIfNeeded: batch.recordCount), recordCount: 1, source: event.source,
            epoch: event.epoch, sequence: event.sequence, isNumbered: event.hasSequence && event.hasSource)
        batch.appendNext()
        return batch.append(entry)
    }

    @inline(__always)
    private func readPlain(_ body: UnsafeRawBufferPointer, _ event: inout PlainEvent, _ batch: EventBatch) -> Bool {
        var scanner = PlainScanner(body)
        guard scanner.take(0x7B) else { return false }
        repeat {
            guard let key = scanner.key() else { return false }
            switch key {
            case KeyWord.user:
                guard event.isFirst(0), readKey(&scanner, batch, &event.record.pointee.user) else { return false }
            case KeyWord.item:
                guard event.isFirst(1), readKey(&scanner, batch, &event.record.pointee.item) else { return false }
            default:
                guard let value = scanner.scalar(), takePlain(key, value, &event, batch) else { return false }
            }
        } while scanner.take(0x2C)
        return scanner.take(0x7D) && scanner.isAtEnd() && event.keys & 3 == 3
    }

    /// A member other than user and item; false where only the full way knows what to make of it, be it to refuse it.
    private func takePlain(_ key: UInt64, _ value: PlainScanner.Scalar, _ event: inout PlainEvent, _ batch: EventBatch) -> Bool {
        switch key {
        case KeyWord.value:
            guard event.isFirst(2), let number = value.double, number.magnitude <= EventLimits.greatestValue else { return false }
            event.record.pointee.value = Float(number)
            event.record.pointee.hasValue = true
        case KeyWord.weight:
            guard event.isFirst(3), let number = value.double, number >= 0, number <= EventLimits.greatestWeight else { return false }
            event.record.pointee.weight = Float(number)
        case KeyWord.type:
            guard event.isFirst(4), case .text(let text) = value, let type = plainType(text, batch) else { return false }
            event.record.pointee.type = type
        case KeyWord.time:
            guard event.isFirst(5), let time = plainTime(value) else { return false }
            event.record.pointee.timeMilliseconds = time
        case KeyWord.source:
            guard event.isFirst(6), case .text(let text) = value, text.count >= 1, text.count <= EventLimits.longestName,
                let source = batch.copyText(text)
            else { return false }
            event.source = source
            event.hasSource = true
        case KeyWord.epoch:
            guard event.isFirst(7), let number = value.unsigned else { return false }
            event.epoch = number
        case KeyWord.seq:
            guard event.isFirst(8), let number = value.unsigned else { return false }
            event.sequence = number
            event.hasSequence = true
        case KeyWord.context, KeyWord.columns, KeyWord.entity, KeyWord.hide, KeyWord.unhide, KeyWord.forget, KeyWord.undo,
            KeyWord.beat:
            return false
        default:
            // Unknown keys are ignored, whatever they hold.
            break
        }
        return true
    }

    @inline(__always)
    private func readKey(_ scanner: inout PlainScanner, _ batch: EventBatch, _ key: inout Key) -> Bool {
        if let integer = scanner.shortInteger() {
            key = Key(integer: integer, hashing: hashing)
            return true
        }
        guard let value = scanner.scalar(), let other = plainKey(value, batch) else { return false }
        key = other
        return true
    }

    @inline(never)
    private func plainKey(_ value: PlainScanner.Scalar, _ batch: EventBatch) -> Key? {
        switch value {
        case .number(.integer(let integer)): return Key(integer: integer, hashing: hashing)
        case .number(.fraction): return nil
        case .text(let text):
            guard text.count >= 1, text.count <= Key.longestText else { return nil }
            if isCanonical, let integer = IdPolicy.canonicalInteger(text) { return Key(integer: integer, hashing: hashing) }
            guard let range = batch.copyText(text) else { return nil }
            return Key(text: batch.text(range), hashing: hashing)
        }
    }

    /// The type's text in the batch. Streams repeat themselves: where the record before has the same, its bytes serve.
    @inline(__always)
    private func plainType(_ text: UnsafeRawBufferPointer, _ batch: EventBatch) -> TextRange? {
        guard text.count >= 1, text.count <= EventLimits.longestName else { return nil }
        if batch.recordCount > 0 {
            let last = batch.records[batch.recordCount &- 1].type
            if Int(last.length) == text.count,
                memcmp(batch.text(last).baseAddress.unsafelyUnwrapped, text.baseAddress.unsafelyUnwrapped, text.count) == 0
            {
                return last
            }
        }
        return batch.copyText(text)
    }

    @inline(__always)
    private func plainTime(_ value: PlainScanner.Scalar) -> Int64? {
        switch value {
        case .number(.integer(let integer)): EventTime.milliseconds(integer)
        case .number(.fraction(let number)): EventTime.milliseconds(number)
        case .text(let text): EventTime.milliseconds(rfc3339: text)
        }
    }
}

extension EventDecoder.PlainEvent {
    /// Notes that a key came; false where it had come before.
    @inline(__always)
    fileprivate mutating func isFirst(_ number: UInt16) -> Bool {
        let bit: UInt16 = 1 &<< number
        guard keys & bit == 0 else { return false }
        keys |= bit
        return true
    }
}

extension PlainScanner.Scalar {
    @inline(__always)
    fileprivate var double: Double? {
        switch self {
        case .number(.integer(let integer)): Double(integer)
        case .number(.fraction(let number)): number
        case .text: nil
        }
    }

    @inline(__always)
    fileprivate var unsigned: UInt64? {
        if case .number(.integer(let integer)) = self { UInt64(exactly: integer) } else { nil }
    }
}
