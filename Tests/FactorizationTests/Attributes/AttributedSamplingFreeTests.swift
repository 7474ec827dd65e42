import Synchronization
import Testing

@testable import Factorization

/// Attributes of items in a model without sampled negatives.
@Suite struct AttributedSamplingFreeTests {
    private func settings(_ kind: ModelSettings.Kind = .mf, attribute: Float = 0.15, history: Int = 0, gamma: Float = 2) -> ModelSettings {
        ModelSettings(
            kind: kind, rank: 6, optimizer: .sgd, rates: .init(user: 0.3, item: 0.2, context: 0.1, weight: 0, history: 0.1, attribute: attribute),
            l2: .init(user: 0.001, item: 0.002, context: 0, weight: 0, attribute: 0.003), negatives: 0, unobserved: .regularized,
            interaction: .init(user: 4, item: gamma), history: .init(length: history))
    }

    private func engine(_ settings: ModelSettings, isRestored: Bool = false) -> Engine {
        let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 64))
        guard !isRestored else { return engine }
        for item in 0..<40 as Range<Int64> where item % 4 > 0 {
            engine.describe(item: item, [TestFeature(field: "group", value: item % 5), TestFeature(field: "size", value: 0, weight: Float(item) / 20 - 1)])
        }
        return engine
    }

    /// Users like the items of their own remainder.
    private func events(_ count: Int, seed: Int) -> [TestEvent] {
        var dice = Dice(seed)
        return (0..<count).map { _ in
            let user = Int64(dice.below(30))
            return TestEvent(user: user, item: Int64(dice.below(8)) * 5 + user % 5)
        }
    }

    private func vector(_ model: Model, _ item: UInt32) -> [Double] {
        var z = [Float](repeating: 0, count: model.width)
        ItemSide.vector(model, item, into: &z)
        return z[..<model.settings.rank].map(Double.init)
    }

    /// Without the solves (γ = 0) the step is a formula in a line: each row takes its own part of it.
    @Test func everyRowTakesItsPartOfTheStep() {
        var plain = settings(gamma: 0)
        plain.interaction.user = 0
        let engine = engine(plain), model = engine.models[0]
        engine.learn(events(300, seed: 1))
        for event in events(40, seed: 2) {
            let user = engine.user(event.user), item = engine.item(event.item), list = engine.attributes(item: item)
            let p = ReferenceRow(model.users, user), own = ReferenceRow(model.items, item)
            let rows = list.map { ReferenceRow(model.itemAttributes, $0.ordinal) }
            let q = own.v.indices.map { f in own.v[f] + zip(list, rows).reduce(0) { $0 + Double($1.0.weight) * $1.1.v[f] } }
            let rate = list.reduce(0.2) { $0 + 0.15 * Double($1.weight * $1.weight) }
            let e = (dot(p.v, q) - 1) / (1 + rate * dot(p.v, p.v) + 0.3 * dot(q, q))
            engine.learn([event])
            func check(_ got: ReferenceRow, _ old: ReferenceRow, _ other: [Double], rate: Double, x: Double, l2: Double) {
                for f in old.v.indices { #expect(abs(got.v[f] - old.v[f] + rate * (x * e * other[f] + l2 * old.v[f])) < 1e-5) }
            }
            check(ReferenceRow(model.users, user), p, q, rate: 0.3, x: 1, l2: 0.001)
            check(ReferenceRow(model.items, item), own, p.v, rate: 0.2, x: 1, l2: 0.002)
            for (feature, row) in zip(list, rows) {
                check(ReferenceRow(model.itemAttributes, feature.ordinal), row, p.v, rate: 0.15, x: Double(feature.weight), l2: 0.003)
            }
        }
    }

    /// With attribute rows that stand still no item moves another, and G is the sum over the derived vectors at every moment.
    @Test func gramIsTheSumOverDerivedVectors() {
        let engine = engine(settings(attribute: 0)), model = engine.models[0], grams = model.grams!, rank = model.settings.rank
        for round in 0..<3 {
            engine.learn(events(700, seed: round))
            let vectors = (0..<UInt32(engine.items.count)).filter { grams.settledAt($0).pointee.load(ordering: .relaxed) != 0 }
                .map { vector(model, $0) }
            for r in 0..<rank {
                for c in 0..<rank {
                    let exact = vectors.reduce(0) { $0 + $1[r] * $1[c] }
                    #expect(abs(exact - Double(grams.items[r * model.width + c])) < 1e-4 * Double(vectors.count))
                }
            }
        }
    }

    /// Shared rows move items that nobody visits; the sweep brings G after them.
    @Test func theSweepCatchesUpWithSharedRows() {
        let engine = engine(settings(attribute: 0.02)), model = engine.models[0], grams = model.grams!
        engine.learn(events(6000, seed: 4))
        var exact = 0.0, off = 0.0
        let vectors = (0..<UInt32(engine.items.count)).map { vector(model, $0) }
        for r in 0..<model.settings.rank {
            for c in 0..<model.settings.rank {
                let sum = vectors.reduce(0) { $0 + $1[r] * $1[c] }, difference = sum - Double(grams.items[r * model.width + c])
                exact += sum * sum
                off += difference * difference
            }
        }
        #expect(off.squareRoot() < 0.1 * exact.squareRoot())
    }

    @Test(arguments: [ModelSettings.Kind.mf, .fm]) func scoresAndAnswersTakeTheDerivedVector(_ kind: ModelSettings.Kind) {
        let engine = engine(settings(kind, history: 5)), model = engine.models[0], scorer = Scorer(engine: engine)
        engine.learn(events(800, seed: 5))
        let items = (0..<UInt32(engine.items.count)).map { $0 }, side = UserSide(model: model)
        for user in 0..<UInt32(engine.users.count) {
            side.start(user: user, userItems: engine.shared.userItems)
            let constant = Double(side.fold()), query = (0..<model.settings.rank).map { Double(side.query[$0]) }
            let scores = scorer.score(user: user, items: items)
            for item in items {
                let want = constant + dot(query, vector(model, item))
                #expect(abs(Double(scores[Int(item)]) - want) <= 1e-5 * max(1, abs(want)))
            }
            #expect(scorer.recommend(RecommendQuery(user: user, count: 1, excludesSeen: false)).items[0].score == scores.max())
        }
    }

    @Test func theNewAreRankedByTheirAttributesAndAnUpdateCountsAtOnce() {
        let engine = engine(settings()), scorer = Scorer(engine: engine)
        engine.learn(events(12_000, seed: 6))
        for group in 0..<5 as Range<Int64> { engine.describe(item: 100 + group, [TestFeature(field: "group", value: group)]) }
        func best(_ user: Int64) -> Int64 {
            let scores = scorer.score(user: engine.user(user), items: (0..<5).map { engine.item(100 + $0) })
            #expect(scores.allSatisfy { $0.isFinite })
            return Int64(scores.firstIndex(of: scores.max()!)!)
        }
        let right = (0..<30 as Range<Int64>).count { best($0) == $0 % 5 }
        #expect(right >= 27)
        for group in 0..<5 as Range<Int64> { engine.describe(item: 100 + group, [TestFeature(field: "group", value: (group + 1) % 5)]) }
        let after = (0..<30 as Range<Int64>).count { best($0) == ($0 + 4) % 5 }
        #expect(after >= 27)
    }

    @Test func aSavedStateGoesOnBitForBit() throws {
        let whole = engine(settings(history: 5)), first = engine(settings(history: 5)), second = engine(settings(history: 5), isRestored: true)
        let all = events(1500, seed: 9)
        whole.learn(all)
        first.learn(Array(all[..<700]))
        try second.restore(from: MemoryState(first))
        second.learn(Array(all[700...]))
        #expect(MemoryState(second).differences(MemoryState(whole)) == [])
    }
}
