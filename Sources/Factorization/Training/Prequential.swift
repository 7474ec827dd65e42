import CKernels
import Synchronization

/// Test-then-train quality of one model on one trainer: each event is scored before it is learned (Dawid 1984; Gama,
/// Sebastião and Rodrigues 2013).
///
/// Thread safety: `record` and `publish` belong to the trainer; `published` is for anyone.
final class Prequential: @unchecked Sendable {
    /// Sums over events, and the same under exponential forgetting.
    struct Sums: Sendable {
        /// Events scored.
        var events = 0.0
        /// Squared loss: Σ (ŝ − y)², ŝ within the labels seen so far. Logistic loss: Σ of the mean log loss of an event and
        /// its negatives. bpr: Σ of the mean loss of an event's pairs. warp: Σ of the hinge against the first negative.
        var loss = 0.0
        /// Positives compared with one of their negatives, and how many of them scored higher (a tie counts half).
        var comparisons = 0.0
        /// Squared loss, which has no comparisons: Σ |ŝ − y|.
        var wins = 0.0
        // The same with a half-life of `recentHalfLife` events.
        var recentEvents = 0.0
        var recentLoss = 0.0
        var recentComparisons = 0.0
        var recentWins = 0.0

        /// In the order of a tally and of a snapshot.
        var all: [Double] { [events, loss, comparisons, wins, recentEvents, recentLoss, recentComparisons, recentWins] }

        static func + (a: Sums, b: Sums) -> Sums {
            Sums(
                events: a.events + b.events, loss: a.loss + b.loss, comparisons: a.comparisons + b.comparisons,
                wins: a.wins + b.wins, recentEvents: a.recentEvents + b.recentEvents, recentLoss: a.recentLoss + b.recentLoss,
                recentComparisons: a.recentComparisons + b.recentComparisons, recentWins: a.recentWins + b.recentWins)
        }
    }

    static let recentHalfLife = 5000.0
    /// What an event leaves of those before it: 2^(-1/5000) where one trainer sees them all. Each of several sees its share, and
    /// has an event count for as many.
    static func keep(trainers: Int) -> Double { (0..<trainers).reduce(1) { product, _ in product * 0.99986138 } }

    private let loss: ModelSettings.Loss
    private let kernels: Kernels
    private var tally: PrequentialState
    /// Where each event's loss goes besides, and as whose. Trainer only; looked at for each event, so without a check at run time.
    @exclusivity(unchecked) private var comparison: Comparison?
    private var side = 0
    /// Where every prediction is noted; nil in a daemon. Before any thread starts.
    @exclusivity(unchecked) var trace: PrequentialTrace?
    /// `sums` as last published, eight doubles' bits, then the alarm's count and last position, then calibration and window.
    private let shown: UnsafeMutablePointer<Atomic<UInt64>>
    private static let shownCount = 10 + PrequentialWindow.shownCount

    /// - Parameter trainers: how many share the window.
    init(loss: ModelSettings.Loss, kernels: Kernels, trainers: Int = 1) {
        self.loss = loss
        self.kernels = kernels
        tally = PrequentialState(trainers: trainers)
        shown = .allocate(capacity: Prequential.shownCount)
        for index in 0..<Prequential.shownCount { (shown + index).initialize(to: Atomic(0)) }
    }
    deinit { shown.deallocate() }

    /// Counts one event: `items[0]` is the event, the rest its negatives; all carry the score from before their step.
    func record(_ items: UnsafePointer<fk_item>, count: Int, position: UInt64) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * count) { floats in
            let scores = floats.baseAddress!, losses = scores + count
            for index in 0..<count { scores[index] = items[index].score }
            if loss == .logistic { kernels.softplus(scores, count, losses) }
            if loss == .logistic, PrequentialWindow.isSampled(position) {
                tally.window.beginEvent()
                for index in 0..<count { tally.window.calibrate(score: scores[index], label: items[index].label) }
            }
            tally.count(scores, losses, label: items[0].label, count: count, position: position, loss)
            trace?.take(position, scores, label: items[0].label, count: count)
            comparison?.take(side, position: position, scores, losses, label: items[0].label, count: count)
        }
    }

    /// Counts the first `count` events of a run; answers how many items they have.
    func record(_ run: UnsafeMutablePointer<EventRun>, count: Int) -> Int {
        let softplus = loss == .logistic ? run.pointee.softplus : nil
        if let softplus { kernels.softplus(run.pointee.batch.scores, run.pointee.itemCount, softplus) }
        if comparison != nil || trace != nil { compare(run.pointee, count: count) }
        return tally.count(&run.pointee.batch, softplus, count: count, kernels)
    }

    /// Hands the losses of a run's first `count` events to the comparison, and their scores to the trace.
    private func compare(_ run: EventRun, count: Int) {
        let batch = run.batch
        var item = 0
        for event in 0..<count {
            let items = Int(batch.counts[event])
            trace?.take(batch.positions[event], batch.scores + item, label: batch.labels[item], count: items)
            comparison?.take(
                side, position: batch.positions[event], batch.scores + item, run.softplus + item, label: batch.labels[item], count: items)
            item += items
        }
    }

    /// Has this model's losses compared with another's, if it is one of the two. Before any thread starts.
    func compare(_ comparison: Comparison?, _ number: Int) {
        let settings = comparison?.settings
        let isOne = settings.map { $0.model == number || $0.against == number } ?? false
        self.comparison = isOne ? comparison : nil
        side = settings?.model == number ? Comparison.challenger : Comparison.champion
    }

    /// All that was gathered. While trainers stand still.
    var state: PrequentialState { tally }

    /// Goes on after a restored state. Before any thread starts.
    func restore(_ state: PrequentialState) {
        tally = state
        publish()
    }

    /// Shows the sums to other threads.
    func publish() {
        let sums = tally.sums
        let values = (
            sums.events, sums.loss, sums.comparisons, sums.wins, sums.recentEvents, sums.recentLoss, sums.recentComparisons,
            sums.recentWins
        )
        withUnsafeBytes(of: values) { bytes in
            for (index, value) in bytes.bindMemory(to: Double.self).enumerated() {
                shown[index].store(value.bitPattern, ordering: .relaxed)
            }
        }
        shown[9].store(tally.alarm.lastPosition, ordering: .relaxed)
        shown[8].store(tally.alarm.alarms, ordering: .relaxed)
        for (index, value) in tally.window.shown(sums).enumerated() { shown[10 + index].store(value.bitPattern, ordering: .relaxed) }
    }

    /// Calibration and window as last published.
    var publishedWindow: [Double] {
        (10..<Prequential.shownCount).map { Double(bitPattern: shown[$0].load(ordering: .relaxed)) }
    }

    /// The alarm as last published.
    var publishedDrift: DriftReport {
        DriftReport(alarms: Int(shown[8].load(ordering: .relaxed)), lastPosition: shown[9].load(ordering: .relaxed))
    }

    /// The sums as last published; a field may be an event newer than another.
    var published: Sums {
        func value(_ index: Int) -> Double { Double(bitPattern: shown[index].load(ordering: .relaxed)) }
        return Sums(
            events: value(0), loss: value(1), comparisons: value(2), wins: value(3), recentEvents: value(4),
            recentLoss: value(5), recentComparisons: value(6), recentWins: value(7))
    }
}
