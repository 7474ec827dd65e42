extension Sequencer {
    /// Takes an item out of answers, or brings it back. An id that is hidden before anything else is known of it gets its
    /// ordinal now, like an item known by its attributes alone, so that it is hidden when its first event comes.
    func takeVisibility(_ record: borrowing EventRecord, _ index: Int) -> Bool {
        let hides = record.kind == .hideItem
        let item = hides ? ordinal(of: record.item, in: .describedItems) : shared.items.find(record.item)
        if hides && item == Placement.none { return refuse(index, .tableFull) }
        position += 1
        if item != Placement.none { shared.items.setHidden(item, hides) }
        return true
    }

    /// Records that only a user's trainer can apply.
    ///
    /// An undo lowers the item's count by what one interaction counts now, down to zero. It is the publisher's word that
    /// there was one: the sequencer does not know what each user did.
    func takeUserRecord(_ record: borrowing EventRecord, _ index: Int, of batch: EventBatch) -> Bool {
        guard let type = record.type.isEmpty ? 0 : shared.types.resolve(batch.text(record.type)) else {
            return refuse(index, .tooManyTypes)
        }
        let user = shared.users.find(record.user)
        let item = record.kind == .undo ? shared.items.find(record.item) : Placement.none
        guard user != Placement.none, record.kind == .forgetUser || item != Placement.none else {
            position += 1
            return true
        }
        let queue = queues[Placement.shard(user) % queues.count]
        guard queue.hasSpace(features: 0) else { return false }
        position += 1
        if record.kind == .undo { shared.items.count(item, by: -shared.increment(at: position)) }
        queue.append(
            TrainingRecord(
                position: position, user: user, item: item, catalogue: UInt32(shared.items.count), value: 0, weight: 0, type: type,
                featureCount: 0, kind: record.kind, hasValue: !record.type.isEmpty))
        return true
    }
}
