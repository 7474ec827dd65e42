import CKernels
import Synchronization

/// What each user did, shared by all models: the last items in order (history) and the set of items seen.
///
/// While a history is short and has lost nothing it says what was seen, too, as it does for most users of most streams: one
/// block, searched at a glance. The set begins when the history becomes long or is about to lose an item.
///
/// Both are blocks that only grow in place and are replaced as a whole, so a reader on another thread sees a prefix of
/// the present: history items are written before their count is released, a seen slot is one atomic word.
///
/// Blocks live within a budget in bytes, one part of it for each shard, so that what is kept is a function of the shard's
/// events alone. From three quarters of its part on, no block of the shard becomes larger and no set begins: a full history
/// keeps its newest half, a full set takes no more and says that it is not complete, as does a history that has lost what it
/// alone knew as seen. Users who are new still get their first blocks until the whole is used.
///
/// Thread safety: a user's lists are written by the trainer that owns the user's shard; they are read from any thread
/// inside `ReaderEpochs.reading`.
final class UserItems: @unchecked Sendable {
    /// 16 bytes a user: addresses of blocks. The lowest bit of `seen` says that an item was left out; without an address the
    /// history says what was seen.
    struct Row: ~Copyable {
        let history = Atomic<UInt>(0)
        let seen = Atomic<UInt>(0)
    }

    /// Items of history that are held, and that answers and learning may use.
    let historyLength: Int
    /// Items of the seen set at most.
    let seenLimit: Int
    /// Items for which a history has room at most that still serves as the seen set: two cache lines.
    private let listed: Int
    private static let mostListed = 30
    private let rows = SlabStore(rowBytes: MemoryLayout<Row>.stride)
    /// `rows`, without reference counting.
    let view: SlabStore.View
    let pools: [BlockPool]
    /// Bytes of blocks that a shard may hold.
    private let shardBudget: Int
    /// Items that are not held, or not known as seen, for want of memory; added to by trainers, read by anyone.
    private let left = Atomic<Int>(0)

    /// - Parameter budget: bytes of all blocks.
    init(historyLength: Int, seenLimit: Int, budget: Int = .max, epochs: ReaderEpochs) {
        self.historyLength = historyLength
        self.seenLimit = seenLimit
        listed = min(UserItems.mostListed, seenLimit)
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
        if let history = WordBlock(bits: row.pointee.history.load(ordering: .relaxed)), history.count < history.capacity {
            history.append(item)
        } else {
            add(item, afterGrowing: row, user)
        }
    }

    /// Whether the history says what was seen.
    @inline(__always)
    func isListed(_ row: UnsafeMutablePointer<Row>) -> Bool { row.pointee.seen.load(ordering: .relaxed) & ~1 == 0 }

    /// The history needs a first block or another one.
    @inline(never)
    private func add(_ item: UInt32, afterGrowing row: UnsafeMutablePointer<Row>, _ user: UInt32) {
        guard historyLength > 0 else { return isListed(row) ? markSeen(item, user: user) : () }
        let pool = pools[Placement.shard(user)], old = WordBlock(bits: row.pointee.history.load(ordering: .relaxed))
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
        let block = WordBlock(pool.allocate(WordBlock.bytes(next.capacity)), capacity: next.capacity)
        for index in (count - next.keep)..<count { block.append(old.unsafelyUnwrapped[index]) }
        block.append(item)
        row.pointee.history.store(block.bits, ordering: .releasing)
        if let old { pool.retire(old.address, bytes: WordBlock.bytes(old.capacity)) }
    }

    /// The room of the block that takes the place of a full one, none for no block, and how many of the newest items it
    /// keeps: all while it becomes larger; at full size, only what answers may use.
    private func growth(_ old: WordBlock?, _ pool: BlockPool) -> (capacity: Int, keep: Int) {
        guard let old else { return (allows(pool, WordBlock.bytes(6), isFirst: true) ? 6 : 0, 0) }
        let keep = min(old.count, historyLength), larger = min(WordBlock.doubled(old.capacity), 2 * historyLength)
        guard larger > old.capacity else { return (old.capacity, keep) }
        guard allows(pool, WordBlock.bytes(larger), insteadOf: WordBlock.bytes(old.capacity)) else { return (old.capacity, min(keep, old.capacity / 2)) }
        return (larger, keep)
    }

    @inline(never)
    func leaveOut(_ items: Int) { left.add(items, ordering: .relaxed) }

    // MARK: History: [capacity, count, item, item, …] in 32-bit words

    /// The newest items of a user, newest first, into `items`; answers how many.
    func history(of user: UInt32, into items: UnsafeMutableBufferPointer<UInt32>) -> Int {
        guard let block = WordBlock(bits: row(user).pointee.history.load(ordering: .acquiring)) else { return 0 }
        let count = block.count
        let answer = min(count, historyLength, items.count)
        for index in 0..<answer { items[index] = block[count - 1 - index] }
        return answer
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
            if kept.lowerBound > 0, isListed(row), seenLimit > 0 { beginSet(row, pool, old, losing: kept.lowerBound) }
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
}
