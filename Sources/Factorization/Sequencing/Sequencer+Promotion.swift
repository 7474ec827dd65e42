import Synchronization

extension Sequencer {
    /// Makes a model the one that answers by default; the record's item is its name. What was compared before says nothing of
    /// the time after, so that every trainer begins anew at this place of the stream. A name that no model has changes nothing.
    func takePromotion(_ record: borrowing EventRecord, _ index: Int) -> Bool {
        let name = record.item.isText ? record.item.text : nil
        guard let name, let model = models.firstIndex(where: { name.elementsEqual($0.settings.name.utf8) }),
            model != answering.load(ordering: .relaxed)
        else {
            position += 1
            return true
        }
        for queue in queues where !queue.hasSpace(features: 0) { return false }
        position += 1
        answering.store(model, ordering: .releasing)
        promotedAt.store(position, ordering: .relaxed)
        for queue in queues { queue.append(TrainingRecord(.promote, catalogue: shared.items.count, position: position)) }
        return true
    }
}

extension EventBatch {
    /// Adds the record that promotes a model. False when the batch is full.
    public func appendPromotion(of model: String, hashing: KeyHash) -> Bool {
        guard let range = Array(model.utf8).withUnsafeBytes({ copyText($0) }) else { return false }
        return append(EventRecord(kind: .promote, user: Key(integer: 0, hashing: hashing), item: Key(text: text(range), hashing: hashing)))
    }
}
