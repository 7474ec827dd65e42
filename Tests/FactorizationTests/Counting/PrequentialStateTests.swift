import Testing

@testable import Factorization

@Suite struct PrequentialStateTests {
    private func settings(_ loss: ModelSettings.Loss, trainers: Int) -> EngineSettings {
        EngineSettings(models: [ModelSettings(rank: 4, loss: loss, negatives: loss == .squared ? 0 : 2)], trainers: trainers)
    }

    /// Tastes that flip at the end, so that there is an alarm to remember.
    private func filled(_ loss: ModelSettings.Loss, trainers: Int) -> Engine {
        let engine = Engine(settings: settings(loss, trainers: trainers))
        var dice = Dice(2)
        for part in 0..<6 {
            engine.learn(
                (0..<10_000).map { _ in
                    let user = dice.below(50), flips = part > 4 ? 1 : 0
                    let item = dice.below(30)
                    return TestEvent(
                        user: Int64(user), item: Int64(loss == .squared ? item : item * 2 + (user + flips) % 2),
                        value: loss == .squared ? Float(flips * 3 + (user + item) % 2) : nil)
                })
        }
        return engine
    }

    @Test(arguments: [ModelSettings.Loss.logistic, .squared, .warp]) func metricsAndAlarmsGoOnAfterASnapshot(_ loss: ModelSettings.Loss) throws {
        let engine = filled(loss, trainers: 1), other = Engine(settings: settings(loss, trainers: 1))
        try other.restore(from: MemoryState(engine))
        #expect(other.prequential(0) == engine.prequential(0) && other.drift(0) == engine.drift(0))
        // A pairwise loss has nothing to say of an event whose negatives were all seen before.
        #expect(engine.prequential(0).events > 0)
        #expect(loss == .warp || engine.prequential(0).events == 60_000 && engine.drift(0).alarms > 0)
        let more = randomEvents(700, seed: 1)
        engine.learn(more)
        other.learn(more)
        #expect(other.prequential(0) == engine.prequential(0) && MemoryState(engine).differences(MemoryState(other)) == [])
    }

    @Test(arguments: [(1, 3), (3, 1), (2, 5)]) func anotherNumberOfTrainersKeepsTheTotals(_ before: Int, _ after: Int) throws {
        let engine = filled(.logistic, trainers: before), other = Engine(settings: settings(.logistic, trainers: after))
        try other.restore(from: MemoryState(engine))
        let old = engine.prequential(0), new = other.prequential(0)
        #expect(new.events == old.events && new.value == old.value && new.auc == old.auc && other.drift(0) == engine.drift(0))
        #expect(abs(new.recent - old.recent) < 1e-9 && abs(new.recentAUC! - old.recentAUC!) < 1e-9)
        other.learn(randomEvents(100, seed: 1))
        #expect(other.prequential(0).events == 60_100)
    }

    @Test func aPooledAlarmKnowsWhatTheOthersLearned() {
        var dice = Dice(1)
        var losses = [WatchedLosses(), WatchedLosses(), WatchedLosses()]
        for position in 1...UInt64(256 * 100) {
            for index in 0..<2 { losses[index].record(Double(1 + index) + dice.real(), position: position) }
        }
        let pooled = DriftAlarm.pooled(losses.map(\.alarm))
        #expect(pooled.batches == DriftAlarm.learning && abs(pooled.mean - 1.5) < 0.05 && pooled.variance > 0.25 && pooled.variance < 0.26)
        #expect(DriftAlarm.pooled([DriftAlarm()]).batches == 0)
    }
}
