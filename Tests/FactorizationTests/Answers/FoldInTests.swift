import CKernels
import Foundation
import Testing

@testable import Factorization

@Suite struct FoldInTests {
    static let cases = KindCase.kinds.map { AnswerCase(kind: $0) } + [KindCase(kind: .mf, loss: .squared), KindCase(kind: .fm, loss: .bpr)].map { AnswerCase(kind: $0) }
        + [AnswerCase(kind: KindCase(kind: .mf), history: 0, isDescribed: false), AnswerCase(kind: KindCase(kind: .mf), unobserved: .regularized)]

    @Test(arguments: cases) func aFitIsTheMinimumThatBruteForceFinds(_ test: AnswerCase) {
        for optimizer in [ModelSettings.Optimizer.sgd, .adagrad] where test.unobserved == .sampled || optimizer == .sgd {
            let engine = test.engine(test.settings(optimizer)), model = engine.models[0], context = AnswerCase.context(engine)
            engine.settleGlobalBias()
            let taken: [(item: UInt32, weight: Double)] = [(engine.item(1), 1), (engine.item(8), 2), (engine.item(3), 0.5)]
            let attributes = engine.attributes(user: engine.user(2))
            let objective = FitObjective(engine, taken, attributes: attributes, context: context, draws: 4, passes: 3)
            let fit = FoldIn(model: model, settings: .init(passes: 3, draws: 4))
            let visitor = Visitor(
                items: taken.map { Visitor.Item(ordinal: $0.item, weight: Float($0.weight)) }, attributes: attributes.map { ($0.ordinal, $0.weight) })
            #expect(fit.fit(visitor, context, now: 0, against: .present(engine.items)))
            let got = (0..<model.layout.sideRank).map { Double(fit.row.factors[$0]) } + [Double(fit.row.state.pointee.weight)]
            #expect(objective.nonlinearity(got) < 1e-6)
            let want = objective.minimum(), least = objective.value(want), zero = objective.value(want.map { _ in 0 })
            #expect(zero - least > 1e-3, "there must be something to gain")
            #expect(objective.value(got) <= least + 1e-3 * (zero - least), "\(optimizer): \(objective.value(got)), brute force \(least), at zero \(zero)")
            let distance = zip(got, want).map { $0 - $1 }, size = dot(want, want).squareRoot()
            #expect(dot(distance, distance).squareRoot() < 0.05 * size, "\(got) \(want)")
        }
    }

    /// Users take the items of their own group of four; so does somebody who names three of them.
    @Test(arguments: KindCase.kinds) func aListOfItemsIsAnsweredLikeItsGroup(_ kind: KindCase) {
        for history in [0, 4] {
            var settings = kind.settings(history: history, negatives: 4)
            settings.deviation = 0.2
            settings.l2 = .init(user: 0.001, item: 0.001, context: 0.001, weight: 0.001)
            settings.rates = .init(user: 0.1, item: 0.1, context: 0.1, weight: 0.1, history: 0.1)
            let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 64))
            var dice = Dice(5)
            engine.learn((0..<4000).map { _ in
                let user = Int64(dice.below(20))
                return TestEvent(user: user, item: Int64(4 * dice.below(10)) + user % 4, value: 1)
            })
            let scorer = Scorer(engine: engine)
            var right = 0, byRow = 0
            for group in 0..<4 as Range<Int64> {
                let taken = [4, 12, 20].map { engine.item($0 + group) }
                var query = RecommendQuery(user: Placement.none, count: 7, excluded: taken)
                query.visitor = Visitor(items: taken.map { Visitor.Item(ordinal: $0) })
                let answer = scorer.recommend(query)
                #expect(!answer.isFallback && answer.items.count == 7 && !answer.items.contains { taken.contains($0.item) })
                func own(_ list: Recommendation) -> Int {
                    list.items.count { Int64(bitPattern: engine.items.key($0.item, hashing: engine.hashing).payload) % 4 == group }
                }
                right += own(answer)
                // What a user of the group gets by a trained row.
                byRow += own(scorer.recommend(RecommendQuery(user: engine.user(group), count: 7, excludesSeen: false, excluded: taken)))
            }
            // By chance there would be seven.
            #expect(right >= 14 && right >= byRow - 6, "\(right) of 28 with history \(history), \(byRow) by a trained row")
        }
    }

    @Test func theSameListGetsTheSameAnswerAndTouchesNothing() {
        let engine = AnswerCase(kind: KindCase(kind: .mf)).engine(), scorer = Scorer(engine: engine), before = MemoryState(engine)
        let visitor = Visitor(items: [1, 5, 2].map { Visitor.Item(ordinal: engine.item($0)) }), items = Array(0..<UInt32(engine.items.count))
        let one = scorer.score(user: Placement.none, items: items, visitor: visitor)
        _ = scorer.score(user: Placement.none, items: items, visitor: Visitor(items: [Visitor.Item(ordinal: 3)]))
        #expect(scorer.score(user: Placement.none, items: items, visitor: visitor) == one)
        #expect(MemoryState(engine).differences(before) == [])
        // Without weight there is nothing to fit: the items are history alone.
        let weightless = Visitor(items: visitor.items.map { Visitor.Item(ordinal: $0.ordinal, weight: 0) })
        #expect(scorer.score(user: Placement.none, items: items, visitor: weightless) != one)
    }
}
