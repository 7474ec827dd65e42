public import Factorization
import LinuxSystem

/// What re-solving the rows of users (`models[].refinement`) is worth: the cases of `LeaveOneOut` as the stream leaves the rows, and
/// after rounds through all users.
public struct RefinementEvaluation: Sendable {
    /// What one round made of it.
    public struct Round: Sendable {
        /// By model.
        public var qualities: [LeaveOneOut.Quality]
        /// Rows of users that were solved in the round, over all models, and how long that took.
        public var rows: Int
        public var seconds: Double
    }

    private let test: LeaveOneOut

    public init(_ test: LeaveOneOut) { self.test = test }

    /// - Parameters:
    ///   - engine: has learned the stream.
    ///   - rounds: through all users.
    /// - Returns: the rows as they were, then each round.
    public func run(_ engine: Engine, rounds: Int) -> [Round] {
        (0...rounds).map { round in
            let before = refined(engine), start = MonotonicClock.nanoseconds
            if round > 0 { engine.refineNow() }
            let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
            return Round(
                qualities: engine.models.indices.map { test.quality(of: engine, model: $0) }, rows: refined(engine) - before, seconds: seconds)
        }
    }

    private func refined(_ engine: Engine) -> Int { engine.models.indices.reduce(0) { $0 + engine.refined($1) } }
}

extension Engine {
    /// Re-solves the rows of all users once, on the calling thread.
    public func refineNow() {
        let batch = EventBatch(recordCapacity: 1, featureCapacity: 1, textCapacity: 1, messageCapacity: 1)
        for first in stride(from: 0, to: users.count, by: EventRecord.mostRefined) {
            batch.reset()
            _ = batch.appendRefinement(of: first, count: EventRecord.mostRefined, hashing: hashing)
            learnNow(batch)
        }
    }
}
