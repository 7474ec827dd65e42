public import Factorization
import WireFormats

/// Feeds an engine of this process as a stream feeds the daemon: events become messages, messages are decoded into batches,
/// batches are learned on the calling thread. So an evaluation meets the very rules that a publisher meets.
///
/// One thread at a time.
public final class OfflineFeed {
    public let engine: Engine
    private let decoder: EventDecoder
    private let batch = EventBatch()
    private var encoder: MessageEncoder
    /// Called when a batch has been learned, with the position before its first record. For one trainer.
    var onLearned: ((EventBatch, UInt64) -> Void)?
    /// Records that the decoder set aside.
    public private(set) var rejected = 0

    /// - Parameter messageSize: events that are learned at a time; `flush` learns what waits.
    public init(_ engine: Engine, messageSize: Int = 500) {
        self.engine = engine
        decoder = EventDecoder(hashing: engine.hashing)
        encoder = MessageEncoder(
            format: messageSize > 1 ? .columnar : .json, batchSize: messageSize, topic: nil, numbering: nil)
    }

    /// Takes an event; it is learned with its message.
    public func append(_ event: DatasetEvent) {
        encoder.append(event)
        learnReady()
    }

    /// Takes any record of a stream as a JSON object, after all that came before it.
    public func append(json record: [UInt8]) {
        encoder.append(json: record)
        learnReady()
    }

    /// Takes a message as it stands, good or bad, after all that came before it.
    public func append(message frames: [[UInt8]]) {
        flush()
        learn(frames)
    }

    /// Learns what waits for its message to fill.
    public func flush() {
        encoder.flush()
        learnReady()
    }

    private func learnReady() {
        while let message = encoder.takeMessage() { learn(message.frames) }
    }

    private func learn(_ frames: [[UInt8]]) {
        let bytes = frames.flatMap { $0 }
        bytes.withUnsafeBytes { bytes in
            var start = 0
            let pieces = frames.map { frame in
                defer { start += frame.count }
                return UnsafeRawBufferPointer(rebasing: bytes[start..<start + frame.count])
            }
            pieces.withUnsafeBufferPointer { decoder.begin(frames: $0, topic: .none, stream: 0) }
            var isFinished = false
            while !isFinished {
                batch.reset()
                isFinished = decoder.fill(batch)
                let before = engine.sequencer.lastPosition
                engine.learnNow(batch)
                onLearned?(batch, before)
            }
        }
        rejected += decoder.rejectedCount
    }
}

extension Engine {
    /// The ordinal of a user, or `Placement.none`.
    func user(_ id: EventID) -> UInt32 { ordinal(id, in: users) }
    /// The ordinal of an item, or `Placement.none`.
    func item(_ id: EventID) -> UInt32 { ordinal(id, in: items) }

    /// The ordinals of an event's user and item; nil where one has no row.
    public func ordinals(_ event: DatasetEvent) -> (user: UInt32, item: UInt32)? {
        let user = user(event.user), item = item(event.item)
        return user == Placement.none || item == Placement.none ? nil : (user, item)
    }

    /// Context as the tables know it; a field or value that they do not know is left out, as in a request.
    func features(_ context: [ContextPair]) -> [(ordinal: UInt32, weight: Float)] {
        context.compactMap { pair in
            var field = pair.field
            guard let namespace = field.withUTF8({ fields.namespace(UnsafeRawBufferPointer($0)) }) else { return nil }
            let feature = ordinal(pair.value, in: contexts, namespace: namespace)
            return feature == Placement.none ? nil : (feature, pair.weight)
        }
    }

    private func ordinal(_ id: EventID, in table: EntityTable, namespace: UInt16 = 0) -> UInt32 {
        switch id {
        case .integer(let value): return table.find(Key(integer: value, namespace: namespace, hashing: hashing))
        case .text(var text):
            return text.withUTF8 {
                table.find(Key(text: UnsafeRawBufferPointer($0), namespace: namespace, hashing: hashing))
            }
        }
    }
}
