import Synchronization

/// What a snapshot holds of users: blocks with their sizes, so that they go on as they would have.
extension UserItems {
    /// The blocks of a user's history (oldest first) and seen set, for a snapshot: size, items, and whether items were left
    /// out of the set.
    func blocks(of user: UInt32) -> (history: HeldBlock?, seen: HeldBlock?, isSeenComplete: Bool) {
        let row = row(user), bits = row.pointee.seen.load(ordering: .acquiring)
        let history = ItemList(bits: row.pointee.history.load(ordering: .acquiring)).map { list in
            HeldBlock(capacity: list.capacity, items: (0..<list.count).map { list[$0] })
        }
        let seen = SeenSet(bits: bits).map { block in
            var items: [UInt32] = []
            block.forEach { items.append($0) }
            return HeldBlock(capacity: block.capacity, items: items.sorted())  // the set's own order depends on the order of insertion
        }
        return (history, seen, bits & 1 == 0)
    }

    /// Takes up a user's history. Under settings that would not have let it become so large, its newest items. Files from before histories
    /// had room for 2ⁿ items say 6, 14, … or twice what is held: then there is room for more.
    func restore(history: HeldBlock, user: UInt32) {
        let pool = pools[Placement.shard(user)]
        var capacity = ItemList.leastCapacity
        while capacity < history.capacity { capacity *= 2 }
        guard capacity <= ring, historyLength > 0, allows(pool, ItemList.bytes(capacity), isFirst: true) else {
            for item in history.items { add(item, user: user) }
            return
        }
        var list = newList(capacity, pool)
        for item in history.items { list = list.appending(item) }
        row(user).pointee.history.store(list.bits, ordering: .releasing)
    }

    /// Takes up a user's seen set.
    func restore(seen: HeldBlock?, isComplete: Bool, user: UInt32) {
        let row = row(user), pool = pools[Placement.shard(user)]
        if !isComplete { _ = row.pointee.seen.bitwiseOr(1, ordering: .relaxed) }
        guard let seen else { return }
        // One that began while the history was restored.
        if let old = SeenSet(bits: row.pointee.seen.exchange(isComplete ? 0 : 1, ordering: .acquiringAndReleasing)) {
            retire(old, pool)
        }
        let bytes = SeenSet.bytes(seen.capacity)
        guard seen.items.count <= seenLimit, allows(pool, bytes, isFirst: true) else {
            for item in seen.items { markSeen(item, user: user) }
            return
        }
        let block = newSet(seen.capacity, pool)
        for item in seen.items { block.insert(item) }
        row.pointee.seen.store(block.bits | (isComplete ? 0 : 1), ordering: .releasing)
    }
}

/// A block as a snapshot holds it.
struct HeldBlock: Equatable {
    /// Items of a history, slots of a set.
    var capacity: Int
    var items: [UInt32]

    /// Whether a history could look like this, in this version or an earlier one.
    var isHistory: Bool { (max(items.count, 6)...HeldBlock.longest).contains(capacity) }
    /// Whether a seen set could look like this: its block is full of slots, and they are not too full.
    var isSet: Bool {
        let words = capacity + SeenSet.header
        return (8...HeldBlock.longest).contains(words) && words & (words - 1) == 0 && items.count <= SeenSet.room(slots: capacity)
            && zip(items, items.dropFirst()).allSatisfy(<)
    }
    private static let longest = 1 << 24
}
