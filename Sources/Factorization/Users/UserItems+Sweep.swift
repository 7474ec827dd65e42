import Synchronization

extension UserItems {
    /// Takes items out of a user's history and seen set. Blocks that hold none of them stay as they are; others are written anew, of the same
    /// size.
    func sweep(_ isGone: (UInt32) -> Bool, user: UInt32) {
        let row = row(user), pool = pools[Placement.shard(user)]
        if let old = ItemList(bits: row.pointee.history.load(ordering: .relaxed)),
            (0..<old.count).contains(where: { isGone(old[$0]) })
        {
            var list = newList(old.capacity, pool)
            for index in 0..<old.count where !isGone(old[index]) { list = list.appending(old[index]) }
            row.pointee.history.store(list.bits, ordering: .releasing)
            retire(old, pool)
        }
        let seen = row.pointee.seen.load(ordering: .relaxed)
        guard let old = SeenSet(bits: seen) else { return }
        var isHeld = false
        old.forEach { if isGone($0) { isHeld = true } }
        guard isHeld else { return }
        let block = newSet(old.capacity, pool)
        old.forEach { if !isGone($0) { block.insert($0) } }
        row.pointee.seen.store(block.bits | seen & 1, ordering: .releasing)
        retire(old, pool)
    }
}
