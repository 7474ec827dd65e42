import Factorization
import LinuxSystem
import Testing

@testable import FactordServer

@Suite struct ScanHelpersTests {
    private func engine(scorers: Int, items: Int) -> Engine {
        var settings = EngineSettings(models: [ModelSettings(rank: 16, negatives: 0, deviation: 0.3)])
        settings.scorers = scorers
        let engine = Engine(settings: settings), batch = EventBatch(recordCapacity: items)
        for item in 0..<items {
            _ = batch.append(
                EventRecord(
                    kind: .interaction, user: Key(integer: Int64(item % 7), hashing: engine.hashing),
                    item: Key(integer: Int64(item), hashing: engine.hashing), value: Float(item & 1)))
        }
        engine.learnNow(batch)
        return engine
    }

    @Test(arguments: [1, 2, 4]) func helpersServeWhoeverAsksAndStop(_ scorers: Int) throws {
        let engine = engine(scorers: scorers, items: 20_000), helpers = ScanHelpers(engine.team)
        #expect(engine.team.helpers == scorers - 1)
        try helpers.start()
        let quick = Scorer(engine: engine, copySize: 1), plain = Scorer(engine: engine, copySize: .max)
        for call in 0..<30 {
            let query = RecommendQuery(user: UInt32(call % 7), count: 1 + call * 3)
            #expect(quick.recommend(query) == plain.recommend(query))
        }
        helpers.stop()
        // Nobody is there any more to help.
        #expect(quick.recommend(RecommendQuery(user: 1)) == plain.recommend(RecommendQuery(user: 1)))
    }

    @Test func aWakeWordWakesAllWhoWait() throws {
        let word = WakeWord()
        let waiters = try (0..<3).map { number in
            try SystemThread(name: "waiter \(number)") {
                var seen: UInt32 = 0
                for _ in 0..<5 {
                    let now = word.wait(after: seen)
                    precondition(now > seen)
                    seen = now
                    if seen >= 5 { break }
                }
            }
        }
        for _ in 0..<5 {
            word.signal()
            MonotonicClock.sleep(microseconds: 1000)
        }
        for waiter in waiters { waiter.join() }
    }

    @Test func scorersCanBeSet() throws {
        #expect((1...8).contains(Configuration().threads.scorers))
        var configuration = Configuration()
        configuration.threads.scorers = 5
        #expect(configuration.engineSettings.scorers == 5)
    }
}
