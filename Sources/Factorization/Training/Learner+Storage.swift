import CKernels

/// Models whose tables hold bfloat16s: the rows of an event lie on a bench while it is learned.
extension Learner {
    /// Lays the event's items on the bench.
    @inline(never)
    func layOut(_ count: Int) {
        guard let bench else { return }
        let stride = model.items.stride
        for index in 0..<count { items[index].factors = bench.row(ordinals[index], itemRows, count: stride) }
    }

    /// The user's row where it alone is the side.
    @inline(__always)
    func queryRow(_ user: UInt32) -> UnsafeMutablePointer<Float> {
        guard isHalf else { return userRows.factors(user) }
        return bench.unsafelyUnwrapped.row(user, userRows, count: model.users.stride)
    }

    /// Puts all rows of an event back.
    /// - Parameter replay: as in `learn`.
    @inline(never)
    func putBack(_ record: UnsafeMutablePointer<TrainingRecord>, replay: UInt64?) {
        bench?.putBack(word: mix64(replay ?? draws.word(at: record.pointee.position)))
    }
}
