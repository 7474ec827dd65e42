import CKernels
import Synchronization
import Testing

@testable import Factorization

/// Models whose tables hold bfloat16s.
@Suite struct StorageTests {
    private func engine(_ settings: ModelSettings, _ storage: ModelSettings.Storage = .bfloat16, kernels: Kernels = .best) -> Engine {
        var settings = settings
        settings.storage = storage
        return Engine(settings: EngineSettings(models: [settings], queueCapacity: 256, historyLength: 8), kernels: kernels)
    }

    private func describe(_ engine: Engine) {
        for item in 0..<12 as Range<Int64> where item % 3 > 0 {
            engine.describe(item: item, [TestFeature(field: "genre", value: item % 2), TestFeature(field: "tag", value: item % 4, weight: 0.8)])
        }
        for user in [0, 2] as [Int64] { engine.describe(user: user, [TestFeature(field: "club", value: user), TestFeature(field: "age", value: 0, weight: 0.6)]) }
    }

    /// Gives `other`, which holds floats, all that `engine` has learned.
    private func copy(_ engine: Engine, to other: Engine) {
        let from = engine.models[0], to = other.models[0]
        for (a, b) in zip(from.groups, to.groups) {
            for ordinal in 0..<UInt32(engine.rowCount(a.side)) {
                a.table.withCopy(ordinal, from.kernels) { b.table.factors(ordinal).update(from: $0, count: a.table.stride) }
                fk_write_state(b.table.state(ordinal), fk_read_state(a.table.state(ordinal)))
                if let sums = a.table.accumulators(ordinal) { b.table.accumulators(ordinal)!.update(from: sums, count: a.table.stride) }
                if let z = a.table.linear(ordinal).z { b.table.linear(ordinal).z!.pointee = z.pointee }
            }
        }
        if let parameters = from.parameters {
            to.parameters!.floats(0).update(from: parameters.floats(0), count: parameters.count)
            to.parameters!.accumulators(0).update(from: parameters.accumulators(0), count: parameters.count)
            for block in parameters.blocks.indices { to.parameters!.state(block).pointee = parameters.state(block).pointee }
        }
        to.global.pointee.bias.store(from.global.pointee.bias.load(ordering: .relaxed), ordering: .relaxed)
        to.global.pointee.accumulator.store(from.global.pointee.accumulator.load(ordering: .relaxed), ordering: .relaxed)
        other.settleGlobalBias()
    }

    /// Every row is that of the engine with floats, each factor rounded to one of its neighbours.
    /// - Returns: factors that have moved from what `before` says, and the sum of their errors in places.
    private func compare(_ engine: Engine, _ exact: Engine, before: [[Float]], _ what: String) -> (moved: Int, error: Double) {
        let a = engine.models[0], b = exact.models[0]
        var moved = 0, sum = 0.0, row = 0, bad = 0
        for (one, other) in zip(a.groups, b.groups) {
            for ordinal in 0..<UInt32(engine.rowCount(one.side)) {
                let was = before[row], wanted = other.table.factors(ordinal)
                row += 1
                one.table.withCopy(ordinal, a.kernels) { got in
                    for f in 0..<one.table.stride {
                        let place = Float(bitPattern: wanted[f].bitPattern & 0x7F80_0000) / 128
                        if !(abs(got[f] - wanted[f]) <= place * 1.001 + 1e-4 * abs(wanted[f] - was[f]) + 1e-7) { bad += 1 }
                        guard wanted[f] != was[f] else {
                            if got[f] != was[f] { bad += 1 }
                            continue
                        }
                        moved += 1
                        sum += place > 0 ? Double((got[f] - wanted[f]) / place) : 0
                    }
                }
                let x = fk_read_state(one.table.state(ordinal)), y = fk_read_state(other.table.state(ordinal))
                for (x, y) in [(x.weight, y.weight), (x.factor_accumulator, y.factor_accumulator), (x.weight_accumulator, y.weight_accumulator)]
                where !(abs(x - y) <= 1e-4 * abs(y) + 1e-6) { bad += 1 }
                if x.updates != y.updates { bad += 1 }
            }
        }
        #expect(bad == 0, "\(what): \(bad) values")
        return (moved, sum)
    }

    private func rows(_ engine: Engine) -> [[Float]] {
        engine.models[0].groups.flatMap { group in
            (0..<UInt32(engine.rowCount(group.side))).map { ordinal in
                group.table.withCopy(ordinal, engine.models[0].kernels) { row in (0..<group.table.stride).map { row[$0] } }
            }
        }
    }

    /// An event does to rows what it does to rows of floats: every kind, loss and optimiser, with context, history and
    /// attributes, rows met twice included.
    @Test(arguments: KindCase.all) func stepsAreThoseOfFloatsRounded(_ kind: KindCase) {
        for (variant, optimizer) in zip(Kernels.Variant.allCases, ModelSettings.Optimizer.allCases) {
            let kernels = Kernels(variant) ?? .best
            for (history, isDescribed) in [(0, false), (4, true)] {
                var settings = kind.settings(optimizer, history: history, negatives: 5)
                settings.rates = .init(user: 0.05, item: 0.05, context: 0.05, weight: 0.05, history: 0.05, attribute: 0.03)
                let half = engine(settings, kernels: kernels), exact = engine(settings, .float32, kernels: kernels)
                var moved = 0, error = 0.0
                for engine in [half, exact] {
                    engine.learn(randomEvents(60, users: 4, items: 12, context: 2, values: 0.2...1, seed: 7))
                    if isDescribed { describe(engine) }
                }
                for event in randomEvents(25, users: 4, items: 12, context: history > 0 ? 2 : 0, values: 0.2...1, seed: 8) {
                    copy(half, to: exact)
                    let before = rows(half)
                    for engine in [half, exact] { engine.learn([event]) }
                    let result = compare(half, exact, before: before, "\(optimizer) history \(history)")
                    moved += result.moved
                    error += result.error
                }
                #expect(moved > 200, "\(optimizer): \(moved)")
                // An error of a place is drawn anew for each; its deviation is at most half a place.
                #expect(abs(error) < 2.5 * Double(moved).squareRoot(), "\(optimizer): \(error) of \(moved)")
            }
        }
    }

    /// Steps of a fiftieth of a place: to the nearest, nothing would ever move.
    @Test func smallStepsCountInTheLongRun() {
        let settings = ModelSettings(
            rank: 8, loss: .squared, optimizer: .sgd, rates: .init(user: 1e-4, item: 1e-4, context: 0, weight: 0), globalRate: 0,
            l2: .init(user: 0, item: 0, context: 0, weight: 0), negatives: 0, deviation: 0.5)
        let exact = engine(settings, .float32)
        let half = engine(settings)
        for engine in [half, exact] { for _ in 0..<20 { engine.learn((0..<1000).map { _ in TestEvent(user: 1, item: 1, value: 2) }) } }
        let scores = [half, exact].map { Scorer(engine: $0).score(user: 0, items: [0])[0] }
        #expect(scores[1] > 1 && abs(scores[0] / scores[1] - 1) < 0.15, "\(scores)")
    }

    @Test(arguments: KindCase.all) func aSnapshotGoesOnBitForBit(_ kind: KindCase) throws {
        for optimizer in ModelSettings.Optimizer.allCases {
            var settings = kind.settings(optimizer)
            if kind.kind == .mf && kind.loss == .logistic && optimizer == .sgd { settings.refolding = .init(after: 20, items: 6, isLasting: true) }
            let one = engine(settings), other = engine(settings)
            describe(one)
            one.learn(randomEvents(150, users: 9, items: 30, seed: 2))
            let state = MemoryState(one)
            try other.restore(from: state)
            #expect(state.differences(MemoryState(other)) == [])
            for engine in [one, other] { engine.learn(randomEvents(100, users: 12, items: 35, seed: 3)) }
            #expect(MemoryState(one).differences(MemoryState(other)) == [])
            #expect(one.nonFiniteValues() == 0 && (settings.refolding.after == 0 || one.refolded(0) > 0))
        }
    }

    @Test func aRowHasTwoBytesAFactorInMemoryAndInASnapshot() {
        let half = engine(ModelSettings(rank: 20)), whole = engine(ModelSettings(rank: 20), .float32)
        for engine in [half, whole] { engine.learn(randomEvents(50, users: 3, items: 5, context: 0, seed: 1)) }
        #expect(half.models[0].rowBytes("items") == 24 * 2 + 16 && whole.models[0].rowBytes("items") == 24 * 4 + 16)
        for (engine, store, rowBytes) in [(half, "bfloats", 48), (whole, "factors", 96)] {
            let saved = MemoryState(engine).sections.filter { $0.key.hasPrefix("model/main/items/\(store)/") }
            #expect(saved.values.reduce(0) { $0 + $1.count } == engine.items.count * rowBytes)
        }
    }

    @Test func anotherStorageIsRefusedByName() {
        for (saved, now) in [(ModelSettings.Storage.float32, ModelSettings.Storage.bfloat16), (.bfloat16, .float32)] {
            let engine = engine(ModelSettings(rank: 8), saved), other = self.engine(ModelSettings(rank: 8), now)
            engine.learn(randomEvents(20, seed: 1))
            #expect(throws: StateError.changed(key: "models.main.storage", saved: saved.rawValue, now: now.rawValue)) {
                try other.restore(from: MemoryState(engine))
            }
        }
    }

    /// What answers read is the rows widened: an engine with floats that has them says the same.
    @Test(arguments: KindCase.kinds) func answersAreThoseOfTheRowsWidened(_ kind: KindCase) {
        let half = engine(kind.settings(history: 4)), exact = engine(kind.settings(history: 4), .float32)
        for engine in [half, exact] {
            describe(engine)
            engine.learn(randomEvents(200, users: 6, items: 40, context: 2, seed: 11))
        }
        copy(half, to: exact)
        let scorer = Scorer(engine: half), other = Scorer(engine: exact), items = (0..<UInt32(half.items.count)).map { $0 }
        for user in 0..<UInt32(half.users.count) {
            let features = [(ordinal: UInt32(0), weight: Float(0.7))]
            let scores = scorer.score(user: user, items: items, features: features)
            for (a, b) in zip(scores, other.score(user: user, items: items, features: features)) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
            let best = scorer.recommend(RecommendQuery(user: user, features: features, count: 5, excludesSeen: false)).items
            let sorted = zip(items, scores).map { ScoredItem(item: $0, score: $1) }.sorted { $0.score != $1.score ? $0.score > $1.score : $0.item < $1.item }
            #expect(best == Array(sorted.prefix(5)))
        }
    }

    /// A stale user's answer is folded from the held history; the same from the rows widened.
    @Test func foldsForAnAnswerReadRowsWidened() {
        var settings = KindCase(kind: .mf).settings(.sgd, history: 4)
        settings.refolding = .init(after: 10, items: 6, rate: 0.1)
        let half = engine(settings), exact = engine(settings, .float32)
        for engine in [half, exact] {
            describe(engine)
            engine.learn(randomEvents(100, users: 6, items: 40, context: 0, seed: 11))
            engine.learn((0..<40).map { _ in TestEvent(user: 5, item: 1, value: 1) })
        }
        copy(half, to: exact)
        let items = (0..<UInt32(half.items.count)).map { $0 }
        var folded = 0
        for user in 0..<UInt32(half.users.count) {
            let one = Scorer(engine: half).score(user: user, items: items), other = Scorer(engine: exact).score(user: user, items: items)
            for (a, b) in zip(one, other) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
            let stamp = half.models[0].users.stamps![user]
            folded += stamp > 0 && half.models[0].halfLife.stamp(half.appliedPosition) > stamp + 10 ? 1 : 0
        }
        #expect(folded > 2)
    }

    @Test func aBadRowIsFoundAndMended() {
        let engine = engine(ModelSettings(rank: 8, negatives: 2))
        engine.learn(randomEvents(50, users: 3, items: 5, context: 0, seed: 1))
        let table = engine.models[0].items, bad = engine.item(2)
        table.rows.halves(bad)[3] = 0x7FC0
        #expect(engine.nonFiniteValues() == 1)
        engine.learn([TestEvent(user: 1, item: 2, value: 1)])
        #expect(engine.nonFiniteValues() == 0 && engine.caps(0).rejected > 0)
        #expect((0..<8).contains { table.rows.halves(bad)[$0] != 0 })
    }

    @Test(arguments: ModelSettings.Kind.allCases) func paddingStaysZero(_ kind: ModelSettings.Kind) {
        for rank in [1, 5, 9, 12] {
            let engine = engine(ModelSettings(kind: kind, rank: rank, negatives: 3, deviation: 0.3))
            engine.learn(randomEvents(60, users: 3, items: 5, seed: rank))
            for (_, side, table) in engine.models[0].groups {
                for ordinal in 0..<UInt32(engine.rowCount(side)) {
                    for f in table.rank..<table.width { #expect(table.rows.halves(ordinal)[f] == 0) }
                }
            }
        }
    }
}
