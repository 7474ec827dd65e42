import CKernels

/// What a learner of runs needs within a `ReplayWindow`.
final class HeldRun {
    let users, items: HeldRows
    let copies: RowCopies
    /// Whether the events of the run leave alone what a model has once, and what that was.
    fileprivate var holds: (bias: Float, accumulator: Float, updates: UInt32, late: [Float], metrics: PrequentialState)?

    init(_ model: Model, users: HeldRows, items: HeldRows) {
        self.users = users
        self.items = items
        copies = RowCopies(width: model.width)
    }
}

extension Learner {
    /// Adds an event to the run, with copies in the place of rows that have it already.
    func place(
        _ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, _ ring: TrainerQueue.View,
        _ rules: UnsafePointer<fk_rule>, userItems: UserItems, beside held: HeldRun, holdsGlobals: Bool
    ) {
        if (held.holds != nil) != holdsGlobals || !held.copies.hasRoom(negatives + 2) { finish(held) }
        if holdsGlobals && held.holds == nil {
            let global = model.globalState
            held.holds = (global.bias, global.accumulator, global.updates, run.pointee.late, prequential.state)
        }
        let user = record.pointee.user, shard = Placement.shard(user), position = record.pointee.position
        let isHeld = held.users.has(user, shard: shard, position)
        place(record, label: label, weight: weight, ring, rules, userItems: userItems, stamps: !isHeld) { batch, event, item in
            if isHeld, let factors = batch.queries[event], let state = batch.query_states[event] {
                let copy = held.copies.add(factors, state, kernels)
                batch.queries[event] = copy.factors
                batch.query_states[event] = copy.state
            }
            for index in item..<Int(batch.item_count) where held.items.has(batch.ordinals[index], shard: shard, position) {
                guard let factors = batch.factors[index], let state = batch.states[index] else { continue }
                let copy = held.copies.add(factors, state, kernels)
                batch.factors[index] = copy.factors
                batch.states[index] = copy.state
            }
        }
    }

    /// Learns what was placed, and puts back what the model has once, where that is held.
    func finish(_ held: HeldRun) {
        finishRun()
        held.copies.clear()
        guard let holds = held.holds else { return }
        held.holds = nil
        model.restoreGlobalState(bias: holds.bias, accumulator: holds.accumulator, updates: holds.updates)
        run.pointee.late = holds.late
        prequential.restore(holds.metrics)
    }
}
