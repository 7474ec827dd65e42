import Synchronization

/// Rows given, taken back and given again (`RowKeeper`).
extension Sequencer {
    /// Records that one record may append to a queue beside itself: an eviction, a step of a sweep, a reuse.
    private static let recordsBeside = 4

    /// The keeper's work beside one record, before it is taken: bounded, and done once however often the record is tried.
    /// False when a queue is full, or when the stream must wait for a quarantine to end.
    @inline(never)
    func keepRows() -> Bool {
        if keeper.isDone { return true }
        for queue in queues where !queue.hasSpace(features: 0, records: Sequencer.recordsBeside) { return false }
        guard endQuarantine() else { return false }
        if !sweep() { beginRound() }
        if let side = keeper.pressed() {
            if let ordinal = keeper.victim(side, position: position) { evict(ordinal, side) }
        } else if keeper.settings.idleEvents > 0 {
            let side = RowSide.allCases[Int(keeper.taken % 3)]
            if let ordinal = keeper.idle(side, position: position) { evict(ordinal, side) }
        }
        keeper.isDone = true
        return true
    }

    // MARK: Eviction

    /// Takes an ordinal from its id, at a position of its own: what a journal's record "evict" has to say is the side, the
    /// ordinal and the position.
    func evict(_ ordinal: UInt32, _ side: RowSide) {
        keeper.tables[side.rawValue].remove(ordinal, hashing: shared.hashing)
        evictions.store(evictions.load(ordering: .relaxed) + 1, ordering: .relaxed)
        position += 1
        let catalogue = shared.items.count
        switch side {
        case .users:
            queues[Placement.shard(ordinal) % queues.count].append(
                TrainingRecord(.evictUser, user: ordinal, catalogue: catalogue, position: position))
        case .items: for queue in queues { queue.append(TrainingRecord(.evictItem, item: ordinal, catalogue: catalogue, position: position)) }
        case .contexts, .userAttributes, .itemAttributes: break
        }
        keeper.quarantine.fresh.append(FreedRow(side: side, ordinal: ordinal))
        keeper.recount(side)
    }

    // MARK: Quarantine

    /// Frees the batch whose round is over, when its time has come. False while a trainer or a reader may still hold one of
    /// its ordinals.
    private func endQuarantine() -> Bool {
        guard keeper.quarantine.resting != nil, keeper.taken >= keeper.quarantine.endTaken + RowKeeper.rest else { return true }
        let quarantine = keeper.quarantine
        guard let batch = quarantine.resting else { return true }
        guard trainers.allSatisfy({ $0.appliedPosition >= quarantine.end }), shared.epochs.isPast(quarantine.epoch) else { return false }
        for row in batch.rows {
            // What its text took is another's now, of whichever side.
            keeper.tables[row.side.rawValue].release(row.ordinal)
            keeper.free[row.side.rawValue].append(row.ordinal)
        }
        keeper.quarantine.resting = nil
        return true
    }

    /// The next step of the round under way, where it is due; false without a round.
    private func sweep() -> Bool {
        guard let batch = keeper.quarantine.sweeping else { return false }
        guard keeper.taken % RowKeeper.stepEvery == 0 else { return true }
        position += 1
        let step = UInt32(keeper.quarantine.stepsDone)
        for queue in queues { queue.append(TrainingRecord(.sweep, user: step, catalogue: shared.items.count, position: position)) }
        keeper.quarantine.stepsDone += 1
        if keeper.quarantine.stepsDone == batch.steps { endRound(batch) }
        return true
    }

    /// Begins a round over what was evicted or forgotten, once it is worth its while.
    private func beginRound() {
        guard !keeper.quarantine.fresh.isEmpty, keeper.quarantine.resting == nil else { return }
        let quarantine = keeper.quarantine
        // A sweep goes through all rows; without one, what came of late is walked through (`RecentItems.drop`).
        let part = (shared.users.count + shared.items.count) >> 6
        let isWorthIt = quarantine.fresh.count >= (keeper.sweeps ? part : min(part, RowKeeper.plenty))
        guard isWorthIt || quarantine.isUrgent || keeper.taken >= quarantine.lastRound + RowKeeper.longestWait else { return }
        keeper.quarantine.fresh = []
        keeper.quarantine.lastRound = keeper.taken
        keeper.quarantine.isUrgent = false
        let users = shared.users.count
        let steps = max(1, max(users, shared.replay?.places ?? 0) / RowKeeper.usersPerStep)
        shared.recent.drop(quarantine.fresh)
        let batch = SweepBatch(rows: quarantine.fresh, users: users, steps: steps, trainers: queues.count)
        guard keeper.sweeps else { return endRound(batch) }
        position += 1
        for queue in queues { queue.append(TrainingRecord(batch, position: position)) }
        keeper.quarantine.sweeping = batch
        keeper.quarantine.stepsDone = 0
    }

    private func endRound(_ batch: SweepBatch) {
        keeper.quarantine.sweeping = nil
        keeper.quarantine.resting = batch
        keeper.quarantine.end = position
        keeper.quarantine.endTaken = keeper.taken
        // All its ids were unlinked before: who enters from here on finds none of them.
        keeper.quarantine.epoch = shared.epochs.advance()
    }

    // MARK: Admission

    /// Gives a new id its ordinal, where it may have one; else `Placement.none`, and `missing` says why.
    /// - Parameter isOwed: whether it need not have come before.
    @inline(never)
    func admit(_ key: Key, to table: EntityTable, _ side: Side, isOwed: Bool = false) -> UInt32 {
        let row = side.row
        guard keeper.isActive else { return admitNew(key, to: table, side) }
        let before: Int, ordinal: UInt32
        switch keeper.admission(of: key, to: row, isOwed: isOwed) {
        case .unseen:
            missing = .unseen
            return Placement.none
        case .full:
            missing = .noFreeRow
            return Placement.none
        case .grow(let sightings):
            before = sightings
            ordinal = admitNew(key, to: table, side)
            guard ordinal != Placement.none else { return ordinal }
        case .reuse(let hole, let sightings):
            before = sightings
            ordinal = hole
            reuse(hole, for: key, table, side)
        }
        keeper.recount(row)
        table.touch(ordinal, stamp: keeper.stamp(position))
        if before > 0 { table.count(ordinal, by: Float(before) * Float(shared.decay.increment)) }
        return ordinal
    }

    /// Gives a new id the next ordinal.
    private func admitNew(_ key: Key, to table: EntityTable, _ side: Side) -> UInt32 {
        guard let ordinal = table.admit(key) else {
            missing = .tableFull
            return Placement.none
        }
        makeReady(ordinal, side, key)
        table.publish(ordinal, key: key)
        if side.row == .items { shared.recent.admit(ordinal, at: position + 1) }
        if keeper.isLimited { keeper.recount(side.row) }
        return ordinal
    }

    /// Gives a new id the ordinal of a hole. Nobody steps the rows any more, so that the sequencer can write them.
    private func reuse(_ ordinal: UInt32, for key: Key, _ table: EntityTable, _ side: Side) {
        table.reuse(ordinal, for: key)
        makeReady(ordinal, side, key)
        table.publish(ordinal, key: key)
        guard side.row == .items else { return }
        position += 1
        shared.recent.admit(ordinal, at: position + 1)
        for queue in queues {
            queue.append(TrainingRecord(.reuseItem, item: ordinal, catalogue: shared.items.count, position: position))
        }
    }

    /// Counts a record whose user, item or entity has no row: no fault of the record, so no dead letter.
    func refuseRow(_ record: Int) -> Bool { refuse(record, missing) }

    // MARK: Restoring, before any thread starts

    /// Admits the ids of a snapshot again, in their order.
    func restore(_ key: Key, _ side: RowSide) -> UInt32 { admitNew(key, to: keeper.tables[side.rawValue], Side(side)) }

    /// Takes up an ordinal without an id.
    func restoreHole(_ side: RowSide) -> UInt32 {
        guard let ordinal = keeper.tables[side.rawValue].restoreHole() else { return Placement.none }
        makeReady(ordinal, Side(side), Key(integer: 0, namespace: side == .contexts ? 1 : 0, hashing: shared.hashing))
        keeper.recount(side)
        return ordinal
    }
}

extension Sequencer.Side {
    /// Whose rows these are.
    @inline(__always)
    var row: RowSide {
        switch self {
        case .users, .describedUsers: .users
        case .items, .describedItems: .items
        case .contexts: .contexts
        case .userAttributes: .userAttributes
        case .itemAttributes: .itemAttributes
        }
    }

    init(_ row: RowSide) {
        self =
            switch row {
            case .users: .users
            case .items: .items
            case .contexts: .contexts
            case .userAttributes: .userAttributes
            case .itemAttributes: .itemAttributes
            }
    }
}
