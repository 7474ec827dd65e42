import CKernels
import Synchronization

/// Two models of an engine whose prequential losses are compared, event by event.
public struct ComparisonSettings: Sendable, Equatable {
    public enum Measure: String, Sendable, Codable, CaseIterable {
        /// The models' own loss, which must be the same kind of loss.
        case loss
        /// The share of an event's negatives that score above it.
        case auc
    }

    /// Number of the model that is to show that it is better, and of the one to beat.
    public var model: Int
    public var against: Int
    public var measure: Measure

    public init(model: Int, against: Int, measure: Measure = .loss) {
        self.model = model
        self.against = against
        self.measure = measure
    }
}

/// The losses of two models on one trainer's events, paired by position and handed to a `SequentialTest`.
///
/// A loss lies in 0…1. By measure and the models' loss:
///
/// | | loss of an event | without a comparison |
/// |---|---|---|
/// | `auc` | share of its negatives that score above it, a tie half; with warp the first negative alone | ½ |
/// | `loss`, logistic | log loss, mean over the event and its negatives, capped at 4, by 4 | |
/// | `loss`, squared | ((ŝ − y)/range)², capped at 1; ŝ within the labels seen before, range their spread | ½ |
/// | `loss`, bpr | mean of ln(1 + exp(negative − event)), capped at 4, by 4 | (ln 2)/4 |
/// | `loss`, warp | hinge against the first negative, capped at 4, by 4 | ¼ |
///
/// A score that is not finite has the highest loss, 1. An event that one of the two models did not learn from counts for it as one
/// without a comparison: as chance would score.
///
/// Thread safety: the trainer's; `published` is for anyone.
final class Comparison {
    /// Side of `settings.model`, and of `settings.against`.
    static let challenger = 0, champion = 1
    static let cap = 4.0

    let settings: ComparisonSettings
    private(set) var test = SequentialTest()
    /// Labels seen, by side: both see the same ones.
    private var spreads = [LabelSpread(), LabelSpread()]
    /// While set, nothing is compared: rows hold already what is applied again.
    var isPaused = false
    private let losses: [ModelSettings.Loss]

    /// Losses of the side that is ahead, oldest first. A learner waits for its run to fill, 1,024 rows at most.
    private var waiting: [(position: UInt64, loss: Double)] = []
    private var first = 0
    private var ahead = Comparison.challenger

    /// Even while it does not change. Then events, and the bits of both sums.
    private let version = Atomic<UInt64>(0)
    private let shownEvents = Atomic<UInt64>(0)
    private let shownSum = Atomic<UInt64>(0)
    private let shownSquares = Atomic<UInt64>(0)

    init(_ settings: ComparisonSettings, models: [Model]) {
        self.settings = settings
        losses = [models[settings.model].settings.loss, models[settings.against].settings.loss]
        waiting.reserveCapacity(2 * EventRun.rowLimit)
    }

    // MARK: Losses

    struct LabelSpread {
        var lowest = Float.infinity
        var highest = -Float.infinity
    }

    /// Takes one event of a side: scores of the event and its negatives, and for logistic loss ln(1 + exp(score)) of each.
    func take(
        _ side: Int, position: UInt64, _ scores: UnsafePointer<Float>, _ softplus: UnsafePointer<Float>, label: Float, count: Int
    ) {
        guard !isPaused else { return }
        let loss = loss(side, scores, softplus, label: label, count: count)
        take(side, position: position, loss: loss.isFinite ? min(max(loss, 0), 1) : 1)
    }

    private func loss(
        _ side: Int, _ scores: UnsafePointer<Float>, _ softplus: UnsafePointer<Float>, label: Float, count: Int
    ) -> Double {
        let score = scores[0]
        // A comparison with NaN would count as won or lost, whichever way it is written.
        for index in 0..<count where !scores[index].isFinite { return .nan }
        if settings.measure == .auc {
            guard count > 1 else { return chance(side) }
            // warp tries later negatives only where the first is no violation: the first alone is a fair sample.
            let end = losses[side] == .warp ? 2 : count
            var lost = 0.0
            for index in 1..<end { lost += scores[index] > score ? 1 : scores[index] == score ? 0.5 : 0 }
            return lost / Double(end - 1)
        }
        switch losses[side] {
        case .squared: return squared(side, score, label)
        case .logistic:
            var sum = Double(softplus[0] - label * score)
            for index in 1..<max(count, 1) { sum += Double(softplus[index]) }
            return sum / Double(count) / Comparison.cap
        case .bpr:
            guard count > 1 else { return chance(side) }
            var sum = 0.0
            for index in 1..<count { sum += Double(fk_softplus(scores[index] - score)) }
            return sum / Double(count - 1) / Comparison.cap
        case .warp: return count > 1 ? Double(max(0, 1 + scores[1] - score)) / Comparison.cap : chance(side)
        }
    }

    /// With the spread of labels before this one, which the past tells.
    private func squared(_ side: Int, _ score: Float, _ label: Float) -> Double {
        let spread = spreads[side], range = Double(spread.highest) - Double(spread.lowest)
        spreads[side].lowest = min(spread.lowest, label)
        spreads[side].highest = max(spread.highest, label)
        guard range > 0 else { return chance(side) }
        let error = (Double(min(max(score, spread.lowest), spread.highest)) - Double(label)) / range
        return error * error
    }

    /// The loss of an event that says nothing.
    private func chance(_ side: Int) -> Double {
        if settings.measure == .auc { return 0.5 }
        return switch losses[side] {
        case .squared: 0.5
        case .logistic, .bpr: 0.6931471805599453 / Comparison.cap
        case .warp: 1 / Comparison.cap
        }
    }

    // MARK: Pairing

    /// Takes a side's loss of the event at a position; positions of a side grow.
    func take(_ side: Int, position: UInt64, loss: Double) {
        if first == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            first = 0
            ahead = side
        }
        if side == ahead {
            if first > EventRun.rowLimit {
                waiting.removeFirst(first)
                first = 0
            }
            waiting.append((position, loss))
            return
        }
        // What the side that is ahead has, and this one passed over.
        while first < waiting.count, waiting[first].position < position { pair(ahead, waiting[first].loss, chance(side)) }
        if first < waiting.count, waiting[first].position == position {
            pair(ahead, waiting[first].loss, loss)
        } else if first < waiting.count {
            count(side, loss, chance(ahead))
        } else {
            take(side, position: position, loss: loss)
        }
    }

    private func pair(_ side: Int, _ loss: Double, _ other: Double) {
        first += 1
        count(side, loss, other)
    }

    private func count(_ side: Int, _ loss: Double, _ other: Double) {
        if side == Comparison.challenger { test.take(other, loss) } else { test.take(loss, other) }
    }

    /// Begins anew, at the place of a promotion in the stream.
    func restart() {
        test = SequentialTest()
        waiting.removeAll(keepingCapacity: true)
        first = 0
    }

    // MARK: State

    var state: ComparisonState {
        ComparisonState(test: test, lowest: spreads[0].lowest, highest: spreads[0].highest)
    }

    /// Goes on after a restored state. Before any thread starts.
    func restore(_ state: ComparisonState) {
        restart()
        test = state.test
        spreads = [LabelSpread](repeating: LabelSpread(lowest: state.lowest, highest: state.highest), count: 2)
        publish()
    }

    /// Shows the test to other threads. The trainer's thread.
    func publish() {
        let version = version.load(ordering: .relaxed)
        self.version.store(version &+ 1, ordering: .relaxed)
        atomicMemoryFence(ordering: .releasing)
        shownEvents.store(test.events, ordering: .relaxed)
        shownSum.store(test.sum.bitPattern, ordering: .relaxed)
        shownSquares.store(test.squares.bitPattern, ordering: .relaxed)
        self.version.store(version &+ 2, ordering: .releasing)
    }

    /// The test as last published, all of one moment.
    var published: SequentialTest {
        while true {
            let before = version.load(ordering: .acquiring)
            var test = SequentialTest()
            test.events = shownEvents.load(ordering: .relaxed)
            test.sum = Double(bitPattern: shownSum.load(ordering: .relaxed))
            test.squares = Double(bitPattern: shownSquares.load(ordering: .relaxed))
            atomicMemoryFence(ordering: .acquiring)
            if before % 2 == 0, version.load(ordering: .relaxed) == before { return test }
        }
    }
}
