import CKernels
import Synchronization
import Testing

@testable import Factorization

/// Users' rows led past the held history again: the pass against its definition in double, on read and lastingly.
@Suite struct RefoldingTests {
    /// The user's rate is 0, so that a lasting fold can be told from the step of the event that set it off.
    private func settings(_ unobserved: ModelSettings.Unobserved = .sampled, history: Int = 3, userRate: Float = 0) -> ModelSettings {
        var settings = ModelSettings(
            rank: 6, optimizer: .sgd, rates: .init(user: userRate, item: 0.15, context: 0.1, weight: 0.1, history: 0.1),
            l2: .init(user: 0.01, item: 0.001, context: 0.001, weight: 0.001), negatives: unobserved == .sampled ? 3 : 0,
            unobserved: unobserved, interaction: .init(user: 4, item: 2), history: .init(length: history), deviation: 0.3)
        settings.refolding = .init(after: 200, items: 8, rate: 0.12, isLasting: true)
        return settings
    }

    /// User 1 took items, then slept while others moved the item side.
    private func slept(_ settings: ModelSettings, items count: Int = 12, events: Int = 1000, describesItems: Bool = false) -> Engine {
        let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 64, historyLength: 10))
        engine.learn(randomEvents(400, users: 10, items: 40, context: 0, values: 1...1, seed: 1).map {
            var event = $0
            event.user += 2
            return event
        })
        engine.describe(user: 1, [TestFeature(field: "age", value: 3, weight: 0.6)])
        for item in 0..<40 as Range<Int64> where describesItems && item % 4 > 0 {
            engine.describe(item: item, [TestFeature(field: "genre", value: item % 4, weight: 0.7), TestFeature(field: "tag", value: item % 5)])
        }
        engine.learn((0..<count).map { TestEvent(user: 1, item: Int64($0 * 3 % 40)) })
        engine.learn(randomEvents(events, users: 10, items: 45, context: 0, values: 1...1, seed: 5).map {
            var event = $0
            event.user += 2
            return event
        })
        return engine
    }

    private func vector(_ table: FactorTable, _ ordinal: UInt32) -> [Double] { (0..<table.rank).map { Double(table.factors(ordinal)[$0]) } }
    private func weight(_ table: FactorTable, _ ordinal: UInt32) -> Double { Double(fk_read_state(table.state(ordinal)).weight) }
    private func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    private func sigmoid(_ x: Double) -> Double { 1 / (1 + exponential(-x)) }
    private func exponential(_ x: Double) -> Double {
        if x < 0 { return 1 / exponential(-x) }
        if x > 1 { return exponential(x / 2) * exponential(x / 2) }
        return (1..<25).reduce((1.0, 1.0)) { ($0.0 * x / Double($1), $0.1 + $0.0 * x / Double($1)) }.1
    }

    /// An item's side: its row and those of its attributes.
    private func side(_ engine: Engine, _ item: UInt32) -> (q: [Double], weight: Double) {
        let model = engine.models[0]
        var q = vector(model.items, item), weight = weight(model.items, item)
        for feature in engine.attributes(item: item) {
            weight += Double(feature.weight) * self.weight(model.itemAttributes, feature.ordinal)
            for f in q.indices { q[f] += Double(feature.weight) * vector(model.itemAttributes, feature.ordinal)[f] }
        }
        return (q, weight)
    }

    /// The pass as `Refolding` defines it.
    private func reference(_ engine: Engine, _ user: UInt32) -> [Double] {
        let model = engine.models[0], settings = model.settings, refolding = settings.refolding, rank = settings.rank
        var held = [UInt32](repeating: 0, count: 100)
        held = Array(held[..<held.withUnsafeMutableBufferPointer { engine.shared.userItems.history(of: user, into: $0) }])
        func left(_ table: FactorTable, _ ordinal: UInt32) -> Double {
            Double(model.halfLife.factor(from: table.stamps?[ordinal] ?? 0, to: model.halfLife.stamp(engine.appliedPosition)))
        }
        let kept = left(model.users, user)
        var row = vector(model.users, user).map { kept * $0 }, constant = Double(model.bias) + kept * weight(model.users, user)
        var described = [Double](repeating: 0, count: rank)
        for feature in engine.attributes(user: user) {
            let x = Double(feature.weight) * left(model.userAttributes, feature.ordinal)
            constant += x * weight(model.userAttributes, feature.ordinal)
            for f in 0..<rank { described[f] += x * vector(model.userAttributes, feature.ordinal)[f] }
        }
        let word = mix64(mix64(settings.seed ^ model.users.stamps![user]) &+ UInt64(user)), eta = Double(refolding.rate)
        for place in (0..<min(held.count, refolding.items)).reversed() {
            let older = held[(place + 1)...].prefix(settings.history.length)
            var p = zip(row, described).map(+)
            let weights = (0..<older.count).map { j in (0..<j).reduce(1.0) { x, _ in x * Double(settings.history.decay) } }
            let s = 1 / max(weights.reduce(0, +), 1e-30).squareRoot()
            for (x, item) in zip(weights, older) { for f in 0..<rank { p[f] += s * x * vector(model.histories!, item)[f] } }
            let start = p
            if model.settings.unobserved == .regularized, let state = model.grams {
                let gram = (0..<rank).map { r in (0..<rank).map { Double(state.items[r * state.width + $0]) } }
                p = solved(gram, eta * Double(settings.interaction.user) / Double(engine.items.count), p)
                let q = side(engine, held[place]).q
                let e = (dot(p, q) - 1) / (1 + eta * dot(q, q))
                for f in 0..<rank { row[f] += p[f] - start[f] - eta * (e * q[f] + Double(settings.l2.user) * row[f]) }
                continue
            }
            var pass = [(held[place], 1.0)]
            for draw in 0..<settings.negatives {
                let drawn = NegativeDraws(seed: settings.seed).item(mix64(word &+ UInt64(place)), draw, of: UInt64(engine.items.count))
                if drawn != held[place] && !engine.shared.userItems.hasSeen(drawn, user: user) { pass.append((drawn, 0)) }
            }
            for (item, y) in pass {
                let (q, weight) = side(engine, item), e = sigmoid(constant + weight + dot(p, q)) - y
                for f in 0..<rank { p[f] -= eta * e * q[f] }
            }
            for f in 0..<rank { row[f] += p[f] - start[f] - eta * Double(settings.l2.user) * Double(pass.count) * row[f] }
        }
        return row
    }

    /// (I + a G) x = b by elimination; the matrix is positive definite.
    private func solved(_ gram: [[Double]], _ a: Double, _ b: [Double]) -> [Double] {
        let n = b.count
        var rows = (0..<n).map { r in (0..<n).map { a * gram[r][$0] + (r == $0 ? 1 : 0) } + [b[r]] }
        for c in 0..<n {
            for r in 0..<n where r != c {
                let f = rows[r][c] / rows[c][c]
                for k in c...n { rows[r][k] -= f * rows[c][k] }
            }
        }
        return (0..<n).map { rows[$0][n] / rows[$0][$0] }
    }

    @Test(arguments: [ModelSettings.Unobserved.sampled, .regularized], [(0, 12, false, 0), (3, 12, false, 0), (3, 2, true, 0), (8, 9, true, 3000)])
    func thePassIsTheDefinedOne(
        _ unobserved: ModelSettings.Unobserved, _ form: (history: Int, items: Int, describesItems: Bool, halfLife: UInt64)
    ) throws {
        var settings = settings(unobserved, history: form.history, userRate: 0.1)
        settings.halfLife = form.halfLife
        // Large enough to be seen beside what a solve leaves.
        if unobserved == .regularized { settings.l2.user = 0.2 }
        let engine = slept(settings, items: form.items, describesItems: form.describesItems), model = engine.models[0], user = engine.user(1)
        let stamp = model.users.stamps![user], before = vector(model.users, user), expected = reference(engine, user)
        let state = MemoryState(engine), refolding = try #require(Refolding(model: model, held: 10))
        #expect(refolding.isStale(stamp: stamp, at: engine.appliedPosition))
        let folded = try #require(
            refolding.fold(user: user, stamp: stamp, now: model.halfLife.stamp(engine.appliedPosition), catalogue: UInt32(engine.items.count), userItems: engine.shared.userItems))
        let got = (0..<model.settings.rank).map { Double(folded.factors[$0]) }
        let moved = zip(expected, before).map { $0 - $1 }, size = dot(moved, moved).squareRoot()
        // Solves stop at a relative residual of 1e-3.
        for f in got.indices { #expect(abs(got[f] - expected[f]) <= (unobserved == .sampled ? 1e-5 : 1e-2) * size, "\(got) \(expected)") }
        #expect(size > 1e-3 && MemoryState(engine).differences(state) == [])
    }

    @Test func answersFoldInScratchAndTheNextEventLastingly() {
        let engine = slept(settings()), model = engine.models[0], user = engine.user(1), scorer = Scorer(engine: engine)
        let expected = reference(engine, user), state = MemoryState(engine)
        let items = (0..<UInt32(engine.items.count)).map { $0 }
        let scores = scorer.score(user: user, items: items)
        #expect(scores == scorer.score(user: user, items: items))
        let side = UserSide(model: model)
        side.start(user: user, userItems: engine.shared.userItems)
        let constant = side.fold(), stored = vector(model.users, user)
        for item in items {
            let q = vector(model.items, item), plain = Double(constant) + weight(model.items, item) + dot((0..<6).map { Double(side.query[$0]) }, q)
            #expect(abs(Double(scores[Int(item)]) - (plain + dot(expected, q) - dot(stored, q))) <= 1e-4)
        }
        let best = scorer.recommend(RecommendQuery(user: user, count: 5, excludesSeen: false)).items
        #expect(best.map(\.item) == Array(items.sorted { scores[Int($0)] > scores[Int($1)] }.prefix(5)))
        #expect(MemoryState(engine).differences(state) == [])
        let others = engine.refolded(0)
        engine.learn([TestEvent(user: 1, item: 4)])
        #expect(engine.refolded(0) == others + 1)
        for (got, value) in zip(vector(model.users, user), expected) {
            // The event's own step of a user with rate 0 leaves the row.
            #expect(abs(got - value) <= 1e-4)
        }
        // Fresh now: read as it lies.
        engine.learn([TestEvent(user: 1, item: 5)])
        #expect(engine.refolded(0) == others + 1)
    }

    /// What the pass leaves alone of a row that fades, its weight, fades all the same; and a folded row keeps within the cap.
    @Test func aLastingFoldFadesTheWeightAndKeepsTheCap() {
        var settings = settings(history: 0)
        settings.rates.weight = 0
        settings.halfLife = 1000
        settings.normCap = 0.25
        let engine = slept(settings), model = engine.models[0], user = engine.user(1)
        fk_first_factors(model.users.factors(user), model.users.rank, model.users.width, 3, 0.6)
        var state = fk_read_state(model.users.state(user))
        state.weight = 1
        fk_write_state(model.users.state(user), state)
        let stamp = model.users.stamps![user], others = engine.refolded(0), refolding = Refolding(model: model, held: 10)!
        // The next event caps a row too: look at what the fold gives.
        let folded = refolding.fold(
            user: user, stamp: stamp, now: model.halfLife.stamp(engine.appliedPosition), catalogue: UInt32(engine.items.count),
            userItems: engine.shared.userItems)!
        let size = model.kernels.dot(folded.factors, folded.factors, model.width).squareRoot()
        #expect(size <= 0.25001 && size > 0.2)
        engine.learn([TestEvent(user: 1, item: 4)])
        let factor = model.halfLife.factor(from: stamp, to: model.users.stamps![user])
        #expect(engine.refolded(0) == others + 1 && abs(weight(model.users, user) - Double(factor)) <= 1e-5 && factor < 0.6)
    }

    /// A sparse row whose weight is zero keeps no factors, and the pass gives it none.
    @Test func aRowWithoutFactorsIsNotFolded() {
        var settings = settings()
        settings.steps.ftrl = .init(l1: 1000, sparseFactors: true)
        let engine = slept(settings), model = engine.models[0], user = engine.user(1), refolding = Refolding(model: model, held: 10)!
        let folded = refolding.fold(
            user: user, stamp: model.users.stamps![user], now: engine.appliedPosition, catalogue: UInt32(engine.items.count), userItems: engine.shared.userItems)
        #expect(folded == nil && engine.refolded(0) == 0)
    }

    @Test func onlyPastTheThreshold() {
        for (events, isStale) in [(199, false), (200, false), (201, true)] {
            let engine = slept(settings(), events: events), model = engine.models[0], user = engine.user(1)
            let refolding = Refolding(model: model, held: 10)!
            #expect(refolding.isStale(stamp: model.users.stamps![user], at: engine.appliedPosition) == isStale, "\(events)")
        }
        let off = Engine(settings: EngineSettings(models: [ModelSettings()]))
        #expect(off.models[0].users.stamps == nil && Refolding(model: off.models[0], held: 10) == nil)
    }

    /// Without lasting folds an event learns from the row as it lies, and only answers fold.
    @Test func withoutLastingOnlyAnswersFold() {
        var answering = settings()
        answering.refolding.isLasting = false
        let engine = slept(answering), user = engine.user(1), row = vector(engine.models[0].users, user)
        let plain = slept({ var settings = settings(); settings.refolding.after = 0; return settings }())
        let items: [UInt32] = [0, 1, 2, 3]
        #expect(vector(plain.models[0].users, plain.user(1)) == row)
        let folded = Scorer(engine: engine).score(user: user, items: items), asStored = Scorer(engine: plain).score(user: user, items: items)
        #expect(zip(folded, asStored).map { abs($0 - $1) }.max()! > 1e-3)
        for other in [engine, plain] { other.learn([TestEvent(user: 1, item: 4)]) }
        #expect(vector(engine.models[0].users, user) == vector(plain.models[0].users, user) && engine.refolded(0) == 0)
        #expect(Scorer(engine: engine).score(user: user, items: items) == Scorer(engine: plain).score(user: user, items: items))
    }

    @Test func nobodyKnownAndNothingHeld() {
        let engine = slept(settings()), scorer = Scorer(engine: engine)
        let anonymous = scorer.score(user: Placement.none, items: [0, 1]), user = engine.user(1)
        let builder = BatchBuilder(engine)
        builder.append(.undo, user: 1, item: 0)
        builder.append(.forgetUser, user: 1)
        engine.learnNow(builder.batch)
        #expect(engine.models[0].users.stamps![user] == 0 && engine.user(1) == Placement.none)
        let forgotten = scorer.score(user: user, items: [0, 1])
        for score in anonymous + forgotten { #expect(score.isFinite) }
    }

    /// Answers that fold while a trainer writes rows, histories and stamps: for the thread sanitizer, and no value may be bad.
    @Test(arguments: [ModelSettings.Unobserved.sampled, .regularized]) func readersFoldWhileATrainerLearns(_ unobserved: ModelSettings.Unobserved) {
        var model = settings(unobserved, userRate: 0.1)
        model.refolding.after = 20
        model.halfLife = 5000
        var settings = EngineSettings(models: [model], queueCapacity: 64, historyLength: 12)
        settings.historyBudget = 64 << 10
        let engine = Engine(settings: settings), done = Atomic<Bool>(false), bad = Atomic<Int>(0)
        engine.learn(randomEvents(300, users: 200, items: 60, context: 0, seed: 1))
        let writer: @Sendable () -> Void = {
            for round in 0..<30 { engine.learn(randomEvents(400, users: 200, items: 60, context: 0, seed: round)) }
            done.store(true, ordering: .releasing)
        }
        let reader: @Sendable () -> Void = {
            let scorer = Scorer(engine: engine)
            var user: UInt32 = 0
            repeat {
                user = (user + 1) % UInt32(engine.users.count)
                let scores = scorer.score(user: user, items: [0, 1, 2]) + scorer.recommend(RecommendQuery(user: user, count: 3)).items.map(\.score)
                if !scores.allSatisfy(\.isFinite) { bad.add(1, ordering: .relaxed) }
            } while !done.load(ordering: .acquiring)
        }
        onThreads([writer, reader, reader])
        #expect(bad.load(ordering: .relaxed) == 0)
    }
}
