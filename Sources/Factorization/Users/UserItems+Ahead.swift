import CKernels
import Synchronization

/// Lists asked for ahead of their use, and what a user's own trainer may ask of them that nobody else writes.
extension UserItems {
    /// Asks for a user's row.
    @inline(__always)
    func prefetch(_ user: UInt32) { fk_bring(row(user)) }

    /// The row being there, asks for the heads of the lists.
    @inline(__always)
    func prefetchLists(of user: UInt32) {
        let row = row(user)
        // A user who has no list yet cannot be foretold, and a wrong guess would wait for the row: then the row is asked for again.
        func bring(_ address: UnsafeRawPointer?) { fk_bring(address ?? UnsafeRawPointer(row)) }
        bring(fk_list_items(row.pointee.history.load(ordering: .relaxed)))
        bring(UnsafeRawPointer(bitPattern: row.pointee.seen.load(ordering: .relaxed) & ~1))
    }

    /// As `hasSeen`, for the trainer that the user belongs to.
    @inline(__always)
    func ownHasSeen(_ item: UInt32, user: UInt32) -> Bool {
        let row = row(user)
        return seenLimit > 0 && fk_has_seen(row.pointee.history.load(ordering: .relaxed), row.pointee.seen.load(ordering: .relaxed), item) != 0
    }

    /// The lists as C reads and writes them (kernel_settle.h).
    var plain: fk_lists {
        fk_lists(
            directory: UnsafeRawPointer(view.slabs.directory).assumingMemoryBound(to: UInt.self), slab_bytes: view.slabs.slabBytes,
            holds_history: historyLength > 0 ? 1 : 0, ring: UInt32(ring), seen_limit: UInt32(seenLimit))
    }
}
