import Synchronization

/// Whether live events would have been recommended, as sampled by receivers: hits and NDCG over all probes and over the latest. Any thread.
public final class RankingSample: Sendable {
    /// One model's.
    public struct Report: Sendable, Equatable {
        public var probes = 0.0
        /// Means over all probes, and over the latest (half-life 500 probes).
        public var hits = 0.0
        public var ndcg = 0.0
        public var recentHits = 0.0
        public var recentNDCG = 0.0
    }

    private final class Sums: Sendable {
        // Doubles' bits. Several receivers may add at once; one of them may then be lost, of a sample, seldom.
        let probes = Atomic<UInt64>(0), hits = Atomic<UInt64>(0), ndcg = Atomic<UInt64>(0)
        let recentProbes = Atomic<UInt64>(0), recentHits = Atomic<UInt64>(0), recentNDCG = Atomic<UInt64>(0)
    }
    private let sums: [Sums]
    /// Probes that may still be made.
    private let budget = Atomic<Int>(0)
    private static let keep = 0.99861466  // 2^(-1/500)
    /// 1 / log2(rank + 2)
    private static let gains = [1, 0.63092975, 0.5, 0.43067656, 0.38685281, 0.35620719, 0.33333333, 0.31546488, 0.30103, 0.28906483]

    public init(models: Int) { sums = (0..<models).map { _ in Sums() } }

    /// How many probes may be made from now on.
    public func allow(_ count: Int) { budget.store(count, ordering: .relaxed) }

    /// - Returns: how many of `count` may be made now.
    @inline(__always)
    func take(_ count: Int) -> Int {
        let left = budget.load(ordering: .relaxed)
        guard left > 0 else { return 0 }
        let taken = min(left, count)
        budget.subtract(taken, ordering: .relaxed)
        return taken
    }

    /// - Parameter rank: of the event's item, 0 for the best.
    func add(_ model: Int, rank: Double) {
        let isHit = rank < Double(RankingProbe.depth), gain = isHit ? RankingSample.gains[Int(rank)] : 0, sums = sums[model]
        func add(_ word: borrowing Atomic<UInt64>, _ value: Double, keep: Double = 1) {
            word.store((Double(bitPattern: word.load(ordering: .relaxed)) * keep + value).bitPattern, ordering: .relaxed)
        }
        add(sums.probes, 1)
        add(sums.hits, isHit ? 1 : 0)
        add(sums.ndcg, gain)
        add(sums.recentProbes, 1, keep: RankingSample.keep)
        add(sums.recentHits, isHit ? 1 : 0, keep: RankingSample.keep)
        add(sums.recentNDCG, gain, keep: RankingSample.keep)
    }

    /// Nil before the first probe.
    public func report(_ model: Int) -> Report? {
        let sums = sums[model]
        func read(_ word: borrowing Atomic<UInt64>) -> Double { Double(bitPattern: word.load(ordering: .relaxed)) }
        let probes = read(sums.probes), recent = read(sums.recentProbes)
        guard probes > 0, recent > 0 else { return nil }
        return Report(
            probes: probes, hits: read(sums.hits) / probes, ndcg: read(sums.ndcg) / probes, recentHits: read(sums.recentHits) / recent,
            recentNDCG: read(sums.recentNDCG) / recent)
    }
}

/// Ranks the item of an event, before it is learned, among itself and 99 items drawn uniformly from those that the user has not seen: the leave-one-out
/// protocol of recommendation, on live events. Of positive events of items that the user had not seen; ties count half.
///
/// It reads what answers read and changes nothing that is learned. Belongs to one receiver's thread.
public final class RankingProbe {
    public static let others = 99, depth = 10
    /// Probes of one batch at most: a burst is no better a sample than a trickle.
    private static let perBatch = 4

    private let engine: Engine
    private let scorer: Scorer
    private let sample: RankingSample
    /// Models whose lists mean something: a model of ratings predicts values and not what comes.
    private let models: [Int]
    private var state: UInt64 = 0
    private var items: [UInt32] = []
    private var scores: [Float] = []
    private var features: [(ordinal: UInt32, weight: Float)] = []

    public init(engine: Engine, sample: RankingSample, seed: UInt64) {
        self.engine = engine
        self.sample = sample
        scorer = Scorer(engine: engine, isAlone: true)
        models = engine.models.indices.filter { RankingProbe.ranks(engine.models[$0].settings) }
        state = mix64(seed)
        items.reserveCapacity(RankingProbe.others + 1)
        scores.reserveCapacity(RankingProbe.others + 1)
    }

    /// Whether a model of these settings is probed.
    public static func ranks(_ settings: ModelSettings) -> Bool { settings.loss != .squared || settings.unobserved == .regularized }

    /// Looks at some records of a batch that is about to be sequenced, as far as the sample wants any.
    public func look(_ batch: EventBatch) {
        guard batch.recordCount > 0, !models.isEmpty else { return }
        let count = sample.take(min(RankingProbe.perBatch, batch.recordCount))
        for _ in 0..<count { probe(batch, batch.records[below(batch.recordCount)]) }
    }

    private func below(_ count: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Int(mix64(state).multipliedFullWidth(by: UInt64(count)).high)
    }

    private func probe(_ batch: EventBatch, _ record: EventRecord) {
        guard record.kind == .interaction, record.weight > 0, isPositive(batch, record) else { return }
        let (user, isNews) = scorer.reading { () -> (UInt32, Bool) in
            let user = engine.users.find(record.user), item = engine.items.find(record.item)
            items.removeAll(keepingCapacity: true)
            items.append(item)
            if user != Placement.none, item != Placement.none, engine.shared.userItems.hasSeen(item, user: user) { return (user, false) }
            draw(user, beside: item)
            read(batch, record)
            return (user, true)
        }
        guard isNews, items.count == RankingProbe.others + 1 else { return }
        for model in models {
            scores.removeAll(keepingCapacity: true)
            scorer.score(model: model, user: user, items: items[...], features: features, into: &scores)
            var above = 0.0
            for score in scores.dropFirst() { above += score > scores[0] ? 1 : score == scores[0] ? 0.5 : 0 }
            // What nobody has taken yet is in no list.
            sample.add(model, rank: items[0] == Placement.none ? Double(RankingProbe.others) : above)
        }
    }

    /// Whether the event's type teaches something to be liked. The registry of types is the sequencer's; the rules are settings.
    private func isPositive(_ batch: EventBatch, _ record: EventRecord) -> Bool {
        let name = batch.text(record.type), settings = engine.settings
        let rule = name.count == 0 ? settings.otherEvents : settings.eventTypes[String(decoding: name, as: UTF8.self)] ?? settings.otherEvents
        return rule.weight > 0 && (record.hasValue || !rule.needsValue) && rule.label(value: record.value, hasValue: record.hasValue) > 0
    }

    /// Draws 99 live items that the user has not seen; fewer where there are none. Inside `reading`.
    private func draw(_ user: UInt32, beside item: UInt32) {
        let count = engine.items.count
        guard engine.items.liveCount > RankingProbe.others else { return }
        for _ in 0..<4 * RankingProbe.others where items.count <= RankingProbe.others {
            let other = UInt32(below(count))
            if other == item || engine.items.isOut(other) { continue }
            if user != Placement.none, engine.shared.userItems.hasSeen(other, user: user) { continue }
            items.append(other)
        }
    }

    /// The record's context, as far as the tables know it. Inside `reading`.
    private func read(_ batch: EventBatch, _ record: EventRecord) {
        features.removeAll(keepingCapacity: true)
        let first = Int(record.firstFeature), count = Int(record.featureCount)
        let scale = FeatureCrowd.scale(batch.features, from: first, count: count)
        for entry in batch.features[first..<first + count] {
            guard abs(entry.weight) <= Sequencer.largestFeature, let namespace = engine.fields.namespace(batch.text(entry.field)) else { continue }
            let ordinal = engine.contexts.find(entry.value.placed(in: namespace, hashing: engine.hashing))
            if ordinal != Placement.none { features.append((ordinal, entry.weight * scale)) }
        }
    }
}
