import CKernels

/// What a trainer, its queue and a model's tables look like to C (fk_run.h): the same memory, read there.
extension fk_source {
    /// - Parameter labels: to which an event's label is limited.
    /// - Precondition: records lie in memory as `fk_record` says, which `EventRun.sharesLayout` tells.
    init(
        _ ring: TrainerQueue.View, _ rules: UnsafePointer<fk_rule>, users: FactorRows, items: FactorRows, _ draws: fk_draws,
        labels: ClosedRange<Float>
    ) {
        self.init(
            records: UnsafeRawPointer(ring.records).assumingMemoryBound(to: fk_record.self), mask: ring.recordMask, rules: rules,
            lowest_label: labels.lowerBound, highest_label: labels.upperBound, users: users.plain, items: items.plain, draws: draws)
    }
}

extension FactorRows {
    var plain: fk_rows {
        fk_rows(
            directory: UnsafeRawPointer(slabs.directory).assumingMemoryBound(to: UInt.self), slab_bytes: slabs.slabBytes,
            row_bytes: factorBytes, state_offset: stateOffset)
    }
}

extension NegativeDraws {
    /// - Parameter negatives: draws for each positive.
    func plain(_ negatives: Int) -> fk_draws {
        fk_draws(
            seed: seed, columns: columns.map { UnsafeRawPointer($0).assumingMemoryBound(to: fk_column.self) }, covered: covered,
            holes: holes.bits, reach: holes.reach, negatives: UInt32(negatives))
    }
}

extension TypeRule {
    var plain: fk_rule {
        let (value, source) = switch label {
        case .constant(let label): (label, fk_label_constant)
        case .value: (Float(0), fk_label_value)
        case .valueOr(let label): (label, fk_label_value_or_constant)
        }
        return fk_rule(label: value, weight: weight, label_from: Int32(source), marks_seen: marksSeen ? 1 : 0)
    }
}

extension EventRun {
    /// Whether the structures that C reads lie in memory as it has been told.
    static var sharesLayout: Bool {
        func agree<Swift, C>(_ one: PartialKeyPath<Swift>, _ other: PartialKeyPath<C>) -> Bool {
            MemoryLayout<Swift>.offset(of: one) == MemoryLayout<C>.offset(of: other)
        }
        let record = agree(\TrainingRecord.position, \fk_record.position) && agree(\TrainingRecord.user, \fk_record.user)
            && agree(\TrainingRecord.item, \fk_record.item) && agree(\TrainingRecord.catalogue, \fk_record.catalogue)
            && agree(\TrainingRecord.value, \fk_record.value) && agree(\TrainingRecord.weight, \fk_record.weight)
            && agree(\TrainingRecord.nature, \fk_record.nature) && MemoryLayout<TrainingRecord>.stride == MemoryLayout<fk_record>.stride
        let nature = TrainingRecord.Nature.type == UInt32(fk_type_mask) && TrainingRecord.Nature.value == UInt32(fk_value_bit)
            && TrainingRecord.Nature.kindShift == UInt32(fk_kind_shift) && TrainingRecord.Nature.featureShift == UInt32(fk_feature_shift)
            && TrainingRecord.Nature.kindMask == UInt32(fk_kind_mask) && EventTypes.capacity <= Int(fk_type_mask) + 1 && TrainingRecord.Nature.tag(.interaction) == UInt8(fk_kind_interaction)
        let column = agree(\AliasTable.Column.threshold, \fk_column.threshold) && agree(\AliasTable.Column.other, \fk_column.other)
        let place = Placement.shardBits == UInt32(fk_shard_bits) && Placement.slabBits == UInt32(fk_slab_bits)
            && RowBlock.rows == 1 << Int(fk_block_bits)
        return record && nature && column && place
    }
}
