import CKernels
import Synchronization

/// What each user did, shared by all models: the last items in order (history) and the set of items seen.
///
/// While a history is short and has lost nothing it says what was seen, too, as it does for most users of most streams: one
/// block, searched at a glance. The set begins when the history becomes long or is about to lose an item.
///
/// Both are blocks that only grow in place and are replaced as a whole, so a reader on another thread sees a prefix of
/// the present: history items are written before the word that counts them is released, a seen slot is one atomic word. A
/// history at its full size loses its oldest item for each new one, in place; who reads it looks at the word again, and reads
/// anew where what was read may have been overwritten.
///
/// Blocks live within a budget in bytes, one part of it for each shard, so that what is kept is a function of the shard's
/// events alone. From three quarters of its part on, no block of the shard becomes larger and no set begins: a history that
/// is full before its full size keeps its newest half, a full set takes no more and says that it is not complete, as does a history that has lost what it
/// alone knew as seen. Users who are new still get their first blocks until the whole is used.
///
/// Thread safety: a user's lists are written by the trainer that owns the user's shard; they are read from any thread
/// inside `ReaderEpochs.reading`.
final class UserItems: @unchecked Sendable {
    /// 16 bytes a user: an `ItemList` and the address of a `SeenSet`, 0 for none. The lowest bit of `seen` says that an item was left out;
    /// without an address the history says what was seen.
    struct Row: ~Copyable {
        let history = Atomic<UInt>(0)
        let seen = Atomic<UInt>(0)
    }

    /// Items of history that are held, and that answers and learning may use.
    let historyLength: Int
    /// Items of the seen set at most.
    let seenLimit: Int
    /// Items for which a history has room at its full size: more than are held.
    let ring: Int
    /// Items for which a history has room at most that still serves as the seen set: two cache lines.
    private let listed: Int
    private static let mostListed = 32
    private let rows = SlabStore(rowBytes: MemoryLayout<Row>.stride)
    /// `rows`, without reference counting.
    let view: SlabStore.View
    let memory = BlockMemory()
    let pools: [BlockPool]
    /// `pools`, without reference counting.
    private let poolList: UnsafeMutablePointer<Unmanaged<BlockPool>>
    /// Bytes of blocks that a shard may hold.
    private let shardBudget: Int
    /// Items that are not held, or not known as seen, for want of memory; added to by trainers, read by anyone.
    private let left = Atomic<Int>(0)

    /// - Parameter budget: bytes of all blocks.
    init(historyLength: Int, seenLimit: Int, budget: Int = .max, epochs: ReaderEpochs) {
        precondition(historyLength < 1 << 15, "a history holds up to 32,767 items")
        self.historyLength = historyLength
        self.seenLimit = seenLimit
        ring = max(ItemList.leastCapacity, 1 << (Int.bitWidth - historyLength.leadingZeroBitCount))
        listed = min(UserItems.mostListed, seenLimit)
        shardBudget = budget / Placement.shardCount
        view = rows.view
        pools = BlockPool.forShards(epochs: epochs, memory: memory)
        poolList = .allocate(capacity: pools.count)
        for (shard, pool) in pools.enumerated() { (poolList + shard).initialize(to: .passUnretained(pool)) }
    }

    deinit { poolList.deallocate() }

    /// The memory for a user's blocks, for the trainer of that user.
    @inline(__always)
    func withPool(of user: UInt32, _ body: (BlockPool) -> Void) { poolList[Placement.shard(user)]._withUnsafeGuaranteedRef(body) }

    /// Makes room for a user. Sequencer only.
    func ensure(_ user: UInt32) { rows.ensure(user) }

    /// Bytes that the system has given for rows and blocks.
    var bytes: Int { rows.mappedBytes + pools.reduce(0) { $0 + $1.bytes } }
    /// Bytes of the blocks in use: what the budget is about.
    var held: Int { pools.reduce(0) { $0 + $1.held } }
    /// Items left out for want of memory since the start.
    var dropped: Int { left.load(ordering: .relaxed) }

    /// Whether a shard has memory for a block in place of another of `old` bytes.
    /// - Parameter isFirst: whether it is the first that a user gets of its kind.
    func allows(_ pool: BlockPool, _ bytes: Int, insteadOf old: Int = 0, isFirst: Bool = false) -> Bool {
        pool.held - BlockPool.size(old) + BlockPool.size(bytes) <= (isFirst ? shardBudget : shardBudget / 4 * 3)
    }

    @inline(__always)
    func row(_ user: UInt32) -> UnsafeMutablePointer<Row> {
        view.address(user).assumingMemoryBound(to: Row.self)
    }

    // MARK: The stream

    /// Takes an item up as the newest of a user's history, and as seen.
    @inline(__always)
    func add(_ item: UInt32, user: UInt32) {
        let row = row(user)
        // Seen first, so that whoever finds it in the history finds it there, too.
        if !isListed(row) { markSeen(item, user: user) }
        if let history = ItemList(bits: row.pointee.history.load(ordering: .relaxed)), hasRoom(history, row) {
            row.pointee.history.store(history.appending(item).bits, ordering: .releasing)
        } else {
            withPool(of: user) { add(item, afterGrowing: row, user, $0) }
        }
    }

    /// Whether a history can take an item up where it lies. While it says what was seen it must not lose one without notice; and a
    /// block that ever said it is not written round, for readers may still look there: when a set begins, another block takes its place.
    @inline(__always)
    private func hasRoom(_ history: ItemList, _ row: UnsafeMutablePointer<Row>) -> Bool {
        history.written < history.capacity || history.capacity == ring && (seenLimit == 0 || !isListed(row))
    }

    /// Whether the history says what was seen.
    @inline(__always)
    func isListed(_ row: UnsafeMutablePointer<Row>) -> Bool { row.pointee.seen.load(ordering: .relaxed) & ~1 == 0 }

    /// The history needs a first block or another one.
    @inline(never)
    private func add(_ item: UInt32, afterGrowing row: UnsafeMutablePointer<Row>, _ user: UInt32, _ pool: BlockPool) {
        guard historyLength > 0 else { return isListed(row) ? markSeen(item, user: user) : () }
        let old = ItemList(bits: row.pointee.history.load(ordering: .relaxed))
        let count = old?.count ?? 0
        var next = growth(old, pool)
        if isListed(row), seenLimit > 0, next.keep < count || next.capacity > listed {
            beginSet(row, pool, old, losing: count - next.keep, besides: item)
            // A set takes memory, too.
            next = growth(old, pool)
            if !isListed(row) { markSeen(item, user: user) }
        }
        guard next.capacity > 0 else {
            leaveOut(1)
            if isListed(row), seenLimit > 0 { leaveUnseen(row) }
            return
        }
        if next.keep < count { leaveOut(min(count, historyLength) - next.keep) }
        var list = newList(next.capacity, pool)
        for index in (count - next.keep)..<count { list = list.appending(old.unsafelyUnwrapped[index]) }
        row.pointee.history.store(list.appending(item).bits, ordering: .releasing)
        if let old { retire(old, pool) }
    }

    func newList(_ capacity: Int, _ pool: BlockPool) -> ItemList { ItemList(pool.allocate(ItemList.bytes(capacity)), capacity: capacity) }
    func newSet(_ slots: Int, _ pool: BlockPool) -> SeenSet { SeenSet(pool.allocate(SeenSet.bytes(slots)), capacity: slots) }
    func retire(_ list: ItemList, _ pool: BlockPool) { pool.retire(list.address, bytes: ItemList.bytes(list.capacity)) }
    func retire(_ set: SeenSet, _ pool: BlockPool) { pool.retire(set.address, bytes: SeenSet.bytes(set.capacity)) }

    /// The room of the block that takes the place of a full one, none for no block, and how many of the newest items it
    /// keeps: what answers may use, and where there is no memory for a larger one, half of its room.
    private func growth(_ old: ItemList?, _ pool: BlockPool) -> (capacity: Int, keep: Int) {
        let least = ItemList.leastCapacity
        guard let old else { return (allows(pool, ItemList.bytes(least), isFirst: true) ? least : 0, 0) }
        let keep = min(old.count, historyLength), larger = 2 * old.capacity
        guard larger <= ring else { return (old.capacity, keep) }
        guard allows(pool, ItemList.bytes(larger), insteadOf: ItemList.bytes(old.capacity)) else { return (old.capacity, min(keep, old.capacity / 2)) }
        return (larger, keep)
    }

    @inline(never)
    func leaveOut(_ items: Int) { left.add(items, ordering: .relaxed) }

    // MARK: History

    /// The newest items of a user, newest first, into `items`; answers how many.
    func history(of user: UInt32, into items: UnsafeMutableBufferPointer<UInt32>) -> Int {
        let row = row(user)
        while true {
            guard let list = ItemList(bits: row.pointee.history.load(ordering: .acquiring)) else { return 0 }
            let count = min(list.count, historyLength, items.count)
            list.copyNewest(count, into: items)
            atomicMemoryFence(ordering: .acquiring)
            if list.keeps(count, until: row.pointee.history.load(ordering: .relaxed)) { return count }
        }
    }

    /// Takes the newest occurrence of an item out of the history, and the item out of the seen set unless the history still
    /// holds another. An item that the history no longer holds goes out of the seen set alone. Rewrites both blocks: for the
    /// rare record, not for the stream.
    func undo(_ item: UInt32, user: UInt32) {
        let row = row(user), pool = pools[Placement.shard(user)]
        var remains = false
        if let old = ItemList(bits: row.pointee.history.load(ordering: .relaxed)) {
            // What lies beyond the history's length may be there or not: it does not come back.
            let kept = max(0, old.count - historyLength)..<old.count
            if kept.lowerBound > 0, isListed(row), seenLimit > 0 { beginSet(row, pool, old, losing: kept.lowerBound) }
            let undone = kept.last { old[$0] == item }
            var list = newList(old.capacity, pool)
            for index in kept where index != undone {
                list = list.appending(old[index])
                if old[index] == item { remains = true }
            }
            row.pointee.history.store(list.bits, ordering: .releasing)
            retire(old, pool)
        }
        let seen = row.pointee.seen.load(ordering: .relaxed)
        if !remains, let old = SeenSet(bits: seen), old.contains(item) {
            let set = newSet(old.capacity, pool)
            old.forEach { if $0 != item { set.insert($0) } }
            row.pointee.seen.store(set.bits | seen & 1, ordering: .releasing)
            retire(old, pool)
        }
    }

    /// Drops all that is held of a user.
    func clear(_ user: UInt32) {
        let row = row(user), pool = pools[Placement.shard(user)]
        if let old = ItemList(bits: row.pointee.history.exchange(0, ordering: .acquiringAndReleasing)) { retire(old, pool) }
        if let old = SeenSet(bits: row.pointee.seen.exchange(0, ordering: .acquiringAndReleasing)) {
            retire(old, pool)
        }
    }
}
