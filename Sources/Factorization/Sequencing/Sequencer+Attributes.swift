extension Sequencer {
    /// An upsert of an entity's attributes: admits the entity and the attributes, and hands the list to the one trainer that
    /// writes it, so that it counts from its position on. It takes the place of all attributes from before. False when that
    /// trainer's queue is full. Where the budget has no room for a longer list, the entity keeps the one it has.
    func takeAttributes(_ record: borrowing EventRecord, _ index: Int, of batch: EventBatch) -> Bool {
        let ofItem = record.kind == .itemAttributes
        let given = min(Int(record.featureCount), AttributeLists.longest)
        let entity =
            given == 0
            ? ordinal(of: ofItem ? record.item : record.user, in: ofItem ? .items : .users)
            : ordinal(of: ofItem ? record.item : record.user, in: ofItem ? .describedItems : .describedUsers)
        guard entity != Placement.none else { return refuseRow(index) }
        let queue = queues[Placement.shard(entity) % queues.count]
        guard queue.hasSpace(features: given + 2, records: 2) else { return false }
        // Before any attribute is admitted, and so by what all of them would take.
        let most = AttributeExtent(most: given, record, batch).block
        guard keeper.admit(list: most, of: entity, ofItem ? .items : .users) else { return refuse(index, .noAttributeRoom) }
        if given < Int(record.featureCount) { _ = refuse(index, .badFeature) }
        var extent = AttributeExtent(count: 0, expires: record.expires)
        extent.scale = FeatureCrowd.scale(batch.features, from: Int(record.firstFeature), count: given)
        for feature in 0..<given {
            let entry = batch.features[Int(record.firstFeature) + feature]
            guard let attribute = attribute(entry, index, of: batch, in: ofItem ? .itemAttributes : .userAttributes) else { continue }
            queue.append(ResolvedFeature(ordinal: attribute, weight: entry.weight))
            if entry.isNumber && entry.weight == 1 { extent.ones |= 1 << UInt64(extent.count) }
            extent.count += 1
        }
        // Some may have been refused.
        if extent.block != most { _ = keeper.admit(list: extent.block, of: entity, ofItem ? .items : .users) }
        position += 1
        queue.appendParts(of: extent)
        queue.append(
            TrainingRecord(
                position: position, user: ofItem ? Placement.none : entity, item: ofItem ? entity : Placement.none,
                catalogue: UInt32(shared.items.count), value: 0, weight: extent.scale, type: extent.parts,
                featureCount: extent.count + extent.parts.nonzeroBitCount, kind: record.kind, hasValue: false))
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

// MARK: On the way to the trainer

/// The scale stands in the record's weight; what else an upsert says follows its attributes in the ring, each part as one
/// feature of 64 bits, named by a bit of the record's type.
extension AttributeExtent {
    private static let onesPart: UInt16 = 1, expiresPart: UInt16 = 2

    /// What a record's list takes if every one of its attributes is taken.
    fileprivate init(most given: Int, _ record: borrowing EventRecord, _ batch: EventBatch) {
        let entries = Int(record.firstFeature)..<Int(record.firstFeature) + given
        let hasOnes = entries.contains { batch.features[$0].isNumber && batch.features[$0].weight == 1 }
        self.init(count: given, ones: hasOnes ? 1 : 0, expires: record.expires)
    }

    fileprivate var parts: UInt16 {
        (ones == 0 ? 0 : AttributeExtent.onesPart) | (expires == nil ? 0 : AttributeExtent.expiresPart)
    }

    init(_ record: TrainingRecord, firstFeature: Int, _ ring: TrainerQueue.View) {
        let parts = record.type
        self.init(count: record.featureCount - parts.nonzeroBitCount, scale: record.weight)
        var place = firstFeature &+ count
        if parts & AttributeExtent.onesPart != 0 {
            ones = ring.feature(place).bits
            place &+= 1
        }
        if parts & AttributeExtent.expiresPart != 0 { expires = Int64(bitPattern: ring.feature(place).bits) }
    }
}

extension EventRecord {
    /// When the entity of an upsert expires.
    fileprivate var expires: Int64? { timeMilliseconds == EventRecord.noTime ? nil : timeMilliseconds }
}

extension ResolvedFeature {
    fileprivate init(bits: UInt64) {
        self.init(ordinal: UInt32(truncatingIfNeeded: bits), weight: Float(bitPattern: UInt32(truncatingIfNeeded: bits >> 32)))
    }
    fileprivate var bits: UInt64 { UInt64(weight.bitPattern) << 32 | UInt64(ordinal) }
}

extension TrainerQueue {
    /// Adds what is known of attributes that were appended just before; their upsert comes next.
    fileprivate func appendParts(of extent: AttributeExtent) {
        if extent.ones != 0 { append(ResolvedFeature(bits: extent.ones)) }
        if let expires = extent.expires { append(ResolvedFeature(bits: UInt64(bitPattern: expires))) }
    }
}
