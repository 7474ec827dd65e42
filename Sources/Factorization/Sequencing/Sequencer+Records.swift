extension Sequencer {
    /// Takes an item out of answers, or brings it back. An id that is hidden before anything else is known of it gets its
    /// ordinal now, like an item known by its attributes alone, so that it is hidden when its first event comes.
    func takeVisibility(_ record: borrowing EventRecord, _ index: Int) -> Bool {
        let hides = record.kind == .hideItem
        var item = shared.items.find(record.item)
        if hides && item == Placement.none { item = admit(record.item, to: shared.items, .describedItems, isOwed: true) }
        if hides && item == Placement.none { return refuseRow(index) }
        position += 1
        if item != Placement.none { shared.items.setHidden(item, hides) }
        return true
    }

    /// Takes an interaction back, which only the user's trainer can do.
    ///
    /// Lowers the item's count by what one interaction counts now, down to zero. It is the publisher's word that there was
    /// one: the sequencer does not know what each user did.
    func takeUndo(_ record: borrowing EventRecord, _ index: Int, of batch: EventBatch) -> Bool {
        guard let type = record.type.isEmpty ? 0 : shared.types.resolve(batch.text(record.type)) else {
            return refuse(index, .tooManyTypes)
        }
        let user = shared.users.find(record.user), item = shared.items.find(record.item)
        guard user != Placement.none, item != Placement.none else {
            position += 1
            return true
        }
        let queue = queues[Placement.shard(user) % queues.count]
        guard queue.hasSpace(features: 0) else { return false }
        position += 1
        shared.items.count(item, by: -shared.increment(at: position))
        shared.recent.undo(item, at: position)
        queue.append(
            TrainingRecord(
                position: position, user: user, item: item, catalogue: UInt32(shared.items.count), value: 0, weight: 0, type: type,
                featureCount: 0, kind: .undo, hasValue: !record.type.isEmpty))
        return true
    }

    /// Removes a user or an item with all that is held of it. The id goes at once; its rows are cleared by the owning
    /// trainer; its ordinal goes through quarantine like an evicted one, whose round begins as soon as it can.
    func takeForget(_ record: borrowing EventRecord, _ index: Int) -> Bool {
        let ofUser = record.kind == .forgetUser
        let ordinal = ofUser ? shared.users.find(record.user) : shared.items.find(record.item)
        guard ordinal != Placement.none else {
            position += 1
            return true
        }
        for queue in queues where !queue.hasSpace(features: 0, records: 2) { return false }
        if ofUser {
            // At the eviction's position: the first of the two to be applied.
            queues[Placement.shard(ordinal) % queues.count].append(
                TrainingRecord(.forgetUser, user: ordinal, catalogue: shared.items.count, position: position + 1))
        }
        evict(ordinal, ofUser ? .users : .items)
        keeper.quarantine.isUrgent = true
        return true
    }
}
