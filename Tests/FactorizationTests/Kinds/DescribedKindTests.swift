import Testing

@testable import Factorization

/// What attributes of items are for, with every kind and loss.
@Suite struct DescribedKindTests {
    /// Two tastes and two genres, then an item of each genre that nobody has met.
    @Test(arguments: KindCase.all) func theNewAreRankedByTheirAttributesAndAnUpdateCountsAtOnce(_ kind: KindCase) {
        var settings = kind.settings(history: 0, negatives: kind.loss == .squared ? 2 : 4)
        settings.deviation = 0.2
        settings.l2 = .init(user: 0.001, item: 0.001, context: 0.001, weight: 0.001)
        settings.rates = .init(user: 0.1, item: 0.1, context: 0.1, weight: 0.1)
        let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 64)), scorer = Scorer(engine: engine)
        func genre(_ number: Int64) -> [TestFeature] { [TestFeature(field: "genre", value: number), TestFeature(field: "kind", value: 0)] }
        for item in 0..<40 as Range<Int64> { engine.describe(item: item, genre(item % 2)) }
        var dice = Dice(1)
        engine.learn((0..<2500).map { _ in
            let user = dice.below(20)
            return TestEvent(user: Int64(user), item: Int64(dice.below(20) * 2 + user % 2), value: 1)
        })
        for number in 0..<2 as Range<Int64> { engine.describe(item: 100 + number, genre(number)) }
        func right(_ shift: Int64) -> Int {
            (0..<20 as Range<Int64>).count { user in
                let scores = scorer.score(user: engine.user(user), items: [engine.item(100), engine.item(101)])
                return (scores[0] > scores[1]) == ((user + shift) % 2 == 0)
            }
        }
        #expect(right(0) >= 18)
        for number in 0..<2 as Range<Int64> { engine.describe(item: 100 + number, genre(1 - number)) }
        #expect(right(1) >= 18)
    }
}
