import CKernels
import Synchronization

/// What a user's own trainer does in its loop: lists asked for ahead of their use, and a set that nobody else writes.
extension UserItems {
    /// Asks for a user's row.
    @inline(__always)
    func prefetch(_ user: UInt32) { fk_bring(row(user)) }

    /// The row being there, asks for the heads of the lists.
    @inline(__always)
    func prefetchLists(of user: UInt32) {
        let row = row(user)
        // A user who has no list yet cannot be foretold, and a wrong guess would wait for the row: then the row is asked for again.
        func bring(_ bits: UInt) {
            let address = bits & ~1
            fk_bring(UnsafeRawPointer(bitPattern: address == 0 ? UInt(bitPattern: row) : address).unsafelyUnwrapped)
        }
        bring(row.pointee.history.load(ordering: .relaxed))
        bring(row.pointee.seen.load(ordering: .relaxed))
    }

    /// The heads being there, asks for the places that an item will be written to.
    @inline(__always)
    func prefetchPlaces(of user: UInt32, for item: UInt32) {
        let row = row(user)
        // A list is as good as a set here: the number of its items follows that of its places.
        let history = fk_set_at(row.pointee.history.load(ordering: .relaxed)).unsafelyUnwrapped
        fk_prefetch(history + (WordBlock.header &+ Int(history[1])))
        let seen = seenSet(of: user)
        fk_prefetch(seen + (WordBlock.header &+ Int(fk_set_home(item, seen[0]))))
    }

    /// What a user has seen, as `fk_set_holds` asks it; valid until the user's trainer, which this is for, marks an item.
    @inline(__always)
    func seenSet(of user: UInt32) -> UnsafePointer<UInt32> {
        fk_set_at(row(user).pointee.seen.load(ordering: .relaxed)).unsafelyUnwrapped
    }
}
