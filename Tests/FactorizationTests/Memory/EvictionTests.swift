import Testing

@testable import Factorization

@Suite struct EvictionTests {
    private func stream(_ seed: Int) -> [TestEvent] {
        zipfEvents(6000, users: 3000, items: 6000, seed: seed) + zipfEvents(6000, users: 3000, items: 6000, offset: 3000, seed: seed + 50)
    }

    @Test func aFullTableMakesRoomAndCountsWhoStaysOut() {
        let engine = boundedEngine(rows: 600), keeper = { engine.sequencer.keeper }
        let batches = stream(1)
        for start in stride(from: 0, to: batches.count, by: 500) {
            engine.learn(Array(batches[start..<start + 500]))
            #expect(keeper().total <= keeper().limit)
        }
        let costs = keeper().costs
        #expect(engine.users.count * costs[0] + engine.items.count * costs[1] <= keeper().limit)
        #expect(engine.evictions > 300, "\(engine.evictions)")
        let refused = Dictionary(uniqueKeysWithValues: engine.sequencer.refusals.map { ($0.reason, $0.count) })
        #expect((refused[.unseen] ?? 0) > 100)
        let learned = engine.trainers.reduce(0) { $0 + $1.interactions }
        #expect(learned + refused.values.reduce(0, +) == batches.count && engine.sequencer.lastRefusals.isEmpty)
        #expect(engine.nonFiniteValues() == 0)
    }

    @Test func whatComesOftenIsHeldAndWhatPassesMakesRoom() {
        let engine = boundedEngine(rows: 1200, histories: false)
        // One user: the tables are items.
        func learn(_ offset: Int64, _ seed: Int) {
            for part in 0..<10 { engine.learn(zipfEvents(4000, users: 1, items: 20_000, offset: offset, seed: seed * 100 + part)) }
        }
        func held(_ offset: Int64) -> Int { (1...60).count { engine.item(Int64($0) + offset) != Placement.none } }
        learn(0, 1)
        #expect(held(0) == 60)
        learn(1_000_000, 2)
        #expect(held(1_000_000) >= 58 && held(0) < 20, "\(held(1_000_000)) \(held(0))")
    }

    @Test(arguments: [0, 200]) func theSameStreamGivesTheSameBitsHoweverItIsCut(replay: Int) {
        let model = ModelSettings(rank: 4, negatives: 3, history: .init(length: 4, decay: 0.8))
        let events = stream(7)
        let whole = boundedEngine(rows: 500, model: model, replay: replay, idle: 2000)
        whole.learn(events)
        #expect(whole.evictions > 300)
        let expected = MemoryState(whole)
        for seed in 0..<3 {
            var dice = Dice(seed), start = 0
            let other = boundedEngine(rows: 500, model: model, replay: replay, idle: 2000)
            while start < events.count {
                let end = min(start + 1 + dice.below(700), events.count)
                other.learn(Array(events[start..<end]))
                start = end
            }
            #expect(expected.differences(MemoryState(other)) == [])
        }
    }

    @Test(arguments: 0..<4) func aRestoredEngineGoesOnAsItWouldHave(seed: Int) throws {
        let events = stream(seed)
        var dice = Dice(seed)
        func make() -> Engine { boundedEngine(rows: 500, replay: 300, idle: 3000) }
        let first = make()
        // Amid rounds and rests, too.
        let cut = 3000 + dice.below(6000)
        first.learn(Array(events[..<cut]))
        let second = make()
        try second.restore(from: MemoryState(first))
        #expect(MemoryState(first).differences(MemoryState(second)) == [])
        for engine in [first, second] { engine.learn(Array(events[cut...])) }
        #expect(MemoryState(first).differences(MemoryState(second)) == [])
        #expect(first.evictions > 200)
    }

    @Test func rowsThatNobodyNamesGoInTime() {
        let engine = boundedEngine(rows: 0, idle: 2000)
        engine.learn((0..<300).map { TestEvent(user: 1, item: Int64($0)) })
        engine.learn((0..<1500).map { TestEvent(user: 1, item: Int64($0 % 10)) })
        #expect(engine.items.liveCount == 300)
        engine.learn((0..<4000).map { TestEvent(user: 1, item: Int64($0 % 10)) })
        #expect(engine.items.liveCount == 10 && engine.users.liveCount == 1)
        engine.learn((0..<100).map { TestEvent(user: 1, item: Int64(1000 + $0)) })
        #expect(engine.items.count == 300 && engine.items.liveCount == 110)
    }
}
