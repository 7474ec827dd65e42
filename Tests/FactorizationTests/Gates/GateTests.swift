import Testing

@testable import Factorization

/// States that were copied while the stream went on: taken up, and the stream applied again, everything is there once.
@Suite struct GateTests {
    /// A stream with every kind of record; different for each seed.
    private static func stream(_ count: Int, seed: Int, users: Int = 60, items: Int = 80) -> [StreamStep] {
        var dice = Dice(seed &* 31 &+ 5), steps: [StreamStep] = []
        for event in randomEvents(count, users: users, items: items, context: 2, values: 0.2...1, seed: seed) {
            steps.append { $0.append(event) }
            let user = Int64(dice.below(users + 10)), item = Int64(dice.below(items + 10)), value = Int64(dice.below(5 + count / 200))
            let attribute = TestFeature(field: "a\(dice.below(3))", value: value, weight: Float(dice.real(0.4...1.2)))
            switch dice.below(40) {
            case 0, 1: steps.append { $0.append(attributes: [attribute], item: item) }
            case 2: steps.append { $0.append(attributes: [attribute], user: user) }
            case 3: steps.append { $0.append(.undo, user: event.user, item: event.item) }
            case 4: steps.append { $0.append(item % 2 == 0 ? .hideItem : .unhideItem, item: item) }
            case 5: steps.append { $0.append(item % 3 == 0 ? .forgetItem : .forgetUser, user: user, item: item) }
            default: break
            }
        }
        return steps
    }

    private func everything(_ seed: Int, trainers: Int) -> Engine {
        let test = EverythingCase.all[seed % EverythingCase.all.count]
        return test.engine(trainers: trainers)
    }

    /// Sections that must be as if nothing had happened, whatever trainers did when.
    private func differences(_ a: MemoryState, _ b: MemoryState) -> [String] {
        a.differences(b).filter { !$0.hasPrefix("model/") }
    }

    @Test(arguments: 0..<120) func everyPartIsThereOnce(_ seed: Int) throws {
        var dice = Dice(seed + 1000)
        let trainers = 1 + seed % 4, steps = Self.stream(600, seed: seed)
        let whole = everything(seed, trainers: trainers)
        GateDriver(whole, steps[...], seed: seed).finish()
        let first = GateDriver(everything(seed, trainers: trainers), steps[...], seed: seed + 1)
        let start = dice.below(steps.count * 2 / 3)
        while first.next < start { first.move() }
        let (state, next) = first.capture(moves: 1 + dice.below(12))
        // Another number of trainers now and then.
        let second = everything(seed, trainers: seed % 3 == 0 ? 1 + dice.below(4) : trainers)
        try second.restore(from: state)
        let again = GateDriver(second, steps[next...], seed: seed + 2)
        again.finish()
        #expect(second.windowEnd == nil && second.nonFiniteValues() == 0)
        #expect(second.appliedPosition == whole.appliedPosition)
        #expect(second.witness(0) == whole.witness(0))
        #expect(differences(MemoryState(second), MemoryState(whole)) == [])
        // And the engine that was captured has noticed nothing.
        first.finish()
        #expect(first.engine.witness(0) == whole.witness(0))
        #expect(differences(MemoryState(first.engine), MemoryState(whole)) == [])
    }

    /// A budget that rows are evicted under, and no options that hide a difference.
    @Test(arguments: 0..<40) func evictedAndReusedRowsAreCaughtToo(_ seed: Int) throws {
        var dice = Dice(seed + 7000)
        let trainers = 1 + seed % 4, steps = Self.stream(1200, seed: seed, users: 90, items: 120)
        func engine() -> Engine { boundedEngine(rows: 70, trainers: trainers, replay: seed % 2 * 128, idle: seed % 5 == 0 ? 1000 : 0) }
        let whole = engine()
        GateDriver(whole, steps[...], seed: seed).finish()
        let first = GateDriver(engine(), steps[...], seed: seed + 1)
        let start = dice.below(steps.count * 2 / 3)
        while first.next < start { first.move() }
        let (state, next) = first.capture(moves: 1 + dice.below(20))
        let second = engine()
        try second.restore(from: state)
        GateDriver(second, steps[next...], seed: seed + 2).finish()
        #expect(second.windowEnd == nil)
        #expect(whole.evictions > 10, "\(whole.evictions)")
        #expect(second.witness(0) == whole.witness(0))
        #expect(differences(MemoryState(second), MemoryState(whole)) == [])
        first.finish()
        #expect(differences(MemoryState(first.engine), MemoryState(whole)) == [])
    }

    /// Every row has taken as many steps as without a restart: negatives, history and context too.
    @Test(arguments: 0..<40) func everyRowTakesEachStepOnce(_ seed: Int) throws {
        var dice = Dice(seed + 9000)
        let trainers = 1 + seed % 4
        var model = ModelSettings(rank: 4, negatives: 3)
        model.history = .init(length: 4, decay: 0.8)
        if seed % 2 == 0 { model.history = .init(length: 0, decay: 0.8) }
        let context = seed % 3 == 0 ? 0 : 2
        let steps: [StreamStep] = randomEvents(900, users: 200, items: 150, context: context, seed: seed).map { event in { $0.append(event) } }
        func engine() -> Engine { Engine(settings: EngineSettings(models: [model], trainers: trainers, queueCapacity: 64, historyLength: 8)) }
        let whole = engine()
        GateDriver(whole, steps[...], seed: seed).finish()
        let first = GateDriver(engine(), steps[...], seed: seed + 1)
        let start = dice.below(700)
        while first.next < start { first.move() }
        let (state, next) = first.capture(moves: 1 + dice.below(30))
        let second = engine()
        try second.restore(from: state)
        let isGated = second.windowEnd != nil
        GateDriver(second, steps[next...], seed: seed + 2).finish()
        for group in whole.models[0].groups where !group.name.hasPrefix("attributes") {
            #expect(second.updates(group.name) == whole.updates(group.name), "\(group.name), \(isGated ? "gated" : "exact")")
        }
        #expect(second.witness(0) == whole.witness(0))
    }

    /// One trainer and one pause: every bit is as if nothing had happened.
    @Test(arguments: 0..<100) func anExactStateGoesOnBitForBit(_ seed: Int) throws {
        var dice = Dice(seed + 3000)
        let isBounded = seed % 3 == 0
        let steps = Self.stream(500, seed: seed, users: isBounded ? 90 : 40, items: isBounded ? 120 : 60)
        func engine() -> Engine { isBounded ? boundedEngine(rows: 70, replay: seed % 2 * 128) : everything(seed, trainers: 1) }
        let whole = engine(), second = engine()
        GateDriver(whole, steps[...], seed: seed).finish()
        let first = GateDriver(engine(), steps[...], seed: seed + 1)
        let start = dice.below(steps.count)
        while first.next < start { first.move() }
        first.reachBoundary()
        first.settle()
        try second.restore(from: MemoryState(first.engine))
        #expect(second.windowEnd == nil)
        GateDriver(second, steps[first.next...], seed: seed + 2).finish()
        #expect(MemoryState(second).differences(MemoryState(whole)) == [])
        #expect(second.witness(0) == whole.witness(0))
    }

    /// What the documentation says of the sums, computed from the list of events alone.
    @Test func sumsAreWhatTheyAreSaidToBe() {
        let events = randomEvents(300, users: 90, items: 200, context: 0, seed: 4)
        let engine = Engine(settings: EngineSettings(trainers: 2, queueCapacity: 64))
        engine.learn(events)
        func mix(_ position: UInt64, _ ordinal: UInt64) -> UInt64 {
            var z = position &* 0x9E37_79B9_7F4A_7C15 &+ ordinal
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        var users: [Int64: UInt64] = [:], items: [Int64: UInt64] = [:]
        var sums = WitnessSums(users: [UInt64](repeating: 0, count: 64), items: [UInt64](repeating: 0, count: 64))
        for (index, event) in events.enumerated() {
            let user = users[event.user] ?? UInt64(users.count), item = items[event.item] ?? UInt64(items.count)
            users[event.user] = user
            items[event.item] = item
            sums.users[Int(user % 64)] &+= mix(UInt64(index + 1), user)
            sums.items[Int(item % 64)] &+= mix(UInt64(index + 1), item)
        }
        #expect(engine.witness(0) == sums)
    }

    /// A journal that ends within the window: positions go on after it, and so does learning.
    @Test func aWindowCanBeAbandoned() throws {
        let steps = Self.stream(900, seed: 3), first = GateDriver(everything(1, trainers: 2), steps[...], seed: 1)
        while first.next < 500 { first.move() }
        let (state, next) = first.capture(moves: 20)
        let second = everything(1, trainers: 2)
        try second.restore(from: state)
        let end = try #require(second.windowEnd)
        GateDriver(second, steps[next..<next + 3], seed: 2).finish()
        second.abandonWindow()
        #expect(second.windowEnd == nil && second.sequencer.lastPosition == end && second.appliedPosition == end)
        GateDriver(second, steps[next...], seed: 2).finish()
        #expect(second.nonFiniteValues() == 0)
    }
}
