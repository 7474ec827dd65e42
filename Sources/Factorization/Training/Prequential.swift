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
        var wins = 0.0
        // The same with a half-life of `recentHalfLife` events.
        var recentEvents = 0.0
        var recentLoss = 0.0
        var recentComparisons = 0.0
        var recentWins = 0.0

        @inline(__always)
        mutating func add(_ loss: Double, comparisons more: Double, wins won: Double) {
            let keep = Prequential.keep
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

        init(sums: Sums = Sums(), lowest: Float = .infinity, highest: Float = -.infinity, alarm: DriftAlarm = DriftAlarm()) {
            self.alarm = alarm
            plain.lowest = lowest
            plain.highest = highest
            plain.batch_limit = UInt32(DriftAlarm.batch)
            self.sums = sums
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
                plain.batch_sum = alarm.batchSum
                plain.batch_count = UInt32(alarm.batchCount)
                event += kernels.count(&plain, Prequential.keep, &batch, event, count - event, &item, softplus)
                alarm.take(sum: plain.batch_sum, count: Int(plain.batch_count), through: batch.positions[event - 1])
            }
            return item
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
            sums.add(loss, comparisons: Double(compared), wins: wins)
        }
    }

    static let recentHalfLife = 5000.0
    private static let keep = 0.99986138  // 2^(-1/5000)

    private let loss: ModelSettings.Loss
    private let kernels: Kernels
    private var tally = Tally()
    /// Where each event's loss goes besides, and as whose. Trainer only; looked at for each event, so without a check at run time.
    @exclusivity(unchecked) private var comparison: Comparison?
    private var side = 0
    /// `sums` as last published, eight doubles' bits, then the alarm's count and last position.
    private let shown: UnsafeMutablePointer<Atomic<UInt64>>

    init(loss: ModelSettings.Loss, kernels: Kernels) {
        self.loss = loss
        self.kernels = kernels
        shown = .allocate(capacity: 10)
        for index in 0..<10 { (shown + index).initialize(to: Atomic(0)) }
    }
    deinit { shown.deallocate() }

    /// Counts one event: `items[0]` is the event, the rest its negatives; all carry the score from before their step.
    func record(_ items: UnsafePointer<fk_item>, count: Int, position: UInt64) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * count) { floats in
            let scores = floats.baseAddress!, losses = scores + count
            for index in 0..<count { scores[index] = items[index].score }
            if loss == .logistic { kernels.softplus(scores, count, losses) }
            tally.count(scores, losses, label: items[0].label, count: count, position: position, loss)
            comparison?.take(side, position: position, scores, losses, label: items[0].label, count: count)
        }
    }

    /// Counts the first `count` events of a run; answers how many items they have.
    func record(_ run: EventRun, count: Int) -> Int {
        if loss == .logistic { kernels.softplus(run.batch.scores, run.itemCount, run.softplus) }
        if comparison != nil { compare(run, count: count) }
        return tally.count(run.batch, loss == .logistic ? run.softplus : nil, count: count, kernels)
    }

    /// Hands the losses of a run's first `count` events to the comparison.
    private func compare(_ run: EventRun, count: Int) {
        let batch = run.batch
        var item = 0
        for event in 0..<count {
            let items = Int(batch.counts[event])
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
    var state: PrequentialState { PrequentialState(sums: tally.sums, lowest: tally.plain.lowest, highest: tally.plain.highest, alarm: tally.alarm) }

    /// Goes on after a restored state. Before any thread starts.
    func restore(_ state: PrequentialState) {
        tally = Tally(sums: state.sums, lowest: state.lowest, highest: state.highest, alarm: state.alarm)
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

/// Prequential quality as people read it.
public struct PrequentialReport: Sendable, Equatable {
    /// `rmse`, `log_loss`, `pair_loss` or `hinge`.
    public var metric: String
    public var events: Int
    /// Over all events, and over about the last 7,000 (exponential forgetting, half-life 5,000 events).
    public var value: Double
    public var recent: Double
    /// Share of sampled negatives that scored below their positive: the area under the ROC curve. Nil without negatives.
    public var auc: Double?
    public var recentAUC: Double?

    init(_ sums: Prequential.Sums, loss: ModelSettings.Loss) {
        func mean(_ sum: Double, _ count: Double) -> Double { count > 0 ? sum / count : 0 }
        func shown(_ mean: Double) -> Double { loss == .squared ? mean.squareRoot() : mean }
        metric = switch loss {
        case .squared: "rmse"
        case .logistic: "log_loss"
        case .bpr: "pair_loss"
        case .warp: "hinge"
        }
        events = Int(sums.events)
        value = shown(mean(sums.loss, sums.events))
        recent = shown(mean(sums.recentLoss, sums.recentEvents))
        auc = sums.comparisons > 0 ? sums.wins / sums.comparisons : nil
        recentAUC = sums.recentComparisons > 0 ? sums.recentWins / sums.recentComparisons : nil
    }
}
