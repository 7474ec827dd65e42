public import Factorization
import LinuxSystem

/// How much of a user's trained row a request's list of items replaces: the cases of `LeaveOneOut`, each ranked once by the
/// trained user and once by somebody without a row, of whom some of that user's items are told.
public struct FoldInEvaluation: Sendable {
    /// Which of a user's items stand in the request.
    public enum Choice: String, Sendable, CaseIterable {
        /// The newest, in order.
        case last
        /// Drawn at random, in order.
        case random
    }

    public struct Result: Sendable {
        public var trained: LeaveOneOut.Quality
        public var folded: LeaveOneOut.Quality
        /// Seconds of one answer by the list, fold-in and the scores of a case together: half of them are below, and 99 of 100.
        public var medianSeconds: Double
        public var highSeconds: Double
        /// The median for the trained user.
        public var trainedSeconds: Double
    }

    private let test: LeaveOneOut
    private let taken: [Int64: [Int64]]

    /// - Parameter stream: what was learned, in order.
    public init(_ test: LeaveOneOut, stream: InteractionFile) {
        self.test = test
        var taken: [Int64: [Int64]] = [:]
        for pair in stream.pairs { taken[pair.user, default: []].append(pair.item) }
        self.taken = taken
    }

    /// Asks an engine's model about every case.
    /// - Parameter count: items told of each user, at most.
    public func run(_ engine: Engine, model: Int = 0, _ choice: Choice, count: Int, seed: UInt64 = 1) -> Result {
        let scorer = Scorer(engine: engine), hashing = engine.hashing
        var seconds: [Double] = []
        func ask(_ items: [Int64], user: UInt32, visitor: Visitor?) -> [Float] {
            let start = MonotonicClock.nanoseconds
            let scores = scorer.reading {
                scorer.score(
                    model: model, user: user, items: items.map { engine.items.find(Key(integer: $0, hashing: hashing)) }, visitor: visitor)
            }
            seconds.append(Double(MonotonicClock.nanoseconds - start) / 1e9)
            return scores
        }
        func quantile(_ percent: Int) -> Double {
            seconds.isEmpty ? 0 : seconds.sorted()[min(seconds.count * percent / 100, seconds.count - 1)]
        }
        let trained = test.quality { user, items in ask(items, user: engine.users.find(Key(integer: user, hashing: hashing)), visitor: nil) }
        let trainedSeconds = quantile(50)
        seconds = []
        let folded = test.quality { user, items in
            let told = told(of: user, choice, count: count, seed: seed).map { engine.items.find(Key(integer: $0, hashing: hashing)) }
            return ask(items, user: Placement.none, visitor: Visitor(items: told.filter { $0 != Placement.none }.map { Visitor.Item(ordinal: $0) }))
        }
        return Result(
            trained: trained, folded: folded, medianSeconds: quantile(50), highSeconds: quantile(99), trainedSeconds: trainedSeconds)
    }

    private func told(of user: Int64, _ choice: Choice, count: Int, seed: UInt64) -> [Int64] {
        let all = taken[user] ?? []
        guard choice == .random && all.count > count else { return Array(all.suffix(count)) }
        var random = RandomSource(seed: seed ^ UInt64(bitPattern: user)), places = Set<Int>()
        while places.count < count { places.insert(random.below(all.count)) }
        return places.sorted().map { all[$0] }
    }
}
