import CKernels
import Testing

@testable import Factorization

@Suite struct ReplayTests {
    private func event(_ user: UInt32, _ item: UInt32, type: UInt16 = 0) -> ReplayEvent {
        ReplayEvent(user: user, item: item, label: 1, weight: 1, type: type)
    }

    /// Each of n events is held with the same probability, and drawn alike.
    @Test func theSampleIsUniform() {
        let places = 8, count = 50, rounds = 4000
        var held = [Int](repeating: 0, count: count), drawn = held
        for seed in 0..<rounds {
            let reservoir = ReplayReservoir(capacity: places * 64, seed: UInt64(seed))
            for item in 0..<count { reservoir.offer(event(64, UInt32(item)), position: UInt64(item + 1)) }
            let sample = reservoir.state(0).events.map { Int($0.item) }
            #expect(sample.count == places && Set(sample).count == places)
            for item in sample { held[item] += 1 }
            drawn[Int(reservoir.draw(reservoir.word(at: 51, seed % 3), shard: 0)!.item)] += 1
        }
        let shares = [Double](repeating: 1 / Double(count), count: count)
        // Without replacement: a little narrower than Pearson's statistic supposes.
        #expect(abs(NegativeDrawTests.excess(held, shares)) < 4 && abs(NegativeDrawTests.excess(drawn, shares)) < 4)
    }

    @Test func whatIsTakenBackKeepsItsPlaceAndIsNotDrawn() {
        let reservoir = ReplayReservoir(capacity: 64 * 6, seed: 3)
        for (index, (user, item, type)) in [(0, 1, 0), (64, 1, 0), (0, 2, 1), (0, 2, 2), (0, 1, 1), (64, 2, 1)].enumerated() {
            reservoir.offer(event(UInt32(user), UInt32(item), type: UInt16(type)), position: UInt64(index + 1))
        }
        func left() -> [Int] { reservoir.state(0).events.enumerated().filter { $1.user != Placement.none }.map(\.offset) }
        reservoir.remove(user: 0, item: 2, type: 1)
        #expect(left() == [0, 1, 3, 4, 5])
        reservoir.remove(user: 0, item: 1)
        #expect(left() == [1, 3, 5])
        reservoir.remove(user: 64)
        #expect(left() == [3] && reservoir.held == 6)
        var found = 0
        for position in 1...UInt64(600) {
            guard let event = reservoir.draw(reservoir.word(at: position, 0), shard: 0) else { continue }
            #expect(event.user == 0 && event.item == 2 && event.type == 2)
            found += 1
        }
        #expect((60...140).contains(found), "one place of six")
    }

    private func settings(capacity: Int = 640, each: Int = 2, trainers: Int = 1, negatives: Int = 2, history: Int = 0) -> EngineSettings {
        let model = ModelSettings(rank: 4, negatives: negatives, history: .init(length: history))
        var settings = EngineSettings(models: [model], eventTypes: ["none": TypeRule(weight: 0)], trainers: trainers, queueCapacity: 256)
        settings.replayCapacity = capacity
        settings.replaysPerEvent = each
        return settings
    }

    @Test func eachEventTeachesPastOnesOfItsShard() {
        let engine = Engine(settings: settings(negatives: 0)), plain = Engine(settings: settings(capacity: 0, negatives: 0))
        let events = randomEvents(2000, users: 100, items: 30, seed: 1)
        for engine in [engine, plain] { engine.learn(events + [TestEvent(user: 1, item: 1, type: "none")]) }
        func updates(_ engine: Engine) -> Int {
            (0..<UInt32(engine.items.count)).reduce(0) { $0 + Int(engine.models[0].items.state($1).pointee.updates) }
        }
        // The first event of a shard has nothing to draw from.
        let replayed = (2000 - 64) * 2
        #expect(engine.replay == ReplayReport(capacity: 640, held: 640, replayed: replayed, bytes: 640 * 20))
        #expect(updates(plain) == 2000 && updates(engine) == 2000 + replayed)
        #expect(engine.prequential(0).events == 2000, "what is learned again is no test")
        #expect(plain.replay == ReplayReport(capacity: 0, held: 0, replayed: 0, bytes: 0))
    }

    @Test(arguments: [0, 3]) func aRestoredReservoirGoesOnAlike(_ history: Int) throws {
        let settings = settings(history: history), events = randomEvents(3000, users: 150, items: 40, context: 0, seed: 7)
        let whole = Engine(settings: settings), first = Engine(settings: settings), second = Engine(settings: settings)
        whole.learn(events)
        first.learn(Array(events[..<1700]))
        try second.restore(from: MemoryState(first))
        #expect(MemoryState(first).differences(MemoryState(second)) == [])
        second.learn(Array(events[1700...]))
        #expect(MemoryState(whole).differences(MemoryState(second)) == [] && second.replay.held == 640)
        // The sample is the events' alone, however many trainers there are; another size begins anew.
        let three = Engine(settings: self.settings(trainers: 3, history: history))
        three.learn(events)
        let samples = MemoryState(whole).sections.filter { $0.key.hasPrefix("replay") }
        #expect(samples.count == 65 && MemoryState(three).sections.filter { $0.key.hasPrefix("replay") } == samples)
        let larger = Engine(settings: self.settings(capacity: 6400, history: history))
        try larger.restore(from: MemoryState(whole))
        #expect(larger.replay.held == 0)
    }

    @Test func undoneAndForgottenEventsAreGone() {
        let engine = Engine(settings: settings(capacity: 64_000))
        engine.learn(randomEvents(1500, users: 40, items: 10, seed: 3))
        let five = engine.user(5), six = engine.user(6), four = engine.item(4)
        let builder = BatchBuilder(engine)
        builder.append(.undo, user: 5, item: 4)
        builder.append(.forgetUser, user: 6)
        engine.learnNow(builder.batch)
        let held = (0..<64).flatMap { Array(engine.shared.replay!.state($0).events) }
        #expect(held.count == 1500 && !held.contains { $0.user == six || $0.user == five && $0.item == four })
        #expect(held.contains { $0.user == five } && held.contains { $0.item == four })
        engine.learn(randomEvents(500, users: 40, items: 10, seed: 4))
        #expect(engine.replay.held == 2000)
    }

    /// Item 5 is in nobody's history but that of user 0, whose only event is learned again and again: its history row stays.
    @Test func aLearnedPastEventLeavesItsItemsHistoryRowAlone() {
        let engine = Engine(settings: settings(history: 3)), model = engine.models[0]
        engine.learn([TestEvent(user: 0, item: 5)] + (1...200).map { TestEvent(user: min($0, 64), item: 6 + $0 % 3) })
        #expect(Placement.shard(engine.user(64)) == Placement.shard(engine.user(0)))
        #expect(model.users.state(engine.user(0)).pointee.updates > 5)
        #expect(model.histories!.state(engine.item(5)).pointee.updates == 0 && model.histories!.state(engine.item(6)).pointee.updates > 5)
    }

    @Test func aPastEventIsNotToldByItsOwnItem() {
        let engine = Engine(settings: settings(capacity: 0, history: 5))
        engine.learn([1, 2, 3, 2, 4].map { TestEvent(user: 7, item: $0) })
        let side = UserSide(model: engine.models[0])
        side.start(user: 0, userItems: engine.shared.userItems)
        let scale = side.rows[1].x
        side.leaveOut(history: engine.item(2))
        let rest = (0..<side.rowCount).map { side.rows[$0] }
        #expect(rest.map(\.group) == [.user, .history, .history, .history])
        #expect(rest.dropFirst().map(\.ordinal) == [4, 3, 1].map { engine.item($0) } && rest[1].x == scale)
    }
}
