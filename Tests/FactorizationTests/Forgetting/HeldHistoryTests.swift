import Synchronization
import Testing

@testable import Factorization

/// Histories and seen sets within a budget in bytes.
@Suite struct HeldHistoryTests {
    private let users: UInt32 = 3000

    private func make(budget: Int, history: Int = 40, seen: Int = 10_000, epochs: ReaderEpochs = ReaderEpochs()) -> UserItems {
        let items = UserItems(historyLength: history, seenLimit: seen, budget: budget, epochs: epochs)
        for user in 0..<users { items.ensure(user) }
        return items
    }
    private func history(_ items: UserItems, _ user: UInt32) -> [UInt32] {
        var buffer = [UInt32](repeating: 0, count: 100)
        let count = buffer.withUnsafeMutableBufferPointer { items.history(of: user, into: $0) }
        return Array(buffer.prefix(count))
    }

    @Test(arguments: [0, 64 * 40, 64 * 1000, 64 * 4096, 1 << 19, 1 << 20, 64 << 20]) func theBudgetIsKept(_ budget: Int) {
        let items = make(budget: budget)
        var took = [[UInt32]](repeating: [], count: Int(users)), dice = Dice(budget)
        for step in 0..<60_000 as Range<UInt32> {
            // A few users come all the time, most of them seldom.
            let user = dice.below(4) == 0 ? dice.below(30) : dice.below(Int(users)), item = step % 5000
            took[user].append(item)
            items.add(item, user: UInt32(user))
            if step % 1000 == 0 { #expect(items.held <= budget) }
        }
        #expect(items.held <= budget && (items.dropped > 0) == (budget < 1 << 20))
        var complete = 0
        for user in 0..<users {
            let newest = Array(took[Int(user)].suffix(40).reversed()), held = history(items, user)
            // The newest ones in order, however many there was room for.
            #expect(held == Array(newest.prefix(held.count)) || budget < 64 * 1000 && held.isEmpty)
            if budget >= 1 << 19 { #expect(held.count >= min(newest.count, 3)) }
            if budget >= 64 << 20 { #expect(held == newest) }
            var seen = Set<UInt32>()
            let isComplete = items.forEachSeen(by: user) { seen.insert($0) }
            complete += isComplete ? 1 : 0
            #expect(seen.isSubset(of: took[Int(user)]) && isComplete == (seen == Set(took[Int(user)])))
        }
        #expect((complete == Int(users)) == (budget >= 1 << 20))
    }

    /// Memory beyond the blocks in use stays a fifth of them, but for a chunk and as much in retired blocks of a shard: blocks that
    /// users have outgrown serve others, of whatever size.
    @Test func memoryOfTheSystemFollowsTheBlocks() {
        let items = UserItems(historyLength: 200, seenLimit: 10_000, epochs: ReaderEpochs())
        // All of one shard.
        let users = stride(from: 0 as UInt32, to: 3000 * 64, by: 64)
        for user in 0..<3000 * 64 as Range<UInt32> { items.ensure(user) }
        for round in 0..<600 as Range<UInt32> { for user in users { items.add(round, user: user) } }
        let rows = 64 * 16 * Placement.rowsPerSlab
        #expect(items.held > 12 << 20)
        #expect(items.bytes - rows <= items.held + items.held / 5 + 2 * BlockMemory.chunkBytes, "\(items.bytes - rows) for \(items.held)")
    }

    @Test func blocksGoOnAsTheyWere() {
        let budget = 64 * 2000, whole = make(budget: budget), first = make(budget: budget), second = make(budget: budget)
        var dice = Dice(3)
        let steps = (0..<40_000).map { _ in (user: UInt32(dice.below(800)), item: UInt32(dice.below(3000))) }
        func take(_ items: UserItems, _ steps: some Sequence<(user: UInt32, item: UInt32)>) {
            for (user, item) in steps {
                items.add(item, user: user)
                if item == 7 { items.undo(7, user: user) }
                if item == 8 { items.clear(user) }
            }
        }
        take(whole, steps)
        take(first, steps[..<25_000])
        for user in 0..<users {
            let blocks = first.blocks(of: user)
            if let history = blocks.history { second.restore(history: history, user: user) }
            second.restore(seen: blocks.seen, isComplete: blocks.isSeenComplete, user: user)
        }
        #expect(second.held == first.held)
        take(second, steps[25_000...])
        #expect(second.held == whole.held)
        for user in 0..<users { #expect(whole.blocks(of: user) == second.blocks(of: user)) }
    }

    @Test func aSmallerRoomTakesTheNewest() {
        let large = make(budget: 1 << 30, history: 60), small = make(budget: 1 << 30, history: 10)
        for item in 0..<110 as Range<UInt32> { large.add(item, user: 1) }
        small.restore(history: large.blocks(of: 1).history!, user: 1)
        #expect(history(small, 1) == (100..<110).reversed())
    }

    /// Files of earlier versions say other sizes.
    @Test(arguments: [6, 14, 30, 62, 80]) func blocksOfEarlierVersionsAreTakenUp(capacity: Int) {
        for count in [0, 1, capacity / 2, capacity] {
            let items = make(budget: 1 << 30), past = (0..<UInt32(count)).map { $0 * 3 }
            items.restore(history: HeldBlock(capacity: capacity, items: past), user: 1)
            items.restore(seen: capacity > 30 ? HeldBlock(capacity: 254, items: past) : nil, isComplete: true, user: 1)
            #expect(history(items, 1) == past.suffix(40).reversed())
            for item in 500..<540 as Range<UInt32> { items.add(item, user: 1) }
            #expect(history(items, 1) == (500..<540).reversed())
            #expect((0..<600).allSatisfy { items.hasSeen($0, user: 1) == (past.contains($0) || (500..<540).contains($0)) })
        }
    }

    /// As without a budget: what a reader sees is a run that counts down, also while blocks keep halving.
    @Test func readersSeeAWholeRunAtTheBudget() {
        let epochs = ReaderEpochs(), items = make(budget: 64 * 400, epochs: epochs)
        let done = Atomic<Bool>(false), wrong = Atomic<Int>(0)
        let reader: @Sendable () -> Void = {
            let ticket = epochs.register()
            var buffer = [UInt32](repeating: 0, count: 40)
            repeat {
                epochs.reading(ticket) {
                    let count = buffer.withUnsafeMutableBufferPointer { items.history(of: 3, into: $0) }
                    for index in 1..<max(count, 1) where buffer[index] != buffer[0] - UInt32(index) { wrong.add(1, ordering: .relaxed) }
                    items.forEachSeen(by: 3) { if $0 >= 20_000 { wrong.add(1, ordering: .relaxed) } }
                }
            } while !done.load(ordering: .acquiring)
        }
        let writer: @Sendable () -> Void = {
            for item in 0..<20_000 as Range<UInt32> {
                items.add(item, user: 3)
                items.add(item ^ 0xFFFF_FFFF, user: 3 + 64)
                if item % 300 == 0 { items.clear(3 + 64) }
            }
            done.store(true, ordering: .releasing)
        }
        onThreads([writer, reader, reader])
        #expect(wrong.load(ordering: .relaxed) == 0 && items.held <= 64 * 400)
    }
}
