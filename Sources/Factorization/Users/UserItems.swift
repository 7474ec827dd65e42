import CKernels
import Synchronization

/// What each user did, shared by all models: the last items in order (history) and the set of items seen.
///
/// Both are blocks that only grow in place and are replaced as a whole, so a reader on another thread sees a prefix of
/// the present: history items are written before their count is released, a seen slot is one atomic word.
///
/// Blocks live within a budget in bytes, one part of it for each shard, so that what is kept is a function of the shard's
/// events alone. From three quarters of its part on, no block of the shard becomes larger: a full history keeps its newest
/// half, a full set takes no more and says that it is not complete. Users who are new still get their first blocks until
/// the whole is used.
///
/// Thread safety: a user's lists are written by the trainer that owns the user's shard; they are read from any thread
/// inside `ReaderEpochs.reading`.
final class UserItems: @unchecked Sendable {
    /// 16 bytes a user: addresses of blocks. The lowest bit of `seen` says that an item was left out.
    struct Row: ~Copyable {
        let history = Atomic<UInt>(0)
        let seen = Atomic<UInt>(0)
    }

    /// Items of history that are held, and that answers and learning may use.
    let historyLength: Int
    /// Items of the seen set at most.
    let seenLimit: Int
    private let rows = SlabStore(rowBytes: MemoryLayout<Row>.stride)
    /// `rows`, without reference counting.
    private let view: SlabStore.View
    let pools: [BlockPool]
    /// Bytes of blocks that a shard may hold.
    private let shardBudget: Int
    /// Items that are not held, or not known as seen, for want of memory; added to by trainers, read by anyone.
    private let left = Atomic<Int>(0)

    /// - Parameter budget: bytes of all blocks.
    init(historyLength: Int, seenLimit: Int, budget: Int = .max, epochs: ReaderEpochs) {
        self.historyLength = historyLength
        self.seenLimit = seenLimit
        shardBudget = budget / Placement.shardCount
        view = rows.view
        pools = BlockPool.forShards(epochs: epochs)
    }

    /// Makes room for a user. Sequencer only.
    func ensure(_ user: UInt32) { rows.ensure(user) }

    /// Bytes that the system has given for rows and blocks.
    var bytes: Int { rows.mappedBytes + pools.reduce(0) { $0 + $1.bytes } }
    /// Bytes of the blocks in use: what the budget is about.
    var held: Int { pools.reduce(0) { $0 + $1.held } }
    /// Items left out for want of memory since the start.
    var dropped: Int { left.load(ordering: .relaxed) }

    /// Whether a shard has memory for a block in place of another of `old` bytes, 0 for none.
    private func allows(_ pool: BlockPool, _ bytes: Int, insteadOf old: Int = 0) -> Bool {
        let after = pool.held - BlockPool.size(old) + BlockPool.size(bytes)
        return after <= (old == 0 ? shardBudget : shardBudget / 4 * 3)
    }

    @inline(__always)
    func row(_ user: UInt32) -> UnsafeMutablePointer<Row> {
        view.address(user).assumingMemoryBound(to: Row.self)
    }

    // MARK: History: [capacity, count, item, item, …] in 32-bit words

    /// Appends to a user's history; past twice the length, the newest half moves to a fresh block.
    @inline(__always)
    func append(_ item: UInt32, user: UInt32) {
        guard historyLength > 0 else { return }
        let row = row(user)
        let old = WordBlock(bits: row.pointee.history.load(ordering: .relaxed))
        if let old, old.count < old.capacity { return old.append(item) }
        append(item, user: user, past: old)
    }

    /// The history needs a first or a larger block.
    @inline(never)
    private func append(_ item: UInt32, user: UInt32, past old: WordBlock?) {
        let row = row(user), pool = pools[Placement.shard(user)]
        guard let old else {
            guard allows(pool, WordBlock.bytes(6)) else { return leaveOut(1) }
            let block = WordBlock(pool.allocate(WordBlock.bytes(6)), capacity: 6)
            block.append(item)
            return row.pointee.history.store(block.bits, ordering: .releasing)
        }
        // Growing keeps all; at full size only what answers may use moves on.
        let full = 2 * historyLength, bytes = WordBlock.bytes(old.capacity)
        var capacity = old.capacity, keep = min(old.count, historyLength)
        let larger = min(2 * (old.capacity + WordBlock.header) - WordBlock.header, full)
        if larger > capacity {
            if allows(pool, WordBlock.bytes(larger), insteadOf: bytes) {
                capacity = larger
            } else {
                leaveOut(keep - min(keep, capacity / 2))
                keep = min(keep, capacity / 2)
            }
        }
        let block = WordBlock(pool.allocate(WordBlock.bytes(capacity)), capacity: capacity)
        for index in (old.count - keep)..<old.count { block.append(old[index]) }
        block.append(item)
        row.pointee.history.store(block.bits, ordering: .releasing)
        pool.retire(old.address, bytes: bytes)
    }

    @inline(never)
    private func leaveOut(_ items: Int) { left.add(items, ordering: .relaxed) }

    /// The newest items of a user, newest first, into `items`; answers how many.
    func history(of user: UInt32, into items: UnsafeMutableBufferPointer<UInt32>) -> Int {
        guard let block = WordBlock(bits: row(user).pointee.history.load(ordering: .acquiring)) else { return 0 }
        let count = block.count
        let answer = min(count, historyLength, items.count)
        for index in 0..<answer { items[index] = block[count - 1 - index] }
        return answer
    }

    // MARK: Seen: [slots, count, slot, slot, …], a slot holds item + 1

    /// Adds an item to what the user has seen, unless the set is full.
    @inline(__always)
    func markSeen(_ item: UInt32, user: UInt32) {
        guard seenLimit > 0 else { return }
        let row = row(user)
        let set = WordBlock(bits: row.pointee.seen.load(ordering: .relaxed))
        if let set, fk_set_holds(set.plain, item) != 0 { return }
        if let set, set.hasRoom && set.count < seenLimit { return set.insert(item) }
        markSeen(item, user: user, past: set)
    }

    /// The set needs a first or a larger block, or is full.
    @inline(never)
    private func markSeen(_ item: UInt32, user: UInt32, past set: WordBlock?) {
        let row = row(user), pool = pools[Placement.shard(user)]
        let slots = set.map { 2 * ($0.capacity + WordBlock.header) - WordBlock.header } ?? 6
        let old = set.map { WordBlock.bytes($0.capacity) } ?? 0
        guard (set?.count ?? 0) < seenLimit, allows(pool, WordBlock.bytes(slots), insteadOf: old) else {
            leaveOut(1)
            _ = row.pointee.seen.bitwiseOr(1, ordering: .relaxed)
            return
        }
        let grown = WordBlock(pool.allocate(WordBlock.bytes(slots)), capacity: slots)
        set?.forEach { grown.insert($0) }
        grown.insert(item)
        let incomplete = row.pointee.seen.load(ordering: .relaxed) & 1
        row.pointee.seen.store(grown.bits | incomplete, ordering: .releasing)
        if let set { pool.retire(set.address, bytes: old) }
    }

    /// Whether the user has seen the item, as far as the set reaches.
    @inline(__always)
    func hasSeen(_ item: UInt32, user: UInt32) -> Bool {
        WordBlock(bits: row(user).pointee.seen.load(ordering: .acquiring))?.contains(item) ?? false
    }

    /// Calls `body` with every seen item; false when items were left out.
    @discardableResult
    func forEachSeen(by user: UInt32, _ body: (UInt32) -> Void) -> Bool {
        let bits = row(user).pointee.seen.load(ordering: .acquiring)
        WordBlock(bits: bits)?.forEach(body)
        return bits & 1 == 0
    }

    /// Takes the newest occurrence of an item out of the history, and the item out of the seen set unless the history still
    /// holds another. An item that the history no longer holds goes out of the seen set alone. Rewrites both blocks: for the
    /// rare record, not for the stream.
    func undo(_ item: UInt32, user: UInt32) {
        let row = row(user), pool = pools[Placement.shard(user)]
        func rewritten(_ old: WordBlock, _ fill: (WordBlock) -> Void) -> UInt {
            let block = WordBlock(pool.allocate(WordBlock.bytes(old.capacity)), capacity: old.capacity)
            fill(block)
            return block.bits
        }
        var remains = false
        if let old = WordBlock(bits: row.pointee.history.load(ordering: .relaxed)) {
            // What lies beyond the history's length may be there or not: it does not come back.
            let kept = max(0, old.count - historyLength)..<old.count
            let undone = kept.last { old[$0] == item }
            let bits = rewritten(old) { block in
                for index in kept where index != undone {
                    block.append(old[index])
                    if old[index] == item { remains = true }
                }
            }
            row.pointee.history.store(bits, ordering: .releasing)
            pool.retire(old.address, bytes: WordBlock.bytes(old.capacity))
        }
        let seen = row.pointee.seen.load(ordering: .relaxed)
        if !remains, let old = WordBlock(bits: seen), old.contains(item) {
            let bits = rewritten(old) { block in old.forEach { if $0 != item { block.insert($0) } } }
            row.pointee.seen.store(bits | seen & 1, ordering: .releasing)
            pool.retire(old.address, bytes: WordBlock.bytes(old.capacity))
        }
    }

    /// Drops all that is held of a user.
    func clear(_ user: UInt32) {
        let row = row(user), pool = pools[Placement.shard(user)]
        for old in [
            row.pointee.history.exchange(0, ordering: .acquiringAndReleasing), row.pointee.seen.exchange(0, ordering: .acquiringAndReleasing),
        ] {
            guard let old = WordBlock(bits: old) else { continue }
            pool.retire(old.address, bytes: WordBlock.bytes(old.capacity))
        }
    }

    // MARK: State: what a snapshot holds, blocks with their sizes, so that they go on as they would have

    /// The blocks of a user's history (oldest first) and seen set, for a snapshot: size, items, and whether items were left
    /// out of the set.
    func blocks(of user: UInt32) -> (history: HeldBlock?, seen: HeldBlock?, isSeenComplete: Bool) {
        let row = row(user), bits = row.pointee.seen.load(ordering: .acquiring)
        let history = WordBlock(bits: row.pointee.history.load(ordering: .acquiring)).map { block in
            HeldBlock(capacity: block.capacity, items: (0..<block.count).map { block[$0] })
        }
        let seen = WordBlock(bits: bits).map { block in
            var items: [UInt32] = []
            block.forEach { items.append($0) }
            return HeldBlock(capacity: block.capacity, items: items.sorted())  // the set's own order depends on the order of insertion
        }
        return (history, seen, bits & 1 == 0)
    }

    /// Takes up a user's history. Under settings that would not have let it become so large, its newest items.
    func restore(history: HeldBlock, user: UInt32) {
        let row = row(user), pool = pools[Placement.shard(user)], bytes = WordBlock.bytes(history.capacity)
        guard history.capacity <= max(2 * historyLength, 6), historyLength > 0, allows(pool, bytes) else {
            for item in history.items { append(item, user: user) }
            return
        }
        let block = WordBlock(pool.allocate(bytes), capacity: history.capacity)
        for item in history.items { block.append(item) }
        row.pointee.history.store(block.bits, ordering: .releasing)
    }

    /// Takes up a user's seen set.
    func restore(seen: HeldBlock?, isComplete: Bool, user: UInt32) {
        let row = row(user), pool = pools[Placement.shard(user)]
        if !isComplete { _ = row.pointee.seen.bitwiseOr(1, ordering: .relaxed) }
        guard let seen else { return }
        let bytes = WordBlock.bytes(seen.capacity)
        guard seen.items.count <= seenLimit, allows(pool, bytes) else {
            for item in seen.items { markSeen(item, user: user) }
            return
        }
        let block = WordBlock(pool.allocate(bytes), capacity: seen.capacity)
        for item in seen.items { block.insert(item) }
        row.pointee.seen.store(block.bits | (isComplete ? 0 : 1), ordering: .releasing)
    }
}

/// A block as a snapshot holds it.
struct HeldBlock: Equatable {
    /// Items of a history, slots of a set.
    var capacity: Int
    var items: [UInt32]

    /// Whether a history could look like this.
    var isHistory: Bool { (items.count...HeldBlock.longest).contains(capacity) }
    /// Whether a seen set could look like this: its block is full of slots, and they are not too full.
    var isSet: Bool {
        let words = capacity + WordBlock.header
        return (8...HeldBlock.longest).contains(words) && words & (words - 1) == 0 && items.count <= WordBlock.room(slots: capacity)
            && zip(items, items.dropFirst()).allSatisfy(<)
    }
    private static let longest = 1 << 24
}
