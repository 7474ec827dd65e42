import Factorization
import Glibc
import LinuxSystem
import StreamTools

/// What tables take for a row, and what stays in them when far more ids come than they can hold (`memory/rows`, `memory/budget`).
///
/// These measure bytes and shares, not speed, so that there is no side beside them: the bound stands in the name of the metric.
func budgetBenchmarks(_ plan: Plan) -> [Benchmark] {
    let rows = plan.isLarge ? 10_000_000 : plan.isQuick ? 500_000 : 2_000_000
    let scale = plan.isLarge ? 1 : plan.isQuick ? 32 : 8
    return [
        Benchmark(
            "memory/rows",
            [
                Metric(name: "resident bytes/row", unit: "B", isRate: false), Metric(name: "of factors and state", unit: "×", isRate: false),
                Metric(name: "id bytes/row", unit: "B", isRate: false),
            ], isOnce: true
        ) { Prepared(sides: [Side(name: "engine") { measureRows(rows) }], notes: ["rows": Double(rows)]) },
        Benchmark(
            "memory/budget",
            [
                Metric(name: "resident/budget", unit: "×", isRate: false), Metric(name: "top 1 % of ids held", unit: "share"),
                Metric(name: "top 1 % of rows held", unit: "share"), Metric(name: "new top 1 % of rows held", unit: "share"),
                Metric(name: "draws", unit: "draws/s"), Metric(name: "rows", unit: "rows"),
            ], isOnce: true
        ) {
            Prepared(
                sides: [Side(name: "engine") { measureBudget(scale: scale) }],
                notes: ["draws": 1e9 / Double(scale), "ids": 1e8 / Double(scale), "budget": Double(1 << 30) / Double(scale)])
        },
    ]
}

private func engineSettings(budget: Int) -> EngineSettings {
    let model = ModelSettings(rank: 32, loss: .squared, optimizer: .adagrad, negatives: 0)
    var settings = EngineSettings(
        models: [model], otherEvents: TypeRule(label: .constant(1), weight: 0, marksSeen: false), historyLength: 0, seenLimit: 0)
    settings.memory.budget = budget
    return settings
}

/// Draws of one item each by one user, in batches that are used again.
private final class Draws {
    private let engine: Engine
    private let batch = EventBatch(recordCapacity: 4096, featureCapacity: 1, textCapacity: 16, messageCapacity: 1)
    private let user: Key

    init(_ engine: Engine) {
        self.engine = engine
        user = Key(integer: -1, hashing: engine.hashing)
    }

    /// - Parameter doing: what for, said beside the progress.
    func learn(_ count: Int, _ doing: String, _ item: () -> Int64) {
        var left = count, said = count
        while left > 0 {
            if said - left >= max(count / 20, 1_000_000) {
                said = left
                progress("\(doing): \(Quantity.short(Double(count - left))) of \(Quantity.short(Double(count)))")
            }
            batch.reset()
            for _ in 0..<min(left, 4096) {
                _ = batch.append(EventRecord(kind: .interaction, user: user, item: Key(integer: item(), hashing: engine.hashing)))
            }
            left -= batch.recordCount
            engine.learnNow(batch)
        }
    }
}

/// Resident growth of an engine that learns each of `rows` items once, integer ids, histories off, against what factors,
/// weight and the optimiser's state need.
private func measureRows(_ rows: Int) -> [Double] {
    let engine = Engine(settings: engineSettings(budget: 0)), draws = Draws(engine)
    // The tables' directories and the batch are there whatever the number of rows.
    draws.learn(4096, "first rows") { Int64(engine.items.count) + 1_000_000_007 }
    let before = ResidentMemory.bytes
    var next: Int64 = 0
    draws.learn(rows, "memory/rows") {
        next += 1
        return next &* 7_919
    }
    let growth = Double(ResidentMemory.bytes - before) / Double(rows)
    let needed = Double(32 * 4 + 16)
    return [growth, growth / needed, Double(engine.items.usedBytes) / Double(engine.items.count)]
}

/// 10⁹ Zipf(1) draws over 10⁸ ids into 1 GiB, then 10⁷ with the order of popularity shuffled, all divided by `scale`.
///
/// Of ids drawn so late and so seldom that they were not drawn twice, none can have a row: of the new order only the top 1 %
/// of what the table holds was drawn often enough to tell, of the old one also the top 1 % of all ids.
private func measureBudget(scale: Int) -> [Double] {
    let ids = 100_000_000 / scale, budget = (1 << 30) / scale, base = ResidentMemory.bytes
    var settings = engineSettings(budget: budget)
    // The rarest id of the top comes once in a fifth as many draws as there are ids: counts must last longer than that.
    settings.popularityHalfLife = ids
    let engine = Engine(settings: settings), draws = Draws(engine)
    var zipf = ZipfRanks(ids: ids)
    let started = MonotonicClock.nanoseconds
    draws.learn(1_000_000_000 / scale, "memory/budget") { Int64(zipf.next()) }
    let rate = 1e9 / Double(scale) / (Double(MonotonicClock.nanoseconds - started) / 1e9)
    func held(_ top: Int, _ id: (Int) -> Int64) -> Double {
        let count = (1...top).count { engine.items.find(Key(integer: id($0), hashing: engine.hashing)) != Placement.none }
        return Double(count) / Double(top)
    }
    let ofIds = held(ids / 100) { Int64($0) }, ofRows = held(engine.items.count / 100) { Int64($0) }
    // A permutation: the factor has no divisor in common with the number of ids.
    func shuffled(_ rank: Int) -> Int64 { Int64(rank &* 48_271 % ids + 1) }
    draws.learn(10_000_000 / scale, "memory/budget, shuffled") { shuffled(zipf.next()) }
    return [
        Double(ResidentMemory.bytes - base) / Double(budget), ofIds, ofRows, held(engine.items.count / 100, shuffled), rate,
        Double(engine.items.count),
    ]
}

/// Ranks 1…n by Zipf's law with exponent 1, as `Workload` draws items: P(rank ≤ r) = ln(r + 1) / ln(n + 1).
private struct ZipfRanks {
    private let ids: Int
    private let logIds: Double
    private var drawn: UInt64 = 0

    init(ids: Int) {
        self.ids = ids
        logIds = log(Double(ids) + 1)
    }

    mutating func next() -> Int {
        drawn &+= 1
        return min(ids, Int(exp(Double(mix64(drawn) >> 11) * 0x1p-53 * logIds)))
    }
}
