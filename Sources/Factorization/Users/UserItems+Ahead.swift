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

    /// The row being there, asks for as much of the history as its newest `count` items take, and for the head of the set.
    @inline(__always)
    func prefetchLists(of user: UInt32, newest count: Int) {
        let row = row(user), history = row.pointee.history.load(ordering: .relaxed), seen = row.pointee.seen.load(ordering: .relaxed) & ~1
        fk_bring(UnsafeRawPointer(bitPattern: seen) ?? UnsafeRawPointer(row))
        guard history != 0 else { return }
        let items = fk_list_items(history).unsafelyUnwrapped, room = Int(fk_list_room(history)), written = Int(fk_list_written(history))
        // Where there is no set all of a short history is searched for what was seen.
        let most = min(written, seen == 0 ? room : max(count, 1))
        var back = 1
        while back < most {
            fk_bring(items + ((written &- back) & (room &- 1)))
            back &+= 16
        }
        fk_bring(items + ((written &- most) & (room &- 1)))
    }

    /// The set of what a user has seen, for the trainer that the user belongs to; nil where the history says it.
    @inline(__always)
    func ownSet(of user: UInt32) -> UnsafePointer<UInt32>? {
        UnsafePointer<UInt32>(bitPattern: row(user).pointee.seen.load(ordering: .relaxed) & ~1)
    }

    /// Calls `body` with the newest items of a user's history, newest first, `most` of them at most; for the trainer that the user belongs
    /// to.
    @inline(__always)
    func forEachNewest(of user: UInt32, most: Int, _ body: (UInt32) -> Void) {
        let history = row(user).pointee.history.load(ordering: .relaxed)
        guard history != 0 else { return }
        let items = fk_list_items(history).unsafelyUnwrapped, room = Int(fk_list_room(history)), written = Int(fk_list_written(history))
        for back in 1..<(1 &+ min(written, room, historyLength, most)) { body(items[(written &- back) & (room &- 1)]) }
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
