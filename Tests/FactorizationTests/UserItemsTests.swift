import Synchronization
import Testing

@testable import Factorization

@Suite struct UserItemsTests {
    private func make(history: Int = 10, seen: Int = 10_000, epochs: ReaderEpochs = ReaderEpochs()) -> UserItems {
        let items = UserItems(historyLength: history, seenLimit: seen, epochs: epochs)
        for user in 0..<100 as Range<UInt32> { items.ensure(user) }
        return items
    }
    private func history(_ items: UserItems, _ user: UInt32, limit: Int = 1000) -> [UInt32] {
        var buffer = [UInt32](repeating: 0, count: limit)
        let count = buffer.withUnsafeMutableBufferPointer { items.history(of: user, into: $0) }
        return Array(buffer.prefix(count))
    }
    private func seen(_ items: UserItems, _ user: UInt32) -> Set<UInt32> {
        var all = Set<UInt32>()
        items.forEachSeen(by: user) { #expect(all.insert($0).inserted) }
        return all
    }

    @Test(arguments: [0, 1, 2, 3, 5, 6, 7, 100]) func historyIsTheNewestItemsNewestFirst(_ length: Int) {
        let items = make(history: length)
        var expected: [[UInt32]] = [[], [], []]
        var dice = Dice(length)
        for step in 0..<700 as Range<UInt32> {
            let user = dice.below(3)
            items.add(step, user: UInt32(user))
            expected[user] = Array(([step] + expected[user]).prefix(length))
            #expect(history(items, UInt32(user)) == expected[user])
        }
        #expect(history(items, 0, limit: 2) == Array(expected[0].prefix(2)))
    }

    @Test(arguments: [0, 1, 6, 7, 50, 10_000]) func seenHoldsItsLimit(_ limit: Int) {
        let items = make(seen: limit)
        for item in 0..<10_100 as Range<UInt32> {
            items.add(item &* 3, user: 1)
            items.add(item &* 3, user: 1)
        }
        #expect(seen(items, 1) == Set((0..<UInt32(limit)).map { $0 * 3 }))
        for item in 0..<UInt32(limit) { #expect(items.hasSeen(item * 3, user: 1) && !items.hasSeen(item * 3 + 1, user: 1)) }
        #expect(!items.hasSeen(0, user: 2))
        if limit > 0 { #expect(!items.forEachSeen(by: 1) { _ in }) }
    }

    /// Whether a history says what was seen or a set does, nobody can tell by what they say.
    @Test(arguments: [0, 1, 4, 9, 16, 100], [0, 2, 6, 17, 10_000])
    func listsSayWhatTheirDefinitionsSay(length: Int, limit: Int) {
        for seed in 0..<20 {
            let items = make(history: length, seen: limit)
            var dice = Dice(seed), past: [UInt32] = [], known: Set<UInt32> = [], isComplete = true
            let range = [5, 40, 1000][seed % 3], undoes = limit > 100
            for _ in 0..<[10, 50, 260][seed / 3 % 3] {
                let item = UInt32(dice.below(range))
                if undoes, dice.below(12) == 0 {
                    items.undo(item, user: 7)
                    past = past.suffix(length)
                    if let newest = past.lastIndex(of: item) { past.remove(at: newest) }
                    if !past.contains(item) { known.remove(item) }
                } else {
                    items.add(item, user: 7)
                    past.append(item)
                    if known.count < limit { known.insert(item) } else if limit > 0, !known.contains(item) { isComplete = false }
                }
                #expect(history(items, 7) == past.suffix(length).reversed())
                #expect(seen(items, 7) == known && items.forEachSeen(by: 7) { _ in } == isComplete)
                #expect((0..<UInt32(min(range, 60))).allSatisfy { items.hasSeen($0, user: 7) == known.contains($0) })
                #expect((0..<UInt32(min(range, 60))).allSatisfy { items.ownHasSeen($0, user: 7) == known.contains($0) })
            }
        }
    }

    @Test(arguments: [0, 100]) func whatFindsNoRoomIsCountedOnce(length: Int) {
        let items = make(history: length, seen: 3)
        for item in 0..<10 as Range<UInt32> { items.add(item, user: 1) }
        #expect(items.dropped == 7)
    }

    @Test func aShortHistoryNeedsNoSet() {
        let items = make(history: 100)
        for item in 0..<32 as Range<UInt32> { items.add(item, user: 1) }
        #expect(items.blocks(of: 1).seen == nil && items.blocks(of: 1).history?.capacity == 32 && items.held == 128)
        items.add(32, user: 1)
        #expect(items.blocks(of: 1).seen?.items == Array(0...32) && items.held == 256 + 256)
        // Thirty-three times the same: a set as small as they come.
        for _ in 0..<33 { items.add(9, user: 2) }
        #expect(items.blocks(of: 2).seen == HeldBlock(capacity: 6, items: [9]))
    }

    /// A history at its full size takes items up where it lies: memory no longer moves.
    @Test func aFullHistoryIsNotReplaced() {
        let items = make(history: 100)
        for item in 0..<200 as Range<UInt32> { items.add(item & 31, user: 1) }
        let row = items.row(1), block = ItemList(bits: row.pointee.history.load(ordering: .relaxed))!.address, held = items.held
        for item in 0..<200_000 as Range<UInt32> { items.add(item & 31, user: 1) }
        #expect(ItemList(bits: row.pointee.history.load(ordering: .relaxed))!.address == block && items.held == held && held == 512 + 256)
        #expect(history(items, 1) == (199_900..<200_000 as Range<UInt32>).reversed().map { $0 & 31 })
    }

    @Test func undoAndForgetTakeOut() {
        let items = make()
        for item in [1, 2, 3, 2, 4] as [UInt32] {
            items.add(item, user: 5)
        }
        // Item 2 came twice: the newest goes first, and while one is left the item counts as seen.
        items.undo(2, user: 5)
        #expect(history(items, 5) == [4, 3, 2, 1] && seen(items, 5) == [1, 2, 3, 4])
        items.undo(2, user: 5)
        #expect(history(items, 5) == [4, 3, 1] && seen(items, 5) == [1, 3, 4])
        items.undo(99, user: 5)
        items.undo(1, user: 6)
        #expect(history(items, 5) == [4, 3, 1] && seen(items, 6).isEmpty)
        items.clear(5)
        #expect(history(items, 5).isEmpty && seen(items, 5).isEmpty)
        items.add(9, user: 5)
        #expect(history(items, 5) == [9] && seen(items, 5) == [9])
    }

    @Test func undoBringsNothingBackFromBeyondTheHistory() {
        let items = make(history: 4)
        for item in 0..<8 as Range<UInt32> {
            items.add(item, user: 5)
        }
        items.undo(6, user: 5)
        #expect(history(items, 5) == [7, 5, 4] && seen(items, 5) == [0, 1, 2, 3, 4, 5, 7])
        // Not in the history any more: only seen knows it.
        items.undo(2, user: 5)
        #expect(history(items, 5) == [7, 5, 4] && seen(items, 5) == [0, 1, 3, 4, 5, 7])
        items.add(9, user: 5)
        #expect(history(items, 5) == [9, 7, 5, 4])
    }

    @Test func undoOfATypeThatDoesNotMarkSeenLeavesHistoryAndSeen() {
        let engine = Engine(
            settings: EngineSettings(
                models: [ModelSettings(rank: 4, negatives: 0)], eventTypes: ["look": TypeRule(marksSeen: false)], queueCapacity: 16))
        engine.learn([TestEvent(user: 7, item: 1, type: "buy"), TestEvent(user: 7, item: 1, type: "look")])
        let items = engine.shared.userItems
        for (type, frequency, remains) in [("look", Float(1), true), ("buy", 0, false)] {
            let builder = BatchBuilder(engine)
            builder.append(.undo, user: 7, item: 1, type: type)
            engine.learnNow(builder.batch)
            #expect(engine.items.frequency(0) == frequency)
            #expect(history(items, 0) == (remains ? [0] : []) && items.hasSeen(0, user: 0) == remains)
        }
        let builder = BatchBuilder(engine)
        builder.append(.undo, user: 7, item: 1)
        engine.learnNow(builder.batch)
        #expect(engine.items.frequency(0) == 0 && engine.users.frequency(0) == 2)
    }

    @Test func recordsOfTheStreamUndoAndForget() {
        let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 4, negatives: 0)], queueCapacity: 16))
        engine.learn([1, 2, 3].map { TestEvent(user: 7, item: $0) } + [TestEvent(user: 8, item: 1)])
        let forgotten = engine.user(8)
        let builder = BatchBuilder(engine)
        builder.append(.undo, user: 7, item: 2)
        builder.append(.forgetUser, user: 8)
        builder.append(.undo, user: 100, item: 2)
        engine.learnNow(builder.batch)
        #expect(history(engine.shared.userItems, engine.user(7)) == [3, 1].map { engine.item($0) })
        #expect(!engine.shared.userItems.hasSeen(engine.item(2), user: engine.user(7)))
        #expect(engine.items.frequency(engine.item(2)) == 0 && history(engine.shared.userItems, forgotten).isEmpty)
        // Seven records, and the beginning of the round that sweeps the forgotten user's ordinal.
        #expect(engine.user(8) == Placement.none && engine.sequencer.lastPosition == 8 && engine.appliedPosition == 8)
    }

    /// One user's history counts up, so what a reader sees must be a run that counts down; seen must hold all of a prefix. Of 31 items
    /// the oldest goes with the second that comes.
    @Test(arguments: [20, 31]) func readersSeeAWholeRunWhileBlocksAreReplaced(length: Int) {
        let epochs = ReaderEpochs(), items = make(history: length, seen: 100_000, epochs: epochs)
        let done = Atomic<Bool>(false), wrong = Atomic<Int>(0)
        let reader: @Sendable () -> Void = {
            let ticket = epochs.register()
            var buffer = [UInt32](repeating: 0, count: length)
            var highest: UInt32 = 0
            repeat {
                epochs.reading(ticket) {
                    let count = buffer.withUnsafeMutableBufferPointer { items.history(of: 3, into: $0) }
                    for index in 1..<max(count, 1) where buffer[index] != buffer[0] - UInt32(index) { wrong.add(1, ordering: .relaxed) }
                    if count > 0 && buffer[0] < highest { wrong.add(1, ordering: .relaxed) }
                    if count > 0 { highest = buffer[0] }
                    for item in 0..<min(highest, 300) where !items.hasSeen(item, user: 3) { wrong.add(1, ordering: .relaxed) }
                }
            } while !done.load(ordering: .acquiring)
        }
        let writer: @Sendable () -> Void = {
            for item in 0..<20_000 as Range<UInt32> {
                items.add(item, user: 3)
                // Another user of the same shard takes up blocks that were given back.
                items.add(item ^ 0xFFFF_FFFF, user: 3 + 64)
                if item % 300 == 0 { items.clear(3 + 64) }
            }
            done.store(true, ordering: .releasing)
        }
        onThreads([writer, reader, reader])
        #expect(wrong.load(ordering: .relaxed) == 0)
    }

    /// What is asked for ahead is what an event then reads: the newest items, in their order, and the set where there is one.
    @Test(arguments: [5, 20, 100])
    func whatIsAskedForAheadIsWhatIsRead(most: Int) {
        let items = UserItems(historyLength: 100, seenLimit: 1000, epochs: ReaderEpochs())
        items.ensure(0)
        for item in 0..<300 as Range<UInt32> {
            var ahead: [UInt32] = []
            items.forEachNewest(of: 0, most: most) { ahead.append($0) }
            let read = [UInt32](unsafeUninitializedCapacity: most) { $1 = items.history(of: 0, into: $0) }
            #expect(ahead == read && ahead.count == min(Int(item), most))
            #expect((items.ownSet(of: 0) == nil) == (item <= 32))
            if let set = items.ownSet(of: 0) { #expect(set[1] == item) }
            items.prefetchLists(of: 0, newest: most)
            items.add(item, user: 0)
        }
    }

    /// While histories give what they say to sets and lose their oldest items, a reader misses none of what was seen.
    @Test func readersMissNothingWhileSetsBegin() {
        let epochs = ReaderEpochs(), items = UserItems(historyLength: 16, seenLimit: 1000, epochs: epochs), users: UInt32 = 20_000
        for user in 0..<users { items.ensure(user) }
        // Users before it have all their items, it itself as many as the low bits say.
        let progress = Atomic<UInt32>(0), wrong = Atomic<Int>(0), looks = Atomic<Int>(0)
        let reader: @Sendable () -> Void = {
            let ticket = epochs.register()
            while true {
                let state = progress.load(ordering: .acquiring), user = state >> 6
                if user >= users { break }
                epochs.reading(ticket) {
                    for item in 0..<state & 63 where !items.hasSeen(item, user: user) { wrong.add(1, ordering: .relaxed) }
                }
                looks.add(1, ordering: .relaxed)
            }
        }
        let writer: @Sendable () -> Void = {
            for user in 0..<users {
                for item in 0..<40 as Range<UInt32> {
                    items.add(item, user: user)
                    progress.store(user << 6 | (item + 1), ordering: .releasing)
                }
            }
            progress.store(users << 6, ordering: .releasing)
        }
        onThreads([writer, reader])
        #expect(wrong.load(ordering: .relaxed) == 0 && looks.load(ordering: .relaxed) > 0)
    }
}
