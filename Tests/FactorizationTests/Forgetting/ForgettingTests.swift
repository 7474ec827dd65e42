import CKernels
import Testing

@testable import Factorization

/// Rows that fade, against 2^(-Δ/h) in double: on touch, by the sweep, as they are read.
@Suite struct ForgettingTests {
    /// Rates of 0: rows change by fading alone.
    private func settings(halfLife: UInt64, history: Int = 0, learns: Bool = false, kind: ModelSettings.Kind = .mf) -> ModelSettings {
        let rate: Float = learns ? 0.1 : 0
        var settings = ModelSettings(
            kind: kind, rank: 6, optimizer: .sgd, rates: .init(user: rate, item: rate, context: rate, weight: rate, history: rate),
            globalRate: rate, l2: .init(user: 0.01, item: 0.01, context: 0.01, weight: 0.01), negatives: 2, history: .init(length: history),
            deviation: 0.3)
        settings.halfLife = halfLife
        return settings
    }

    private func engine(_ settings: ModelSettings) -> Engine { Engine(settings: EngineSettings(models: [settings], queueCapacity: 64)) }

    private func values(_ table: FactorTable, _ ordinal: UInt32) -> [Double] {
        (0..<table.rank).map { Double(table.factors(ordinal)[$0]) } + [Double(fk_read_state(table.state(ordinal)).weight)]
    }

    private func setWeights(_ table: FactorTable, _ count: Int) {
        for ordinal in 0..<UInt32(count) {
            var state = fk_read_state(table.state(ordinal))
            state.weight = 1 + Float(ordinal)
            fk_write_state(table.state(ordinal), state)
        }
    }

    private func power(_ stamps: Double, _ halfLife: UInt64) -> Double {
        var factor = 1.0, rest = stamps / Double(halfLife)
        while rest >= 1 { (factor, rest) = (factor / 2, rest - 1) }
        return factor * exponential(-rest * 0.693147180559945309417)
    }
    /// eˣ by its series: independent of what is tested.
    private func exponential(_ x: Double) -> Double {
        var term = 1.0, sum = 1.0
        for n in 1..<30 {
            term *= x / Double(n)
            sum += term
        }
        return sum
    }

    @Test(arguments: [1, 7, 100, 1000, 1024, 4096, 100_000, 123_456_789, 1 << 40] as [UInt64])
    func factorIsTheFormula(_ events: UInt64) {
        let halfLife = HalfLife(events: events)
        #expect(halfLife.step >= 1 && halfLife.step <= max(1, events / 1024))
        var dice = Dice(Int(events % 1000))
        for _ in 0..<300 {
            let position = UInt64(dice.below(1 << 40)), slept = UInt64(dice.below(Int(min(events, 1 << 40)) * 12))
            let then = halfLife.stamp(position), now = halfLife.stamp(position + slept)
            #expect(then > position && then <= position + halfLife.step && then % halfLife.step == 0)
            let expected = power(Double(now - then), events)
            #expect(abs(Double(halfLife.factor(from: then, to: now)) - expected) <= 1e-6 * expected)
            #expect(halfLife.factor(from: now, to: then) == 1 && halfLife.factor(from: 0, to: now) == 1)
        }
        #expect(halfLife.factor(from: halfLife.stamp(1), to: halfLife.stamp(1) + 65 * events + halfLife.step) == 0)
        #expect(HalfLife(events: 0).factor(from: 1, to: 1 << 50) == 1)
    }

    /// Every row of every group, over a long stream, is its first value times what its time since the first touch leaves.
    @Test(arguments: [0, 3]) func rowsFadeByTheFormula(_ history: Int) {
        let halfLife: UInt64 = 5000, settings = settings(halfLife: halfLife, history: history)
        let engine = engine(settings), model = engine.models[0], plain = self.engine(self.settings(halfLife: 0, history: history))
        let admitted = (0..<60).map { TestEvent(user: Int64($0 % 20), item: Int64($0), context: [TestFeature(field: "f", value: Int64($0 % 4))]) }
        for other in [engine, plain] {
            other.learn(admitted)
            for table in [other.models[0].users, other.models[0].items] { setWeights(table, table === other.models[0].users ? 20 : 60) }
        }
        let tables = model.groups.filter { $0.table.stamps != nil }
        let counts = tables.map { engine.rowCount($0.side) }
        let first = zip(tables, counts).map { group, count in (0..<UInt32(count)).map { group.table.stamps![$0] } }
        let start = zip(tables, counts).map { group, count in (0..<UInt32(count)).map { values(group.table, $0) } }
        engine.learn(randomEvents(30_000, users: 15, items: 50, context: 2, seed: 4))
        var faded = 0
        for (number, group) in tables.enumerated() {
            for ordinal in 0..<UInt32(counts[number]) {
                let row = Int(ordinal), stamp = group.table.stamps![ordinal]
                guard first[number][row] != 0 else { continue }
                let factor = power(Double(stamp - first[number][row]), halfLife)
                faded += factor < 0.9 ? 1 : 0
                for (value, before) in zip(values(group.table, ordinal), start[number][row]) {
                    #expect(abs(value - before * factor) <= 2e-5 * abs(before * factor) + 1e-9, "\(group.name) \(ordinal)")
                }
            }
        }
        #expect(faded > 50)
        // Users who are gone are not touched: they fade as they are read.
        #expect(model.users.stamps![engine.user(19)] < 1000)
        #expect(plain.models[0].users.stamps == nil && plain.models[0].items.stamps == nil)
    }

    @Test func sweepKeepsWhatIsScannedNear() {
        for (halfLife, items) in [(2000, 50), (64_000, 50), (2000, 700), (640, 700)] as [(UInt64, Int)] {
            let engine = engine(settings(halfLife: halfLife, history: 3)), model = engine.models[0]
            engine.learn((0..<items).map { TestEvent(user: 1, item: Int64($0)) })
            engine.describe(item: 5, [TestFeature(field: "genre", value: 3)])
            engine.learn([TestEvent(user: 1, item: 5)])
            // Others come back never; a draw may touch them.
            engine.learn((0..<9000).map { TestEvent(user: Int64($0 % 7), item: Int64($0 % 3)) })
            let now = model.halfLife.stamp(engine.appliedPosition)
            for table in [model.items, model.histories!, model.itemAttributes] {
                let stamps = table.stamps!, (rows, period) = Learner.round(reach: stamps.reach, halfLife: halfLife)
                #expect(rows >= UInt64(stamps.reach) && rows < 2 * UInt64(stamps.reach))
                #expect(period <= max(halfLife / 32, rows / 16) && rows / period <= 16)
                for ordinal in 0..<stamps.reach where stamps[ordinal] != 0 {
                    #expect(now - stamps[ordinal] <= period + model.halfLife.step, "\(ordinal) of \(rows), \(halfLife)")
                }
            }
        }
    }

    /// What is read of a user who slept is what the next touch makes of the rows.
    @Test(arguments: [ModelSettings.Kind.mf, .fm, .gfm, .bilinear]) func readingIsTouching(_ kind: ModelSettings.Kind) {
        let engine = engine(settings(halfLife: 4096, history: 3, kind: kind)), scorer = Scorer(engine: engine), model = engine.models[0]
        let context = TestFeature(field: "f", value: 1, weight: 0.7)
        engine.learn([TestEvent(user: 1, item: 1, context: [context]), TestEvent(user: 1, item: 2)])
        setWeights(model.users, 1)
        engine.describe(user: 1, [TestFeature(field: "age", value: 3)])
        engine.learn([TestEvent(user: 1, item: 1, context: [context])])
        engine.learn((0..<5000).map { TestEvent(user: 2 + Int64($0 % 3), item: 3 + Int64($0 % 4)) })
        while model.halfLife.stamp(engine.appliedPosition) != model.halfLife.stamp(engine.appliedPosition + 1) {
            engine.learn([TestEvent(user: 2, item: 3)])
        }
        let user = engine.user(1), item = engine.item(3)
        let features = [(ordinal: engine.context(context), weight: Float(0.7))]
        let side = UserSide(model: model)
        func folded(fadedAt now: UInt64? = nil) -> [Float] {
            side.start(user: user, userItems: engine.shared.userItems)
            side.append(ResolvedFeature(ordinal: features[0].ordinal, weight: features[0].weight))
            if let now { side.fade(now: now) }
            return [side.fold()] + (0..<model.width).map { side.query[$0] }
        }
        let state = MemoryState(engine), stored = folded(), read = folded(fadedAt: model.halfLife.stamp(engine.appliedPosition))
        let score = scorer.score(user: user, items: [item], features: features)[0]
        _ = scorer.recommend(RecommendQuery(user: user, features: features, count: 3))
        #expect(MemoryState(engine).differences(state) == [], "reading wrote")
        let dot = model.kernels.dot(side.query, model.items.factors(item), model.width)
        #expect(abs(score - (read[0] + fk_read_state(model.items.state(item)).weight + dot)) <= 1e-5)
        engine.learn([TestEvent(user: 1, item: 9, context: [context])])
        // The event has moved the history on; what was read is compared.
        engine.shared.userItems.undo(engine.item(9), user: user)
        let touched = folded()
        for (a, b) in zip(read, touched) { #expect(abs(a - b) <= 1e-5 * max(abs(a), 0.01), "\(read) \(touched)") }
        let differ = zip(read, stored).contains { abs($0 - $1) > 0.1 * abs($1) }
        #expect(differ, "the rows did not sleep")
    }

    @Test(arguments: [ModelSettings.Unobserved.sampled, .regularized]) func aSavedStateGoesOnBitForBit(_ unobserved: ModelSettings.Unobserved) throws {
        var model = settings(halfLife: 3000, history: 4, learns: true)
        model.unobserved = unobserved
        model.negatives = unobserved == .sampled ? 2 : 0
        model.refolding = .init(after: 60, items: 8, rate: 0.05, isLasting: true)
        var settings = EngineSettings(models: [model], queueCapacity: 64, historyLength: 12)
        settings.historyBudget = 64 * 1024
        let whole = Engine(settings: settings), first = Engine(settings: settings), second = Engine(settings: settings)
        let all = randomEvents(6000, users: 90, items: 120, seed: 8)
        whole.learn(all)
        first.learn(Array(all[..<2500]))
        try second.restore(from: MemoryState(first))
        #expect(MemoryState(second).differences(MemoryState(first)) == [])
        second.learn(Array(all[2500...]))
        #expect(MemoryState(second).differences(MemoryState(whole)) == [])
        #expect(whole.refolded(0) > 100)
    }

    @Test func switchedOnLaterItStartsFromNow() throws {
        let engine = engine(settings(halfLife: 0, learns: true))
        engine.learn(randomEvents(500, context: 0, seed: 3))
        let other = self.engine(settings(halfLife: 800, learns: true))
        try other.restore(from: MemoryState(engine))
        #expect(other.models[0].items.stamps!.reach == 0)
        other.learn(randomEvents(5000, context: 0, seed: 4))
        let back = self.engine(settings(halfLife: 0, learns: true))
        try back.restore(from: MemoryState(other))
        #expect(back.appliedPosition == 5500)
    }

    /// G stays the exact sum over rows that fade.
    @Test func gramFollowsRowsThatFade() {
        var settings = settings(halfLife: 2000, learns: true)
        settings.unobserved = .regularized
        settings.negatives = 0
        let engine = engine(settings), model = engine.models[0], state = model.grams!, width = state.width
        engine.learn(randomEvents(6000, users: 30, items: 200, context: 0, seed: 2))
        var exact = [Float](repeating: 0, count: width * width)
        for item in 0..<UInt32(engine.items.count) { model.kernels.rankOne(&exact, 1, model.items.factors(item), 1, width) }
        let size = exact.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let error = (0..<(width * width)).reduce(Float(0)) { $0 + (exact[$1] - state.items[$1]) * (exact[$1] - state.items[$1]) }.squareRoot()
        #expect(error <= 1e-4 * size)
    }
}
