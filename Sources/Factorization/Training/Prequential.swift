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

        @inline(__always)
        mutating func add(_ loss: Double, comparisons more: Double, wins won: Double, keep: Double) {
            events += 1
            self.loss += loss
            comparisons += more
            wins += won
            recentEvents = recentEvents * keep + 1
            recentLoss = recentLoss * keep + loss
            recentComparisons = recentComparisons * keep + more
            recentWins = recentWins * keep + won
        }

        static func + (a: Sums, b: Sums) -> Sums {
            Sums(
                events: a.events + b.events, loss: a.loss + b.loss, comparisons: a.comparisons + b.comparisons,
                wins: a.wins + b.wins, recentEvents: a.recentEvents + b.recentEvents, recentLoss: a.recentLoss + b.recentLoss,
                recentComparisons: a.recentComparisons + b.recentComparisons, recentWins: a.recentWins + b.recentWins)
        }
    }

    /// What is counted, in one piece.
    private struct Tally {
        /// Sums, least and greatest label; what the alarm has gathered only while C counts.
        var plain = fk_tally()
        /// Watches the loss of every event.
        var alarm = DriftAlarm()
        /// What was counted up to each of the last batches, and calibration.
        var window: PrequentialWindow
        private let keep: Double

        init(_ state: PrequentialState, keep: Double) {
            self.keep = keep
            alarm = state.alarm
            window = state.window
            plain.lowest = state.lowest
            plain.highest = state.highest
            plain.batch_limit = UInt32(DriftAlarm.batch)
            sums = state.sums
        }

        var sums: Sums {
            get {
                Sums(
                    events: plain.all.0, loss: plain.all.1, comparisons: plain.all.2, wins: plain.all.3, recentEvents: plain.recent.0,
                    recentLoss: plain.recent.1, recentComparisons: plain.recent.2, recentWins: plain.recent.3)
            }
            set {
                plain.all = (newValue.events, newValue.loss, newValue.comparisons, newValue.wins)
                plain.recent = (newValue.recentEvents, newValue.recentLoss, newValue.recentComparisons, newValue.recentWins)
            }
        }

        /// Counts the first `count` events of a batch; answers how many items they have.
        mutating func count(_ batch: fk_batch, _ softplus: UnsafePointer<Float>?, count: Int, _ kernels: Kernels) -> Int {
            var batch = batch, event = 0, item = 0
            while event < count {
                let first = event, firstItem = item
                plain.batch_sum = alarm.batchSum
                plain.batch_count = UInt32(alarm.batchCount)
                event += kernels.count(&plain, keep, &batch, event, count - event, &item, softplus)
                alarm.take(sum: plain.batch_sum, count: Int(plain.batch_count), through: batch.positions[event - 1])
                // Up to the mark and no further, lest what a mark holds depend on how events fall into calls.
                if softplus != nil { calibrate(batch, first..<event, item: firstItem) }
                if alarm.batchCount == 0 { window.mark(sums) }
            }
            return item
        }

        /// Takes the sampled ones of some events.
        private mutating func calibrate(_ batch: fk_batch, _ events: Range<Int>, item firstItem: Int) {
            var item = firstItem
            for event in events {
                let end = item &+ Int(batch.counts[event])
                if PrequentialWindow.isSampled(batch.positions[event]) {
                    window.beginEvent()
                    for index in item..<end { window.calibrate(score: batch.scores[index], label: batch.labels[index]) }
                }
                item = end
            }
        }

        /// Counts one event by its scores and, where the loss is logistic, ln(1 + exp(score)) of each.
        @inline(__always)
        mutating func count(
            _ scores: UnsafePointer<Float>, _ softplus: UnsafePointer<Float>, label: Float, count: Int, position: UInt64,
            _ kind: ModelSettings.Loss
        ) {
            let score = scores[0]
            var loss = 0.0, wins = 0.0, compared = count - 1
            func compare(_ other: Float) { wins += other < score ? 1 : other == score ? 0.5 : 0 }
            switch kind {
            case .squared:
                let isFirst = plain.lowest > plain.highest
                let error = Double(isFirst ? score : min(max(score, plain.lowest), plain.highest)) - Double(label)
                loss = error * error
                (compared, wins) = (0, error.magnitude)
                plain.lowest = min(plain.lowest, label)
                plain.highest = max(plain.highest, label)
            case .logistic:
                var sum = Double(softplus[0] - label * score)
                for index in 1..<max(count, 1) {
                    sum += Double(softplus[index])
                    compare(scores[index])
                }
                loss = count == 1 ? sum : sum / Double(count)
            case .bpr:
                guard count > 1 else { return }
                for index in 1..<count {
                    loss += Double(fk_softplus(scores[index] - score))
                    compare(scores[index])
                }
                loss /= Double(count - 1)
            case .warp:
                // Later negatives are tried only where the first is no violation: the first alone is a fair sample.
                guard count > 1 else { return }
                compared = 1
                loss = Double(max(0, 1 + scores[1] - score))
                compare(scores[1])
            }
            guard loss.isFinite else { return }
            alarm.record(loss, position: position)
            sums.add(loss, comparisons: Double(compared), wins: wins, keep: keep)
            if alarm.batchCount == 0 { window.mark(sums) }
        }
    }

    static let recentHalfLife = 5000.0
    /// What an event leaves of those before it: 2^(-1/5000) where one trainer sees them all. Each of several sees its share, and
    /// has an event count for as many.
    static func keep(trainers: Int) -> Double { (0..<trainers).reduce(1) { product, _ in product * 0.99986138 } }

    private let loss: ModelSettings.Loss
    private let kernels: Kernels
    private var tally: Tally
    /// Where each event's loss goes besides, and as whose. Trainer only; looked at for each event, so without a check at run time.
    @exclusivity(unchecked) private var comparison: Comparison?
    private var side = 0
    /// Where every prediction is noted; nil in a daemon. Before any thread starts.
    @exclusivity(unchecked) var trace: PrequentialTrace?
    /// `sums` as last published, eight doubles' bits, then the alarm's count and last position, then calibration and window.
    private let shown: UnsafeMutablePointer<Atomic<UInt64>>
    private static let shownCount = 10 + PrequentialWindow.shownCount
    private let keep: Double

    /// - Parameter trainers: how many share the window.
    init(loss: ModelSettings.Loss, kernels: Kernels, trainers: Int = 1) {
        self.loss = loss
        self.kernels = kernels
        keep = Prequential.keep(trainers: trainers)
        tally = Tally(PrequentialState(window: PrequentialWindow(trainers: trainers)), keep: keep)
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
    func record(_ run: EventRun, count: Int) -> Int {
        if loss == .logistic { kernels.softplus(run.batch.scores, run.itemCount, run.softplus) }
        if comparison != nil || trace != nil { compare(run, count: count) }
        return tally.count(run.batch, loss == .logistic ? run.softplus : nil, count: count, kernels)
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
    var state: PrequentialState {
        PrequentialState(
            sums: tally.sums, lowest: tally.plain.lowest, highest: tally.plain.highest, alarm: tally.alarm, window: tally.window)
    }

    /// Goes on after a restored state. Before any thread starts.
    func restore(_ state: PrequentialState) {
        tally = Tally(state, keep: keep)
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
