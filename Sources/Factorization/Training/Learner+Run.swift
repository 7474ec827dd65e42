import CKernels
import Synchronization

/// The usual event, learned in runs: the user's row alone against its items.
extension Learner {
    /// Whether the model learns such events in runs at all.
    static func takesRuns(_ model: Model) -> Bool {
        let settings = model.settings
        return model.layout.userRowIsQuery && model.histories == nil && model.grams == nil && !settings.loss.isPairwise
            && settings.optimizer != .adagradCoordinate && model.kernelOptions.special == 0 && settings.halfLife == 0
            && !settings.refolding.isLasting
    }

    /// Whether this event goes into the run.
    @inline(__always)
    func joinsRun(_ record: UnsafeMutablePointer<TrainingRecord>) -> Bool {
        takesRuns && record.pointee.featureCount == 0 && !hasAttributes(record.pointee.user)
            && itemsWithAttributes.pointee.load(ordering: .relaxed) == 0
    }

    /// Adds an event to the run; learns from it once the run is long enough or `finishRun` asks.
    @inline(__always)
    func place(_ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, userItems: UserItems) {
        place(record, label: label, weight: weight, userItems, &run.pointee)
        if run.pointee.isFull { learnRun(keepsTail: true) }
    }

    @inline(__always)
    private func place(
        _ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, _ userItems: UserItems, _ run: inout EventRun
    ) {
        let user = record.pointee.user, item = record.pointee.item, position = record.pointee.position
        run.set(0, item, itemRows, label: label, weight: weight)
        var count = 1
        if negatives > 0 && label > 0 {
            let word = draws.word(at: position), catalogue = UInt64(record.pointee.catalogue)
            for number in 0..<negatives {
                let drawn = draws.item(word, number, of: catalogue)
                if drawn == item || verifiesNegatives && userItems.hasSeen(drawn, user: user) { continue }
                run.set(count, drawn, itemRows, label: 0, weight: weight)
                count &+= 1
            }
        }
        if stampsUsers { _ = model.users.stamps.unsafelyUnwrapped.touch(user, now: model.halfLife.stamp(position)) }
        let row = userRows.row(user)
        run.place(query: row.factors, state: row.state, user: user, position: position, itemCount: count)
    }

    /// Places the records from `first` on that go into the run and marks what they say of their users, in a loop that
    /// touches little else: what `place` and the trainer do record by record. For a trainer with this learner alone.
    /// - Returns: how many, up to the first that goes another way.
    @inline(never)
    func placeAll(
        _ ring: TrainerQueue.View, from first: Int, count: Int, visible: Int, _ rules: UnsafePointer<TypeRule>, _ userItems: UserItems
    ) -> Int {
        let isDescribed = usersWithAttributes.pointee.load(ordering: .relaxed) + itemsWithAttributes.pointee.load(ordering: .relaxed)
        guard isDescribed == 0 else { return 0 }
        // In registers while the loop runs.
        var local = run.pointee, done = 0
        while done < count {
            let record = ring.record(first &+ done)
            guard record.pointee.kind == .interaction, record.pointee.featureCount == 0 else { break }
            if done &+ 2 &* Learner.lookahead < visible {
                // Only an interaction is sure to name a user.
                let later = ring.record(first &+ done &+ 2 &* Learner.lookahead), soon = ring.record(first &+ done &+ Learner.lookahead)
                if later.pointee.kind == .interaction { userItems.prefetch(later.pointee.user) }
                if soon.pointee.kind == .interaction { userItems.prefetchLists(of: soon.pointee.user) }
            }
            let rule = rules + Int(record.pointee.type)
            let weight = rule.pointee.weight * record.pointee.weight
            if weight > 0 {
                let label = rule.pointee.label(value: record.pointee.value, hasValue: record.pointee.hasValue)
                place(record, label: label, weight: weight, userItems, &local)
                if local.isFull {
                    run.pointee = local
                    learnRun(keepsTail: true)
                    local = run.pointee
                }
            }
            if rule.pointee.marksSeen {
                userItems.append(record.pointee.item, user: record.pointee.user)
                userItems.markSeen(record.pointee.item, user: record.pointee.user)
            }
            done &+= 1
        }
        run.pointee = local
        return done
    }

    /// Records whose users' lists are asked for ahead.
    private static let lookahead = 8

    /// Learns every event that was placed.
    @inline(__always)
    func finishRun() {
        if !run.pointee.isEmpty { learnRun(keepsTail: false) }
    }

    @inline(never)
    private func learnRun(keepsTail: Bool) {
        let learned = run.pointee.learn(model, settings, keepsTail: keepsTail)
        let items = prequential.record(run.pointee, count: learned)
        countRows(items &+ learned)
        if run.pointee.state.clipped != 0 { clipped.add(Int(run.pointee.state.clipped), ordering: .relaxed) }
        if run.pointee.state.rejected != 0 { mendRun(learned) }
        run.pointee.drop(learned, items: items)
    }

    /// Some of the events just learned had a score that was not finite.
    @inline(never)
    private func mendRun(_ learned: Int) {
        rejected.add(Int(run.pointee.state.rejected), ordering: .relaxed)
        var first = 0
        for index in 0..<learned {
            let event = run.pointee.event(index), items = first..<first + event.itemCount
            if items.contains(where: { !run.pointee.scores[$0].isFinite }) {
                mend(model.users, event.user)
                for item in items { mend(model.items, run.pointee.ordinals[item]) }
            }
            first += event.itemCount
        }
    }
}
