/// What a model predicted of each event before it learned from it: for evaluations, which want more than sums.
///
/// Grows until it is cleared. For an engine without threads: `learnNow` writes, then whoever evaluates reads.
public final class PrequentialTrace: @unchecked Sendable {
    public struct Event: Sendable {
        public var position: UInt64
        public var label: Float
        /// On the model's own scale, not limited to anything.
        public var score: Float
        /// Scores of the event's negatives: places in `negatives`.
        public var others: Range<Int>
    }

    public private(set) var events: [Event] = []
    public private(set) var negatives: [Float] = []

    public func clear() {
        events.removeAll(keepingCapacity: true)
        negatives.removeAll(keepingCapacity: true)
    }

    func take(_ position: UInt64, _ scores: UnsafePointer<Float>, label: Float, count: Int) {
        let first = negatives.count
        negatives.append(contentsOf: UnsafeBufferPointer(start: scores + 1, count: max(count, 1) - 1))
        events.append(Event(position: position, label: label, score: scores[0], others: first..<negatives.count))
    }
}

extension Engine {
    /// Has a model's predictions noted from here on. For an engine of one trainer, before it learns.
    public func trace(_ model: Int) -> PrequentialTrace {
        precondition(trainers.count == 1, "predictions are noted of one trainer")
        let trace = PrequentialTrace()
        trainers[0].learners[model].prequential.trace = trace
        return trace
    }
}
