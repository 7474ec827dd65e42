import CKernels
import Testing

@testable import Factorization

@Suite struct RetrievalTests {
    private func engine(_ kind: ModelSettings.Kind, seed: Int, kernels: Kernels = .best, deviation: Float = 0.4, items: Int = 150) -> Engine {
        var settings = ModelCase(kind: kind, loss: .squared, optimizer: .adagrad).settings(rank: 1 + seed % 20)
        settings.deviation = deviation
        let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 256), kernels: kernels)
        engine.learn(randomEvents(300, users: 8, items: items, seed: seed))
        return engine
    }

    @Test(arguments: [ModelSettings.Kind.mf, .fm]) func foldedScoresEqualTheSumOverPairs(_ kind: ModelSettings.Kind) {
        for seed in 0..<10 {
            let engine = engine(kind, seed: seed), scorer = Scorer(engine: engine)
            var dice = Dice(seed)
            for _ in 0..<10 {
                let features = (0..<dice.below(4)).map { _ in
                    (ordinal: UInt32(dice.below(engine.contexts.count)), weight: Float(dice.real(-2...2)))
                }
                let item = UInt32(dice.below(engine.items.count)), user = UInt32(dice.below(engine.users.count))
                let expected = ReferenceEvent(
                    engine.models[0], user: user, context: features.map { ($0.ordinal, $0.weight) }, pass: [(item, 0)]
                ).score(item)
                let got = Double(scorer.score(user: user, items: [item], features: features)[0])
                #expect(abs(got - expected) <= 1e-5 * max(1, abs(expected)), "\(got) \(expected)")
            }
        }
    }

    /// Sorts all items that may be shown: what `recommend` must equal.
    private func bruteForce(_ engine: Engine, _ scorer: Scorer, _ query: RecommendQuery) -> [ScoredItem] {
        var left = Set(query.rules.excluded)
        if query.excludesSeen { engine.shared.userItems.forEachSeen(by: query.user) { left.insert($0) } }
        let all = (0..<UInt32(engine.items.count)).filter { !left.contains($0) && !engine.items.isHidden($0) }
        let scores = scorer.score(user: query.user, items: all, features: query.features)
        let sorted = zip(all, scores).map { ScoredItem(item: $0, score: $1) }
            .sorted { $0.score != $1.score ? $0.score > $1.score : $0.item < $1.item }
        return Array(sorted.prefix(query.count))
    }

    @Test func recommendEqualsASortOfAllScores() {
        for seed in 0..<24 {
            // Without deviation and rates nothing tells items apart but their weights: many ties.
            let ties = seed % 3 == 0
            let kernels = Kernels(Kernels.Variant.allCases[seed % 3]) ?? .best
            let engine = engine(seed % 2 == 0 ? .mf : .fm, seed: seed, kernels: kernels, deviation: ties ? 0 : 0.4, items: 400)
            var dice = Dice(seed)
            if ties {
                for item in 0..<UInt32(engine.items.count) { engine.models[0].items.state(item).pointee.weight = Float(dice.below(3)) }
            }
            let hide = BatchBuilder(engine)
            for _ in 0..<20 { hide.append(.hideItem, item: Int64(dice.below(400))) }
            engine.learnNow(hide.batch)
            let scorer = Scorer(engine: engine)
            for count in [0, 1, 7, 50, 1000] {
                let query = RecommendQuery(
                    user: UInt32(dice.below(engine.users.count)), features: [(ordinal: 0, weight: 0.5)], count: count,
                    excludesSeen: dice.below(2) == 0, excluded: (0..<10).map { _ in UInt32(dice.below(500)) })
                let answer = scorer.recommend(query)
                #expect(answer.items == bruteForce(engine, scorer, query), "seed \(seed), count \(count)")
                #expect(!answer.isFallback && answer.isSeenComplete)
            }
        }
    }

    @Test func strangersGetWhatIsPopular() {
        let engine = engine(.mf, seed: 1), scorer = Scorer(engine: engine)
        let answer = scorer.recommend(RecommendQuery(user: Placement.none, count: 20))
        let expected = (0..<UInt32(engine.items.count)).map { ScoredItem(item: $0, score: engine.items.frequency($0)) }
            .sorted { $0.score != $1.score ? $0.score > $1.score : $0.item < $1.item }.prefix(20)
        #expect(answer.isFallback && answer.items == Array(expected))
    }
}
