extension Sequencer {
    /// An upsert of an entity's attributes: admits the entity and the attributes, and hands the list to the one trainer that
    /// writes it, so that it counts from its position on. It takes the place of all attributes from before. False when that
    /// trainer's queue is full.
    func takeAttributes(_ record: borrowing EventRecord, _ index: Int, of batch: EventBatch) -> Bool {
        let ofItem = record.kind == .itemAttributes
        let given = min(Int(record.featureCount), AttributeLists.longest)
        let entity =
            given == 0
            ? ordinal(of: ofItem ? record.item : record.user, in: ofItem ? .items : .users)
            : ordinal(of: ofItem ? record.item : record.user, in: ofItem ? .describedItems : .describedUsers)
        guard entity != Placement.none else { return refuseRow(index) }
        let queue = queues[Placement.shard(entity) % queues.count]
        guard queue.hasSpace(features: given, records: 2) else { return false }
        if given < Int(record.featureCount) { _ = refuse(index, .badFeature) }
        var featureCount: UInt16 = 0
        let scale = FeatureCrowd.scale(batch.features, from: Int(record.firstFeature), count: given)
        for feature in 0..<given {
            let entry = batch.features[Int(record.firstFeature) + feature]
            guard let attribute = attribute(entry, index, of: batch, in: ofItem ? .itemAttributes : .userAttributes) else { continue }
            queue.append(ResolvedFeature(ordinal: attribute, weight: entry.weight * scale))
            featureCount += 1
        }
        position += 1
        queue.append(
            TrainingRecord(
                position: position, user: ofItem ? Placement.none : entity, item: ofItem ? entity : Placement.none,
                catalogue: UInt32(shared.items.count), value: 0, weight: 0, type: 0, featureCount: featureCount,
                kind: record.kind, hasValue: false))
        return true
    }

    /// The ordinal of one attribute; nil where it cannot be taken.
    private func attribute(_ entry: FeatureEntry, _ index: Int, of batch: EventBatch, in side: Side) -> UInt32? {
        guard abs(entry.weight) <= Sequencer.largestFeature else {
            _ = refuse(index, .badFeature)
            return nil
        }
        guard let namespace = shared.fields.namespace(adding: batch.text(entry.field)) else {
            _ = refuse(index, .tooManyFields)
            return nil
        }
        let ordinal = ordinal(of: entry.value.placed(in: namespace, hashing: shared.hashing), in: side)
        if ordinal == Placement.none { _ = refuseRow(index) }
        return ordinal == Placement.none ? nil : ordinal
    }
}
