import Foundation
import Synchronization
import Testing

@testable import Factorization

@Suite struct LearningTests {
    /// y = ⟨a_u, b_i⟩ with rank 3, plus a little noise.
    private func lowRank(_ count: Int, users: Int = 60, items: Int = 50, seed: Int) -> [TestEvent] {
        var dice = Dice(1)
        let a = (0..<users).map { _ in (0..<3).map { _ in dice.real() } }, b = (0..<items).map { _ in (0..<3).map { _ in dice.real() } }
        var draws = Dice(seed)
        return (0..<count).map { _ in
            let user = draws.below(users), item = draws.below(items)
            return TestEvent(user: Int64(user), item: Int64(item), value: Float(3 + dot(a[user], b[item]) + 0.05 * draws.real()))
        }
    }

    private func rmse(_ engine: Engine, _ events: [TestEvent]) -> (model: Double, constant: Double) {
        let scorer = Scorer(engine: engine)
        let mean = events.reduce(0) { $0 + Double($1.value!) } / Double(events.count)
        var squares = 0.0, spread = 0.0
        for event in events {
            let error = Double(scorer.score(user: engine.user(event.user), items: [engine.item(event.item)])[0] - event.value!)
            squares += error * error
            spread += (Double(event.value!) - mean) * (Double(event.value!) - mean)
        }
        return ((squares / Double(events.count)).squareRoot(), (spread / Double(events.count)).squareRoot())
    }

    private func ratings(_ kind: ModelSettings.Kind = .mf, trainers: Int) -> Engine {
        let settings = ModelSettings(
            kind: kind, rank: 8, loss: .squared, rates: .init(user: 0.2, item: 0.2, context: 0.2, weight: 0.1), globalRate: 0.1, negatives: 0,
            deviation: 0.2)
        return Engine(settings: EngineSettings(models: [settings], trainers: trainers, queueCapacity: 1024))
    }

    @Test(arguments: ModelSettings.Kind.allCases) func learnsALowRankMatrix(_ kind: ModelSettings.Kind) {
        let engine = ratings(kind, trainers: 1)
        for part in 0..<5 { engine.learn(lowRank(4000, seed: part)) }
        let (model, constant) = rmse(engine, lowRank(1000, seed: 99))
        #expect(model < 0.35 * constant, "\(model) of \(constant)")
        #expect(engine.prequential(0).recent < engine.prequential(0).value && engine.prequential(0).events == 20_000)
    }

    @Test func twoTrainersLearnAboutAsWellWhileAnswersAreGiven() {
        let engine = ratings(trainers: 2)
        let done = Atomic<Bool>(false), applied = Atomic<Int>(0), bad = Atomic<Int>(0)
        let events = lowRank(20_000, seed: 5)
        let sequencer: @Sendable () -> Void = {
            for start in stride(from: 0, to: events.count, by: 500) {
                let builder = BatchBuilder(engine, records: 500)
                for event in events[start..<start + 500] { builder.append(event) }
                var index = 0
                while index < 500 {
                    let next = engine.sequencer.take(builder.batch, from: index)
                    if next == index { sched_yield() }
                    index = next
                }
            }
            done.store(true, ordering: .releasing)
        }
        let trainers: [@Sendable () -> Void] = engine.trainers.map { trainer in
            {
                var finished = false
                while !finished {
                    finished = done.load(ordering: .acquiring)
                    let count = trainer.drain()
                    applied.add(count, ordering: .relaxed)
                    if count == 0 { sched_yield() } else { finished = false }
                }
            }
        }
        let reader: @Sendable () -> Void = {
            let scorer = Scorer(engine: engine)
            var dice = Dice(1)
            while !done.load(ordering: .acquiring) {
                let answer = scorer.reading { () -> Recommendation in
                    let user = engine.user(Int64(dice.below(60)))
                    return scorer.recommend(RecommendQuery(user: user, count: 5))
                }
                if answer.items.contains(where: { !$0.score.isFinite }) || answer.items.count > 5 { bad.add(1, ordering: .relaxed) }
                _ = (engine.appliedPosition, engine.prequential(0), engine.sequencer.refusals, engine.bytes)
            }
        }
        onThreads([sequencer, reader] + trainers)
        #expect(applied.load(ordering: .relaxed) == 20_000 && engine.appliedPosition == 20_000 && bad.load(ordering: .relaxed) == 0)
        let (model, constant) = rmse(engine, lowRank(1000, seed: 99))
        #expect(model < 0.4 * constant, "\(model) of \(constant)")
    }

    @Test func implicitFeedbackRanksWhatUsersLikeFirst() {
        // Four tastes: a user takes items of the own taste.
        let engine = Engine(
            settings: EngineSettings(models: [ModelSettings(rank: 8, rates: .init(user: 0.2, item: 0.2, context: 0.2, weight: 0.1))], queueCapacity: 1024))
        var dice = Dice(4)
        func item(of user: Int) -> Int64 { Int64(dice.below(25) * 4 + user % 4) }
        for _ in 0..<3 {
            engine.learn(
                (0..<4000).map { _ in
                    let user = dice.below(200)
                    return TestEvent(user: Int64(user), item: item(of: user))
                })
        }
        let scorer = Scorer(engine: engine)
        var wins = 0
        for _ in 0..<1000 {
            let user = dice.below(200)
            let good = engine.item(item(of: user)), bad = engine.item(item(of: user + 1 + dice.below(3)))
            let scores = scorer.score(user: engine.user(Int64(user)), items: [good, bad])
            wins += scores[0] > scores[1] ? 1 : 0
        }
        #expect(wins > 800, "\(wins) of 1000")
        #expect(engine.prequential(0).recentAUC! > 0.8)
    }
}
