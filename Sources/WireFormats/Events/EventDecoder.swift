public import Factorization

/// Whether a message's first frame is a topic.
public enum TopicRule: Sendable {
    /// The first frame is the body (`pull`, `acknowledged`).
    case none
    /// The first frame is a topic, whatever it holds (`sub`).
    case first
    /// The first frame is a topic where it does not begin like a body, with `{` or `[`, and another frame follows.
    case recognised
}

/// Decodes messages of a stream into event batches. One receive thread owns it.
///
/// Usage: `begin` with a message, then `fill` until it answers true; where it answers false the batch is full, and the
/// decoder goes on in the next one.
///
/// A message is one of:
/// * a JSON object (a record), an array of records, or records one per line;
/// * a JSON object with `columns`, followed by raw frames (`EventDecoder+Header.swift`).
///
/// Rules that hold for all records: a key that comes twice counts with its last value; `null` is the same as an absent
/// key; unknown keys are ignored; a wrong type is never guessed at but rejects its record. `source`, `epoch` and `seq`
/// number the message: those of the object, of the columnar header, or of the first record of an array or of lines;
/// `epoch` is 0 where it is not given, and without `seq` or `source` the message is not numbered.
public final class EventDecoder {
    /// What the message in hand is, and how far it is decoded.
    enum Progress {
        case done
        /// Only the message's entry is to be given: there is no record, or none that is good.
        case entryOnly
        case single(JSONValue)
        case array(next: JSONValue, end: Int)
        /// Records parsed one by one: lines, or an array that is not JSON as a whole. `again`: a record for which the
        /// last batch had no room.
        case pieces(RecordScanner, again: Range<Int>?)
        case columns(nextRow: Int)
    }

    let isCanonical: Bool
    let hashing: KeyHash
    let limits: EventLimits
    let parser: JSONParser
    /// Stands where a record has no user or no item.
    let noKey: Key

    var progress = Progress.done
    var stream: UInt16 = 0
    var numbering = MessageNumbering()
    var batchHoldsPart = false
    /// Index of the record in hand within its message.
    var record = 0
    var columnar = ColumnarMessage()

    /// The rejections of the message in hand, at most `EventLimits.keptRejections`; `begin` empties it.
    public internal(set) var rejections: [Rejection] = []
    /// How many records of the message in hand were rejected, kept or not.
    public internal(set) var rejectedCount = 0
    /// All rejections since the decoder was made, by `RejectionReason.ordinal`.
    public internal(set) var rejectionCounts: [UInt64]
    /// Where the body stands among the frames of the message in hand.
    public private(set) var bodyFrame = 0
    /// Finds the bytes of rejected array elements; runs behind the decoding.
    var elementScanner: RecordScanner?

    public init(policy: IdPolicy = .canonical, hashing: KeyHash, limits: EventLimits = EventLimits()) {
        switch policy {
        case .canonical: isCanonical = true
        case .exact: isCanonical = false
        }
        self.hashing = hashing
        self.limits = limits
        parser = JSONParser(maxBytes: limits.messageBytes, maxDepth: limits.depth)
        noKey = Key(integer: 0, hashing: hashing)
        rejectionCounts = [UInt64](repeating: 0, count: RejectionReason.allCases.count)
        rejections.reserveCapacity(limits.keptRejections)
    }

    /// Takes up a message. The frames must stay where they are until `fill` answers true.
    public func begin(frames: UnsafeBufferPointer<UnsafeRawBufferPointer>, topic: TopicRule, stream: UInt16) {
        startMessage(stream)
        bodyFrame = bodyIndex(of: frames, topic)
        guard bodyFrame < frames.count else {
            return refuseMessage(.emptyMessage, "the message has no body", bytes: 0)
        }
        let columns = UnsafeBufferPointer(rebasing: frames[(bodyFrame + 1)...])
        takeBody(frames[bodyFrame], columns: columns)
    }

    /// Where the body stands among a message's frames.
    func bodyIndex(of frames: UnsafeBufferPointer<UnsafeRawBufferPointer>, _ topic: TopicRule) -> Int {
        switch topic {
        case .none: 0
        case .first: 1
        case .recognised: frames.count > 1 && !EventDecoder.beginsLikeBody(frames[0]) ? 1 : 0
        }
    }

    /// Takes up a message of one frame. The body must stay where it is until `fill` answers true.
    public func begin(body: UnsafeRawBufferPointer, stream: UInt16) {
        startMessage(stream)
        bodyFrame = 0
        takeBody(body, columns: UnsafeBufferPointer(start: nil, count: 0))
    }

    /// Appends records to the batch, and an entry for the message.
    /// - Returns: True when the message is finished; false when the batch is full: hand it on, and call again with the
    ///   next one, whose entry is marked as continuation.
    public func fill(_ batch: EventBatch) -> Bool {
        if case .done = progress { return true }
        precondition(batch.messageCapacity > 0 && batch.recordCapacity > 0, "a batch holds at least one record")
        guard batch.messageCount < batch.messageCapacity else { return false }
        let mark = batch.mark
        guard let source = numbering.copySource(into: batch) else {
            if batch.messageCount > 0 || batch.recordCount > 0 { return false }
            refuseMessage(.tooLarge, "source: does not fit an empty batch", bytes: parser.loadedCount)
            numbering = MessageNumbering()
            return fill(batch)
        }
        let first = batch.recordCount
        let isFinished = decodeRecords(into: batch)
        let count = batch.recordCount - first
        guard isFinished || count > 0 else {
            batch.restore(mark)
            return false
        }
        var entry = MessageEntry(
            stream: stream, firstRecord: UInt32(first), recordCount: UInt32(count), source: source, epoch: numbering.epoch,
            sequence: numbering.sequence, isNumbered: numbering.isNumbered)
        entry.isContinuation = batchHoldsPart
        entry.isComplete = isFinished
        _ = batch.append(entry)
        batchHoldsPart = true
        if isFinished { progress = .done }
        return isFinished
    }

    /// Counts a rejection and keeps it while there is room.
    func reject(_ reason: RejectionReason, _ detail: @autoclosure () -> String, range: @autoclosure () -> Range<Int>) {
        rejectedCount += 1
        rejectionCounts[reason.ordinal] += 1
        guard rejections.count < limits.keptRejections else { return }
        rejections.append(Rejection(reason: reason, detail: detail(), record: record, bodyRange: range()))
    }

    /// Sets the whole message aside; only its entry will be given.
    func refuseMessage(_ reason: RejectionReason, _ detail: @autoclosure () -> String, bytes: Int) {
        reject(reason, detail(), range: 0..<bytes)
        progress = .entryOnly
    }

    private func startMessage(_ stream: UInt16) {
        self.stream = stream
        numbering = MessageNumbering()
        batchHoldsPart = false
        record = 0
        rejectedCount = 0
        elementScanner = nil
        progress = .entryOnly
        if !rejections.isEmpty { rejections.removeAll(keepingCapacity: true) }
    }

    static func beginsLikeBody(_ frame: UnsafeRawBufferPointer) -> Bool {
        let start = RecordScanner.skipSpace(frame, from: 0)
        return start < frame.count && (frame[start] == 0x7B || frame[start] == 0x5B)
    }
}
