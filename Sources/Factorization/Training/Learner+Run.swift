import CKernels
import Synchronization

/// The usual event, learned in runs: the user's row alone against its items.
extension Learner {
    /// Whether the model learns such events in runs at all.
    static func takesRuns(_ model: Model) -> Bool {
        let settings = model.settings
        return model.layout.userRowIsQuery && model.histories == nil && model.grams == nil && !settings.loss.isPairwise
            && settings.storage == .float32
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
    /// - Parameters:
    ///   - stamps: whether the user's row bears a stamp of it.
    ///   - found: called with the batch, the event's number and that of its first item, when their rows are looked up.
    @inline(__always)
    func place(
        _ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, _ ring: TrainerQueue.View,
        _ rules: UnsafePointer<fk_rule>, userItems: UserItems, stamps: Bool = true, found: (fk_batch, Int, Int) -> Void = { _, _, _ in }
    ) {
        let user = record.pointee.user, event = run.pointee.count, item = run.pointee.itemCount
        var source = source(ring, rules), read = item, write = item
        let plain = UnsafeRawPointer(record).assumingMemoryBound(to: fk_record.self)
        run.pointee.take(&source, plain, label: label, weight: weight)
        if verifiesNegatives {
            let seen = userItems.seenSet(of: user)
            run.pointee.settle(event: event, read: &read, write: &write) { fk_set_holds(seen, $0) == 0 }
            run.pointee.settled(items: write)
        }
        if stampsUsers && stamps { _ = model.users.stamps.unsafelyUnwrapped.touch(user, now: model.halfLife.stamp(record.pointee.position)) }
        run.pointee.lookUp(kernels, &source, event: event, item: item)
        found(run.pointee.batch, event, item)
        if run.pointee.isFull { learnRun(keepsTail: true) }
    }

    /// Where the run's events and rows come from, at the trainer's position.
    @inline(__always)
    private func source(_ ring: TrainerQueue.View, _ rules: UnsafePointer<fk_rule>) -> fk_source {
        fk_source(ring, rules, users: userRows, items: itemRows, draws.plain(negatives))
    }

    /// Places the records from `first` on that go into the run and marks what they say of their users: what `place` and the
    /// trainer do record by record, but many at a time. For a trainer with this learner alone.
    /// - Parameters:
    ///   - visible: records from `first` on that lie in the ring.
    ///   - plain: the rules once more.
    /// - Returns: how many, up to the first that goes another way.
    @inline(never)
    func placeAll(
        _ ring: TrainerQueue.View, from first: Int, count: Int, visible: Int, _ rules: UnsafePointer<TypeRule>,
        _ plain: UnsafePointer<fk_rule>, _ userItems: UserItems
    ) -> Int {
        let isDescribed = usersWithAttributes.pointee.load(ordering: .relaxed) + itemsWithAttributes.pointee.load(ordering: .relaxed)
        guard isDescribed == 0 else { return 0 }
        var source = source(ring, plain), done = 0
        while done < count {
            let event = run.pointee.count, item = run.pointee.itemCount
            let taken = run.pointee.take(kernels, &source, from: first &+ done, count: count &- done)
            if hasDuties(userItems) {
                settle(ring, from: first &+ done, count: taken, visible: visible &- done, rules, userItems, event: event, item: item)
            }
            run.pointee.lookUp(kernels, &source, event: event, item: item)
            if let hotRows, hotRows.isWanted { run.pointee.redirect(to: hotRows, event: event, item: item) }
            done &+= taken
            guard run.pointee.isFull else { break }
            if let hotRows, hotRows.turns(waiting: visible &- done) {
                learnRun(keepsTail: false)
                hotRows.turn(itemRows)
            } else {
                learnRun(keepsTail: true)
            }
        }
        return done
    }

    /// Whether an event asks for more than to be learned.
    @inline(__always)
    private func hasDuties(_ userItems: UserItems) -> Bool {
        verifiesNegatives || stampsUsers || userItems.historyLength > 0 || userItems.seenLimit > 0
    }

    /// What records that were just placed say of their users, one after the other: leaves out the negatives that a user has
    /// seen by then, and marks the event's item as seen.
    @inline(never)
    private func settle(
        _ ring: TrainerQueue.View, from first: Int, count: Int, visible: Int, _ rules: UnsafePointer<TypeRule>, _ userItems: UserItems,
        event firstEvent: Int, item: Int
    ) {
        // In registers while the loop runs.
        var local = run.pointee, event = firstEvent, read = item, write = item
        for index in 0..<count {
            let record = ring.record(first &+ index), user = record.pointee.user
            // By the record's number and not by the call's: groups do not begin anew with each call.
            if (first &+ index) & (Learner.group - 1) == 0 {
                prefetchLists(ring, ahead: Learner.rowsAhead, from: first, of: index, visible) { userItems.prefetch($0.pointee.user) }
                prefetchLists(ring, ahead: Learner.listsAhead, from: first, of: index, visible) { userItems.prefetchLists(of: $0.pointee.user) }
                prefetchLists(ring, ahead: Learner.placesAhead, from: first, of: index, visible) {
                    userItems.prefetchPlaces(of: $0.pointee.user, for: $0.pointee.item)
                }
            }
            let rule = rules + Int(record.pointee.type)
            if rule.pointee.weight * record.pointee.weight > 0 {
                if verifiesNegatives {
                    let seen = userItems.seenSet(of: user)
                    local.settle(event: event, read: &read, write: &write) { fk_set_holds(seen, $0) == 0 }
                }
                if stampsUsers { _ = model.users.stamps.unsafelyUnwrapped.touch(user, now: model.halfLife.stamp(record.pointee.position)) }
                event &+= 1
            }
            if rule.pointee.marksSeen {
                userItems.append(record.pointee.item, user: user)
                userItems.markSeen(record.pointee.item, user: user)
            }
        }
        if verifiesNegatives { run.pointee.settled(items: write) }
    }

    /// Calls `body` with a group of records so far ahead of one.
    @inline(__always)
    private func prefetchLists(
        _ ring: TrainerQueue.View, ahead: Int, from first: Int, of index: Int, _ visible: Int, _ body: (UnsafeMutablePointer<TrainingRecord>) -> Void
    ) {
        var number = index &+ ahead
        let end = min(number &+ Learner.group, visible)
        while number < end {
            let record = ring.record(first &+ number)
            // Only an interaction is sure to name a user.
            if record.pointee.kind == .interaction { body(record) }
            number &+= 1
        }
    }

    /// Records ahead at which the rows of users' lists, then the lists, and then the places in them are asked for.
    private static let rowsAhead = 48, listsAhead = 24, placesAhead = 8
    /// So many records at a time (`SequencerPath.group` says why).
    private static let group = 8

    /// Learns every event that was placed; rows have all that was learned of them.
    @inline(__always)
    func finishRun() {
        if !run.pointee.isEmpty { learnRun(keepsTail: false) }
        hotRows?.close()
    }

    @inline(never)
    private func learnRun(keepsTail: Bool) {
        let learned = run.pointee.learn(model, settings, keepsTail: keepsTail)
        let items = prequential.record(run, count: learned)
        model.items.copy?.touch(run.pointee.batch.ordinals, count: items)
        countRows(items &+ learned)
        if run.pointee.state.clipped != 0 { clipped.add(Int(run.pointee.state.clipped), ordering: .relaxed) }
        if run.pointee.state.rejected != 0 { mendRun(learned) }
        if let hotRows, hotRows.isOpen { hotRows.settle(all: run.pointee.state.rejected != 0) }
        run.pointee.drop(learned, items: items)
    }

    /// Some of the events just learned had a score that was not finite.
    @inline(never)
    private func mendRun(_ learned: Int) {
        rejected.add(Int(run.pointee.state.rejected), ordering: .relaxed)
        let batch = run.pointee.batch
        var first = 0
        for index in 0..<learned {
            let items = first..<first + Int(batch.counts[index])
            if items.contains(where: { !batch.scores[$0].isFinite }) {
                mend(model.users, batch.users[index])
                for item in items { mend(model.items, batch.ordinals[item]) }
            }
            first = items.upperBound
        }
    }
}
