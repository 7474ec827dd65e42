import Synchronization

/// What a snapshot holds of users: blocks with their sizes, so that they go on as they would have.
extension UserItems {
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
        guard history.capacity <= max(2 * historyLength, 6), historyLength > 0, allows(pool, bytes, isFirst: true) else {
            for item in history.items { add(item, user: user) }
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
        // One that began while the history was restored.
        if let old = WordBlock(bits: row.pointee.seen.exchange(isComplete ? 0 : 1, ordering: .acquiringAndReleasing)) {
            pool.retire(old.address, bytes: WordBlock.bytes(old.capacity))
        }
        let bytes = WordBlock.bytes(seen.capacity)
        guard seen.items.count <= seenLimit, allows(pool, bytes, isFirst: true) else {
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
    var isHistory: Bool { (max(items.count, 6)...HeldBlock.longest).contains(capacity) }
    /// Whether a seen set could look like this: its block is full of slots, and they are not too full.
    var isSet: Bool {
        let words = capacity + WordBlock.header
        return (8...HeldBlock.longest).contains(words) && words & (words - 1) == 0 && items.count <= WordBlock.room(slots: capacity)
            && zip(items, items.dropFirst()).allSatisfy(<)
    }
    private static let longest = 1 << 24
}
