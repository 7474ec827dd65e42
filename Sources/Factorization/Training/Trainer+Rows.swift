/// Rows that the sequencer takes from one id and gives to another (`RowKeeper`), where the trainer meets them in its queue.
extension Trainer {
    /// Applies a record about rows; false for any other.
    @inline(never)
    func applyRowRecord(_ record: UnsafeMutablePointer<TrainingRecord>) -> Bool {
        let item = record.pointee.item
        switch record.pointee.kind {
        case .evictUser: clear(user: record.pointee.user)
        case .evictItem:
            // Every trainer skips the item from here on; one of them clears what it leaves.
            if Placement.shard(item) % trainerCount == index { clear(item: item) }
            markHole(item, true)
        case .reuseItem: markHole(item, false)
        case .beginSweep: sweeping = record.pointee.takeBatch()?.takeRetainedValue()
        case .sweep: sweep(step: Int(record.pointee.user))
        default: return false
        }
        return true
    }

    /// Clears all that a user leaves, but for the replay reservoir, which is swept.
    func clear(user: UInt32) {
        shared.userItems.clear(user)
        shared.attributes.users.clear(user)
        for learner in learners { learner.forget(user: user) }
    }

    /// The rows of an item that is gone are zero, so that whoever still meets its ordinal learns nothing from it; Gram matrices no longer
    /// hold it.
    private func clear(item: UInt32) {
        for learner in learners { learner.leave(item) }
        shared.attributes.items.clear(item)
        for learner in learners { learner.clear(item) }
    }

    /// Notes whether an ordinal has an item. Trainer only, or before any thread starts.
    func markHole(_ item: UInt32, _ isHole: Bool) {
        holes.set(item, isHole)
        for learner in learners { learner.use(holes.view) }
    }

    /// Goes on with a round. Before any thread starts.
    func use(_ batch: SweepBatch?) { sweeping = batch }

    /// One step of a round: takes the batch's items out of what this trainer's users did, and all of the batch out of the
    /// reservoir.
    /// - Parameters:
    ///   - lists: whether a user's lists are to be swept.
    ///   - replay: whether a shard of the reservoir is.
    func sweep(step: Int, lists: (UInt32) -> Bool = { _ in true }, replay isSwept: (Int) -> Bool = { _ in true }) {
        guard let batch = sweeping else { return }
        for user in batch.range(step, of: batch.users) where Placement.shard(UInt32(user)) % trainerCount == index && lists(UInt32(user)) {
            shared.userItems.sweep(batch.hasItem, user: UInt32(user))
        }
        if let replay = shared.replay {
            let places = batch.range(step, of: replay.places)
            for shard in stride(from: index, to: Placement.shardCount, by: trainerCount) where isSwept(shard) {
                replay.remove(batch, shard: shard, places)
            }
        }
        if step + 1 == batch.steps { sweeping = nil }
    }
}

extension Learner {
    /// Skips these ordinals from here on.
    func use(_ holes: HoleMap.View) {
        draws.use(holes)
        refolding?.use(holes)
        samplingFree?.use(holes)
        interaction?.keeper.use(holes)
    }

    /// Takes an item that is going out of the Gram matrices, while its vector is what they hold.
    func leave(_ item: UInt32) {
        samplingFree?.leave(item)
        interaction?.keeper.leave(item)
    }

    /// Puts an item's rows to zero.
    func clear(_ item: UInt32) {
        model.items.clear(item)
        model.histories?.clear(item)
    }
}
