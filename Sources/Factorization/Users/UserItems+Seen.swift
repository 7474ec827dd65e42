import CKernels
import Synchronization

/// What a user has seen: a set, or the history, while that is short and has lost nothing.
extension UserItems {
    /// Adds an item to what the user has seen, unless the set is full.
    @inline(__always)
    func markSeen(_ item: UInt32, user: UInt32) {
        guard seenLimit > 0 else { return }
        let row = row(user)
        let set = SeenSet(bits: row.pointee.seen.load(ordering: .relaxed))
        if let set, fk_set_holds(set.plain, item) != 0 { return }
        if let set, set.hasRoom && set.count < seenLimit { return set.insert(item) }
        withPool(of: user) { markSeen(item, afterGrowing: row, user, $0) }
    }

    /// The set has to begin or to become larger, or is full.
    @inline(never)
    private func markSeen(_ item: UInt32, afterGrowing row: UnsafeMutablePointer<Row>, _ user: UInt32, _ pool: BlockPool) {
        guard let set = SeenSet(bits: row.pointee.seen.load(ordering: .relaxed)) else {
            let list = ItemList(bits: row.pointee.history.load(ordering: .relaxed))
            if let list, fk_has_seen(list.bits, 0, item) != 0 { return }
            beginSet(row, pool, list)
            return isListed(row) ? leaveUnseen(row) : markSeen(item, user: user)
        }
        let slots = SeenSet.doubled(set.capacity), old = SeenSet.bytes(set.capacity)
        guard set.count < seenLimit, allows(pool, SeenSet.bytes(slots), insteadOf: old) else { return leaveUnseen(row) }
        let grown = newSet(slots, pool)
        set.forEach { grown.insert($0) }
        grown.insert(item)
        let incomplete = row.pointee.seen.load(ordering: .relaxed) & 1
        row.pointee.seen.store(grown.bits | incomplete, ordering: .releasing)
        pool.retire(set.address, bytes: old)
    }

    /// Makes a set of what the history has said so far, with room for one item more. Where there is no memory for it the history goes
    /// on saying what was seen, less what it loses.
    /// - Parameters:
    ///   - lost: oldest items that the history is about to lose.
    ///   - newest: the item that it gets.
    func beginSet(
        _ row: UnsafeMutablePointer<Row>, _ pool: BlockPool, _ list: ItemList?, losing lost: Int = 0, besides newest: UInt32? = nil
    ) {
        let count = list?.count ?? 0, distinct = list.map { list in (0..<count).count { list.isFirst($0) } } ?? 0
        var slots = 6
        while SeenSet.room(slots: slots) <= distinct { slots = SeenSet.doubled(slots) }
        guard allows(pool, SeenSet.bytes(slots), isFirst: list == nil) else {
            for index in 0..<lost {
                let item = list.unsafelyUnwrapped[index]
                if item != newest, !(lost..<count).contains(where: { list.unsafelyUnwrapped[$0] == item }) { leaveUnseen(row) }
            }
            return
        }
        let set = newSet(slots, pool)
        for index in 0..<count where list.unsafelyUnwrapped.isFirst(index) {
            if set.count < seenLimit { set.insert(list.unsafelyUnwrapped[index]) } else { leaveUnseen(row) }
        }
        row.pointee.seen.store(set.bits | row.pointee.seen.load(ordering: .relaxed) & 1, ordering: .releasing)
    }

    @inline(never)
    func leaveUnseen(_ row: UnsafeMutablePointer<Row>) {
        leaveOut(1)
        _ = row.pointee.seen.bitwiseOr(1, ordering: .relaxed)
    }

    /// What says which items a user has seen, a set or a history, and whether it says all.
    @inline(__always)
    private func seen(by user: UInt32) -> (set: SeenSet?, list: ItemList?, isComplete: Bool) {
        let row = row(user)
        var bits = row.pointee.seen.load(ordering: .acquiring), list: ItemList?
        if bits & ~1 == 0, seenLimit > 0 {
            list = ItemList(bits: row.pointee.history.load(ordering: .acquiring))
            // A set that has begun meanwhile knows what this history may have lost.
            bits = row.pointee.seen.load(ordering: .acquiring)
        }
        let set = SeenSet(bits: bits)
        return (set, set == nil ? list : nil, bits & 1 == 0)
    }

    /// Whether the user has seen the item, as far as is known.
    @inline(__always)
    func hasSeen(_ item: UInt32, user: UInt32) -> Bool {
        let seen = seen(by: user)
        return seen.set?.contains(item) ?? seen.list.map { list in (0..<list.count).contains { list[$0] == item } } ?? false
    }

    /// Calls `body` with every seen item once; false when items were left out.
    @discardableResult
    func forEachSeen(by user: UInt32, _ body: (UInt32) -> Void) -> Bool {
        let seen = seen(by: user)
        seen.set?.forEach(body)
        if let list = seen.list {
            for index in 0..<list.count where list.isFirst(index) { body(list[index]) }
        }
        return seen.isComplete
    }
}
