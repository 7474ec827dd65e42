import Testing

@testable import Factorization

/// Lists of attributes within the budget.
@Suite struct BudgetedListsTests {
    private func attributes(_ count: Int, _ dice: inout Dice) -> [TestFeature] {
        (0..<count).map { TestFeature(field: "f\($0)", value: Int64(dice.below(3))) }
    }

    /// Upserts of lists of any length among events, most of them of entities that have come before.
    private func stream(_ count: Int, seed: Int) -> [StreamStep] {
        var dice = Dice(seed), steps: [StreamStep] = []
        for event in zipfEvents(count, users: 500, items: 800, seed: seed) {
            steps.append { $0.append(event) }
            let user = Int64(dice.below(500)), item = Int64(1 + dice.below(800)), list = attributes(dice.below(65), &dice)
            switch dice.below(6) {
            case 0, 1: steps.append { $0.append(attributes: list, item: item) }
            case 2: steps.append { $0.append(attributes: list, user: user) }
            case 3 where dice.below(10) == 0: steps.append { $0.append(.forgetItem, item: item) }
            default: break
            }
        }
        return steps
    }

    private func refusals(_ engine: Engine) -> Int { engine.sequencer.refusals.first { $0.reason == .noAttributeRoom }?.count ?? 0 }

    /// What the keeper counts is what the trainers hold, once they are through.
    private func expectCounted(_ engine: Engine, _ comment: Comment? = nil) {
        let attributes = engine.shared.attributes
        for (table, lists) in [(engine.users, attributes.users), (engine.items, attributes.items)] {
            var sum = 0
            for ordinal in 0..<UInt32(table.count) {
                let held = lists.held(ordinal)?.extent.block ?? 0
                sum += held
                #expect(table.listBytes(of: ordinal) == held, comment)
            }
            #expect(table.listBytes == sum, comment)
        }
    }

    /// 20,000 lists of a kibibyte each, of new items and then of the same ones, for 3 MiB of rows and lists.
    @Test func aFloodOfUpsertsStaysWithinTheBudget() {
        let engine = boundedEngine(rows: 28_000, histories: false), limit = engine.sequencer.keeper.limit
        var dice = Dice(1)
        #expect((2 << 20..<4 << 20).contains(limit), "\(limit)")
        for part in 0..<80 {
            let builder = BatchBuilder(engine)
            for item in 0..<250 { builder.append(attributes: attributes(64, &dice), item: Int64(part % 60 * 250 + item)) }
            engine.learnNow(builder.batch)
            #expect(engine.sequencer.keeper.total <= engine.sequencer.keeper.limit)
        }
        let lists = engine.shared.attributes.items, rows = engine.items.count * engine.sequencer.keeper.costs[RowSide.items.rawValue]
        // Each shard may have begun a chunk, and retired blocks wait in groups as large.
        let slack = 64 * 2 * BlockMemory.chunkBytes
        #expect(lists.blockBytes + rows <= limit + slack, "\(lists.blockBytes) and \(rows) for \(limit)")
        #expect(engine.items.listBytes > limit / 4 && engine.evictions > 100, "\(engine.evictions)")
        expectCounted(engine)
    }

    @Test func whatHasNoRoomIsCountedAndTheOldListStays() {
        let engine = boundedEngine(rows: 2000, histories: false)
        var dice = Dice(2)
        engine.describe(item: 1, [TestFeature(field: "f0", value: 1)])
        let before = engine.attributes(item: engine.item(1))
        engine.learn((0..<6000).map { TestEvent(user: Int64($0 % 900), item: Int64($0 % 900)) })
        var refused = 0
        for item in 1..<900 as Range<Int64> {
            engine.describe(item: item, attributes(64, &dice))
            if refusals(engine) > refused { #expect(item > 1 && engine.attributes(item: engine.item(item)).isEmpty) }
            refused = refusals(engine)
        }
        #expect(refused > 100 && refused < 899 && engine.sequencer.lastRefusals.isEmpty)
        // Another list of the same size, a shorter one and none need no room.
        let first = engine.item(1), longer = engine.attributes(item: first)
        #expect(longer.count == 64 && before.count == 1)
        for count in [64, 63, 20, 0] {
            engine.describe(item: 1, attributes(count, &dice))
            #expect(refusals(engine) == refused && engine.attributes(item: first).count == count)
        }
        expectCounted(engine)
    }

    @Test(arguments: 0..<6) func theSameStreamFindsTheSameRoomHoweverItIsCutAndTakenUp(seed: Int) throws {
        let trainers = 1 + seed % 3, steps = stream(2500, seed: seed)
        func engine() -> Engine { boundedEngine(rows: 700, trainers: trainers) }
        let whole = engine()
        GateDriver(whole, steps[...], seed: seed).finish()
        #expect(whole.evictions > 50 && refusals(whole) > 20, "\(whole.evictions) \(refusals(whole))")
        expectCounted(whole)
        var dice = Dice(seed + 100)
        let first = GateDriver(engine(), steps[...], seed: seed + 1), start = 1000 + dice.below(2000)
        while first.next < start { first.move() }
        let (state, next) = first.capture(moves: 20), second = engine()
        try second.restore(from: state)
        GateDriver(second, steps[next...], seed: seed + 2).finish()
        first.finish()
        for other in [first.engine, second] {
            #expect(MemoryState(other).differences(MemoryState(whole)).filter { !$0.hasPrefix("model/") } == [])
            #expect(other.sequencer.keeper.used == whole.sequencer.keeper.used)
        }
        #expect(refusals(first.engine) == refusals(whole))
    }

    @Test func imagesFromBeforeListsWereCountedAreTakenUp() throws {
        let engine = boundedEngine(rows: 3000)
        for step in stream(600, seed: 9) {
            let builder = BatchBuilder(engine)
            step(builder)
            engine.learnNow(builder.batch)
        }
        var old = MemoryState(engine)
        old.sections = old.sections.filter { !$0.key.hasPrefix("sizes/") }
        let other = boundedEngine(rows: 3000)
        try other.restore(from: old)
        expectCounted(other)
        #expect(other.sequencer.keeper.used == engine.sequencer.keeper.used && other.items.listBytes > 10_000)
        #expect(MemoryState(other).differences(MemoryState(engine)) == [])
    }

    @Test func damagedSizesAreRefused() {
        let engine = boundedEngine(rows: 3000)
        engine.describe(item: 1, [TestFeature(field: "f", value: 1)])
        engine.learn([TestEvent(user: 1, item: 2)])
        let state = MemoryState(engine)
        #expect(state.sections["sizes/items/0"] == [1, 0] && state.sections["sizes/users/0"] == [0])
        for bytes in [[], [1], [1, 0, 0], [8, 0]] as [[UInt8]] {
            var damaged = state
            damaged.sections["sizes/items/0"] = bytes
            #expect(throws: StateError.damaged(section: "sizes/items/0")) { try boundedEngine(rows: 3000).restore(from: damaged) }
        }
    }
}
