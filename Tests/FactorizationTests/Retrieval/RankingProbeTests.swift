import Testing

@testable import Factorization

/// Hits of live events, ranked before they are learned.
@Suite("Ranking probe")
struct RankingProbeTests {
    /// 20 users; each likes one of four kinds of 300 items.
    private func event(_ dice: inout Dice, type: String = "buy") -> TestEvent {
        let user = dice.below(20)
        return TestEvent(user: Int64(user), item: Int64(dice.below(75) * 4 + user % 4), type: type)
    }

    private func engine(_ settings: ModelSettings = ModelSettings(rank: 8)) -> Engine {
        Engine(settings: EngineSettings(
            models: [settings], eventTypes: ["buy": TypeRule(label: .constant(1), marksSeen: false), "skip": TypeRule(label: .constant(0))]))
    }

    /// - Returns: the report after so many events, each offered to the probe before it is learned.
    private func run(_ engine: Engine, events: Int, allowed: Int, dice: inout Dice, type: String = "buy") -> RankingSample.Report? {
        let sample = RankingSample(models: 1), probe = RankingProbe(engine: engine, sample: sample, seed: 1)
        sample.allow(allowed)
        for _ in 0..<events {
            let builder = BatchBuilder(engine, records: 1)
            builder.append(event(&dice, type: type))
            probe.look(builder.batch)
            engine.learnNow(builder.batch)
        }
        return sample.report(0)
    }

    @Test("Before anything is learned an item is among the ten best by chance; afterwards far more often; the recent mean shows it first")
    func learns() throws {
        var dice = Dice(3)
        let engine = engine()
        // All ids come once, with a label that teaches no taste.
        let all = BatchBuilder(engine)
        for item in 0..<300 { all.append(TestEvent(user: Int64(item % 20), item: Int64(item), weight: 0, type: "buy")) }
        engine.learnNow(all.batch)
        let before = try #require(run(engine, events: 60, allowed: .max, dice: &dice))
        engine.learn((0..<12_000).map { _ in event(&dice) })
        let after = try #require(run(engine, events: 600, allowed: .max, dice: &dice))
        #expect(before.probes == 60 && before.hits < 0.35, "\(before)")
        // A kind has 75 of 300 items: of 99 others some 25 are of it, so that ten of 26 would be a perfect taste's share.
        #expect(after.probes == 600 && after.hits > 0.3 && after.hits < 0.5, "\(after)")
        #expect(after.ndcg > 0.1 && after.ndcg < after.hits && abs(after.recentHits - after.hits) < 0.1)
    }

    @Test("No more is probed than is allowed; what is disliked, seen or a rating is not; what nobody has taken is a miss; nothing of what is learned changes")
    func bounds() throws {
        var dice = Dice(4)
        let probed = engine(), plain = engine()
        let events = (0..<3000).map { _ in event(&dice) }
        probed.learn(events)
        plain.learn(events)
        var one = Dice(5), other = Dice(5)
        #expect(run(probed, events: 300, allowed: 50, dice: &one)?.probes == 50)
        #expect(run(plain, events: 300, allowed: 0, dice: &other) == nil)
        let scorer = Scorer(engine: probed), reference = Scorer(engine: plain), items = (0..<UInt32(probed.items.count)).map { $0 }
        for user in 0..<UInt32(20) { #expect(scorer.score(user: user, items: items) == reference.score(user: user, items: items)) }
        #expect(run(probed, events: 20, allowed: .max, dice: &dice, type: "skip") == nil)
        func look(_ event: TestEvent, _ engine: Engine) -> RankingSample.Report? {
            let sample = RankingSample(models: 1), probe = RankingProbe(engine: engine, sample: sample, seed: 2), builder = BatchBuilder(engine, records: 1)
            sample.allow(10)
            builder.append(event)
            probe.look(builder.batch)
            return sample.report(0)
        }
        #expect(look(TestEvent(user: 1, item: 99_999, type: "buy"), probed)?.hits == 0)
        // Types without a rule of their own mark as seen.
        probed.learn([TestEvent(user: 1, item: 5, type: "other")])
        #expect(look(TestEvent(user: 1, item: 5, type: "buy"), probed) == nil)
        #expect(look(TestEvent(user: 1, item: 1, type: "buy"), engine()) == nil, "a catalogue of nothing")
        var rating = ModelSettings(rank: 8)
        rating.loss = .squared
        let ratings = engine(rating)
        ratings.learn(events)
        #expect(look(TestEvent(user: 1, item: 9, type: "buy"), ratings) == nil)
    }
}
