import Synchronization

/// What each user did, shared by all models: the last items in order (history) and the set of items seen.
///
/// Both are blocks that only grow in place and are replaced as a whole, so a reader on another thread sees a prefix of
/// the present: history items are written before their count is released, a seen slot is one atomic word.
///
/// Thread safety: a user's lists are written by the trainer that owns the user's shard; they are read from any thread
/// inside `ReaderEpochs.reading`.
final class UserItems: @unchecked Sendable {
    /// 16 bytes a user.
    private struct Row: ~Copyable {
        let history = Atomic<UInt>(0)
        let seen = Atomic<UInt>(0)
    }

    /// Items of history that answers and learning may use.
    let historyLength: Int
    /// Items of the seen set at most.
    let seenLimit: Int
    private let rows = SlabStore(rowBytes: MemoryLayout<Row>.stride)
    /// `rows`, without reference counting.
    private let view: SlabStore.View
    private let pools: [BlockPool]

    init(historyLength: Int, seenLimit: Int, epochs: ReaderEpochs) {
        self.historyLength = historyLength
        self.seenLimit = seenLimit
        view = rows.view
        pools = (0..<Placement.shardCount).map { _ in BlockPool(epochs: epochs) }
    }

    /// Makes room for a user. Sequencer only.
    func ensure(_ user: UInt32) { rows.ensure(user) }

    var bytes: Int { rows.mappedBytes.load(ordering: .relaxed) + pools.reduce(0) { $0 + $1.bytes } }

    @inline(__always)
    private func row(_ user: UInt32) -> UnsafeMutablePointer<Row> {
        view.address(user).assumingMemoryBound(to: Row.self)
    }

    // MARK: History: [capacity, count, item, item, …] in 32-bit words

    /// Appends to a user's history; past twice the length, the newest half moves to a fresh block.
    func append(_ item: UInt32, user: UInt32) {
        guard historyLength > 0 else { return }
        let row = row(user)
        let old = WordBlock(bits: row.pointee.history.load(ordering: .relaxed))
        if let old, old.count < old.capacity { return old.append(item) }
        append(item, user: user, past: old, pools[Placement.shard(user)])
    }

    /// The history needs a first or a larger block.
    @inline(never)
    private func append(_ item: UInt32, user: UInt32, past old: WordBlock?, _ pool: BlockPool) {
        let row = row(user)
        guard let old else {
            let block = WordBlock(pool.allocate(4 * 8), capacity: 6)
            block.append(item)
            return row.pointee.history.store(block.bits, ordering: .releasing)
        }
        // Growing keeps all; at full size only what answers may use moves on.
        let keep = min(old.count, historyLength)
        let capacity = old.capacity < 2 * historyLength ? min(2 * (old.capacity + 2) - 2, 2 * historyLength) : old.capacity
        let block = WordBlock(pool.allocate(4 * (capacity + 2)), capacity: capacity)
        for index in (old.count - keep)..<old.count { block.append(old[index]) }
        block.append(item)
        row.pointee.history.store(block.bits, ordering: .releasing)
        pool.retire(old.address, bytes: 4 * (old.capacity + 2))
    }

    /// The newest items of a user, newest first, into `items`; answers how many.
    func history(of user: UInt32, into items: UnsafeMutableBufferPointer<UInt32>) -> Int {
        guard let block = WordBlock(bits: row(user).pointee.history.load(ordering: .acquiring)) else { return 0 }
        let count = block.count
        let answer = min(count, historyLength, items.count)
        for index in 0..<answer { items[index] = block[count - 1 - index] }
        return answer
    }

    // MARK: Seen: [mask, count, slot, slot, …], a slot holds item + 1

    /// Adds an item to what the user has seen, unless the set is full.
    func markSeen(_ item: UInt32, user: UInt32) {
        guard seenLimit > 0 else { return }
        let row = row(user)
        let set = WordBlock(bits: row.pointee.seen.load(ordering: .relaxed))
        if let set, set.contains(item) { return }
        // Three quarters full at most. The block's sizes are a power of two and the two words before.
        if let set, set.count < min((set.capacity + 1) / 4 * 3, seenLimit) { return set.insert(item) }
        markSeen(item, user: user, past: set, pools[Placement.shard(user)])
    }

    /// The set needs a first or a larger block, or is full.
    @inline(never)
    private func markSeen(_ item: UInt32, user: UInt32, past set: WordBlock?, _ pool: BlockPool) {
        let row = row(user)
        guard let set else {
            let set = WordBlock(pool.allocate(4 * (8 + 2)), capacity: 7)
            set.insert(item)
            return row.pointee.seen.store(set.bits, ordering: .releasing)
        }
        if set.count >= seenLimit { return }
        let slots = set.capacity + 1
        let grown = WordBlock(pool.allocate(4 * (slots * 2 + 2)), capacity: slots * 2 - 1)
        set.forEach { grown.insert($0) }
        grown.insert(item)
        row.pointee.seen.store(grown.bits, ordering: .releasing)
        pool.retire(set.address, bytes: 4 * (slots + 2))
    }

    /// Whether the user has seen the item, as far as the set reaches.
    @inline(__always)
    func hasSeen(_ item: UInt32, user: UInt32) -> Bool {
        WordBlock(bits: row(user).pointee.seen.load(ordering: .acquiring))?.contains(item) ?? false
    }

    /// Calls `body` with every seen item; false when the set is full, so that items may be missing.
    @discardableResult
    func forEachSeen(by user: UInt32, _ body: (UInt32) -> Void) -> Bool {
        guard let set = WordBlock(bits: row(user).pointee.seen.load(ordering: .acquiring)) else { return true }
        set.forEach(body)
        return set.count < seenLimit
    }

    /// Takes the newest occurrence of an item out of the history, and the item out of the seen set unless the history still
    /// holds another. An item that the history no longer holds goes out of the seen set alone. Rewrites both blocks: for the
    /// rare record, not for the stream.
    func undo(_ item: UInt32, user: UInt32) {
        let row = row(user), pool = pools[Placement.shard(user)]
        var remains = false
        if let old = WordBlock(bits: row.pointee.history.load(ordering: .relaxed)) {
            let block = WordBlock(pool.allocate(4 * (old.capacity + 2)), capacity: old.capacity)
            // What lies beyond the history's length may be there or not: it does not come back.
            let kept = max(0, old.count - historyLength)..<old.count
            let undone = kept.last { old[$0] == item }
            for index in kept where index != undone {
                block.append(old[index])
                if old[index] == item { remains = true }
            }
            row.pointee.history.store(block.bits, ordering: .releasing)
            pool.retire(old.address, bytes: 4 * (old.capacity + 2))
        }
        guard !remains, let old = WordBlock(bits: row.pointee.seen.load(ordering: .relaxed)) else { return }
        let set = WordBlock(pool.allocate(4 * (old.capacity + 3)), capacity: old.capacity)
        old.forEach { if $0 != item { set.insert($0) } }
        row.pointee.seen.store(set.bits, ordering: .releasing)
        pool.retire(old.address, bytes: 4 * (old.capacity + 3))
    }

    /// Drops all that is held of a user.
    func clear(_ user: UInt32) {
        let row = row(user), pool = pools[Placement.shard(user)]
        if let old = WordBlock(bits: row.pointee.history.exchange(0, ordering: .acquiringAndReleasing)) {
            pool.retire(old.address, bytes: 4 * (old.capacity + 2))
        }
        if let old = WordBlock(bits: row.pointee.seen.exchange(0, ordering: .acquiringAndReleasing)) {
            pool.retire(old.address, bytes: 4 * (old.capacity + 3))
        }
    }
}

/// A block of atomic 32-bit words: capacity (or mask), count, then the words. One writer, many readers.
private struct WordBlock {
    let words: UnsafeMutablePointer<Atomic<UInt32>>

    /// The block behind a released address; nil for none.
    init?(bits: UInt) {
        guard let words = UnsafeMutablePointer<Atomic<UInt32>>(bitPattern: bits) else { return nil }
        self.words = words
    }

    /// A new block in zeroed memory of `capacity + 2` words, `capacity + 3` for a set.
    init(_ memory: UnsafeMutableRawPointer, capacity: Int) {
        words = memory.assumingMemoryBound(to: Atomic<UInt32>.self)
        words[0].store(UInt32(capacity), ordering: .relaxed)
        words[1].store(0, ordering: .relaxed)
    }

    var address: UnsafeMutableRawPointer { UnsafeMutableRawPointer(words) }
    var bits: UInt { UInt(bitPattern: words) }
    var capacity: Int { Int(words[0].load(ordering: .relaxed)) }
    var count: Int { Int(words[1].load(ordering: .acquiring)) }

    // As a list.
    subscript(index: Int) -> UInt32 { words[2 + index].load(ordering: .relaxed) }
    func append(_ value: UInt32) {
        let count = words[1].load(ordering: .relaxed)
        words[2 + Int(count)].store(value, ordering: .relaxed)
        words[1].store(count + 1, ordering: .releasing)
    }

    // As a set of value + 1 under linear probing; `capacity` is the mask.
    @inline(__always)
    private func firstSlot(_ value: UInt32) -> Int { Int((value &* 0x9E37_79B1) >> 7) & capacity }

    @inline(__always)
    func contains(_ value: UInt32) -> Bool {
        var slot = firstSlot(value)
        while true {
            let held = words[2 + slot].load(ordering: .relaxed)
            if held == 0 { return false }
            if held == value &+ 1 { return true }
            slot = (slot + 1) & capacity
        }
    }

    func insert(_ value: UInt32) {
        var slot = firstSlot(value)
        while words[2 + slot].load(ordering: .relaxed) != 0 { slot = (slot + 1) & capacity }
        words[2 + slot].store(value &+ 1, ordering: .relaxed)
        words[1].store(words[1].load(ordering: .relaxed) + 1, ordering: .releasing)
    }

    func forEach(_ body: (UInt32) -> Void) {
        for slot in 0...capacity {
            let held = words[2 + slot].load(ordering: .relaxed)
            if held != 0 { body(held - 1) }
        }
    }
}
