import CKernels

/// Rows asked for ahead of the event that steps them, of a model that does not learn in runs: a run asks for its rows itself.
extension Learner {
    /// How many records ahead the rows of history are asked for: there are so many of them, and so long, that those of a few events
    /// fill the first level of the cache.
    static func historyDistance(_ model: Model) -> Int {
        guard let table = model.histories else { return 0 }
        let lines = model.settings.history.length * (table.stride * MemoryLayout<Float>.stride / 64 + 1)
        return max(1, min(4, 256 / max(lines, 1)))
    }

    /// Asks for the rows of an event's user, its item, and the negatives that will be drawn, and for where these stand in the set of what
    /// the user has seen.
    @inline(__always)
    func prefetch(_ record: UnsafeMutablePointer<TrainingRecord>, _ userItems: UserItems) {
        guard !takesRuns else { return }
        userRows.prefetch(record.pointee.user)
        itemRows.prefetch(record.pointee.item)
        guard negatives > 0 else { return }
        let word = draws.word(at: record.pointee.position), catalogue = UInt64(record.pointee.catalogue)
        let set = verifiesNegatives ? userItems.ownSet(of: record.pointee.user) : nil
        for number in 0..<negatives {
            let ordinal = draws.item(word, number, of: catalogue)
            itemRows.prefetch(ordinal)
            if let set { fk_prefetch(set + 2 + Int(fk_set_home(ordinal, set[0]))) }
        }
    }

    /// Asks for the rows of the user's history, as far as it is known by now.
    @inline(__always)
    func prefetchHistory(of user: UInt32, _ userItems: UserItems) {
        guard let historyRows else { return }
        userItems.forEachNewest(of: user, most: model.settings.history.length) { historyRows.prefetch($0) }
    }
}
