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
        run.pointee.take(kernels, &source, plain, label: label, weight: weight)
        if verifiesNegatives {
            run.pointee.settle(event: event, read: &read, write: &write) { !userItems.ownHasSeen($0, user: user) }
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
        fk_source(ring, rules, users: userRows, items: itemRows, draws.plain(negatives), labels: labels)
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
        guard isDescribed == 0 else {
            // Copies are handed over by what this does, and events go another way from now on: they would be held for good.
            if let hotRows, hotRows.isOpen { finishRun() }
            return 0
        }
        var source = source(ring, plain), done = 0
        while done < count {
            if let hotRows { run.pointee.limit(copies: hotRows.isOpen) }
            let event = run.pointee.count, item = run.pointee.itemCount
            let taken = run.pointee.take(kernels, &source, from: first &+ done, count: count &- done)
            if hasDuties(userItems) {
                settle(ring, &source, from: first &+ done, count: taken, visible: visible &- done, rules, userItems, event: event, item: item)
            }
            run.pointee.lookUp(kernels, &source, event: event, item: item)
            done &+= taken
            if let hotRows, hotRows.isWanted {
                run.pointee.redirect(to: hotRows, event: event, item: item, waiting: visible &- done)
            }
            guard run.pointee.isFull else { break }
            if let hotRows, hotRows.turns {
                learnRun(keepsTail: false)
                hotRows.turn()
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
    /// seen by then, and takes the event's item up in the user's lists.
    @inline(never)
    private func settle(
        _ ring: TrainerQueue.View, _ source: inout fk_source, from first: Int, count: Int, visible: Int, _ rules: UnsafePointer<TypeRule>,
        _ userItems: UserItems, event: Int, item: Int
    ) {
        var lists = userItems.plain, place = fk_settling(record: 0, event: event, read: item, write: item)
        let verifies = verifiesNegatives && userItems.seenLimit > 0
        while place.record < count {
            kernels.settle(&run.pointee.batch, &source, &lists, verifies ? 1 : 0, &place, first, count, visible)
            guard place.record < count else { break }
            let record = ring.record(first &+ place.record)
            userItems.add(record.pointee.item, user: record.pointee.user)
            place.record &+= 1
        }
        if verifies { run.pointee.settled(items: place.write) }
        guard stampsUsers else { return }
        for index in 0..<count {
            let record = ring.record(first &+ index)
            guard (rules + Int(record.pointee.type)).pointee.weight * record.pointee.weight > 0 else { continue }
            _ = model.users.stamps.unsafelyUnwrapped.touch(record.pointee.user, now: model.halfLife.stamp(record.pointee.position))
        }
    }

    /// Learns every event that was placed; rows have all that was learned of them.
    @inline(__always)
    func finishRun() {
        if !run.pointee.isEmpty { learnRun(keepsTail: false) }
        run.pointee.pause()
        hotRows?.close()
    }

    @inline(never)
    private func learnRun(keepsTail: Bool) {
        let learned = run.pointee.learn(model, settings, keepsTail: keepsTail)
        let items = prequential.record(run, count: learned)
        itemCopy?._withUnsafeGuaranteedRef { $0.touch(run.pointee.batch.ordinals, count: items) }
        countRows(items &+ learned)
        if run.pointee.state.clipped != 0 { clipped.add(Int(run.pointee.state.clipped), ordering: .relaxed) }
        if run.pointee.state.rejected != 0 { mendRun(learned) }
        if let hotRows, hotRows.isOpen {
            hotRows.measure(&run.pointee.batch, items: items)
            hotRows.settle(all: run.pointee.state.rejected != 0)
        }
        run.pointee.share(with: model, goesOn: keepsTail)
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
