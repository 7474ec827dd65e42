import CKernels
import Synchronization

/// A trainer within a `ReplayWindow`: record by record, each part only where it is not yet.
extension Trainer {
    /// Records between two moments at which another trainer may work.
    private static let recordsAlone = 512

    /// What `drain` does while the window is open, and what is left for it when it ends meanwhile.
    func drain(through window: ReplayWindow, limit: Int) -> Int {
        var total = 0
        while total < limit {
            guard let count = drain(in: window, limit: limit - total) else { return total + drain(limit: limit - total) }
            if count == 0 { break }
            total += count
        }
        return total
    }

    /// Some records within the window; nil when that has ended.
    private func drain(in window: ReplayWindow, limit: Int) -> Int? {
        window.alone {
            let (issued, first, waiting) = queue.waiting()
            let count = min(waiting, limit, Trainer.recordsAlone)
            seen = issued
            var features = 0
            let firstFeature = queue.firstFeature
            // Rows that have learned an event already would score it better than they did.
            comparison?.isPaused = true
            defer { comparison?.isPaused = false }
            shared.epochs.reading(ticket) {
                for index in 0..<count {
                    let record = ring.record(first &+ index)
                    apply(record, firstFeature: firstFeature &+ features, in: window)
                    features += record.pointee.featureCount
                }
                finishRuns(window)
            }
            for learner in learners { learner.touched?.tell() }
            if count > 0 {
                applied.store(ring.record(first &+ count &- 1).pointee.position, ordering: .releasing)
                queue.release(count: count, features: features)
                for learner in learners { learner.prequential.publish() }
                comparison?.publish()
            }
            if count == waiting { applied.store(max(issued, applied.load(ordering: .relaxed)), ordering: .sequentiallyConsistent) }
            window.pass(index, at: appliedPosition)
            return count
        }
    }

    private func apply(_ record: UnsafeMutablePointer<TrainingRecord>, firstFeature: Int, in window: ReplayWindow) {
        let position = record.pointee.position, user = record.pointee.user, item = record.pointee.item
        if fades { sweep(position) }
        // Other records find everything learned that comes before them.
        if record.pointee.kind != .interaction { finishRuns(window) }
        switch record.pointee.kind {
        case .interaction: interact(record, firstFeature: firstFeature, window)
        case .userAttributes: if !window.hasAttributes(ofUser: true, user, position) { applyRare(record, firstFeature: firstFeature) }
        case .itemAttributes: if !window.hasAttributes(ofUser: false, item, position) { applyRare(record, firstFeature: firstFeature) }
        case .undo: undo(record, lists: !window.hasLists(user, position), reservoir: !window.hasReplay(Placement.shard(user), position))
        case .forgetUser: if !window.hasReplay(Placement.shard(user), position) { applyRare(record, firstFeature: firstFeature) }
        case .evictUser: evict(user: user, position, window)
        case .evictItem:
            if Placement.shard(item) % trainerCount == index { evict(item: item, position, window) }
            markHole(item, true)
        case .sweep:
            sweep(step: Int(user)) {
                !window.hasLists($0, position)
            } replay: {
                !window.hasReplay($0, position)
            }
        case .refine:
            refine(record) { model, user in
                window.hasRow(model, window.groups[model].users, user, shard: Placement.shard(user), position)
            }
        case .hideItem, .unhideItem, .forgetItem, .beat, .reuseItem, .beginSweep, .negativeTables, .promote:
            applyRare(record, firstFeature: firstFeature)
        }
    }

    private func interact(_ record: UnsafeMutablePointer<TrainingRecord>, firstFeature: Int, _ window: ReplayWindow) {
        let position = record.pointee.position, user = record.pointee.user, shard = Placement.shard(user)
        let rule = rules + Int(record.pointee.type)
        let label = rule.pointee.label(value: record.pointee.value, hasValue: record.pointee.hasValue)
        let weight = rule.pointee.weight * record.pointee.weight
        if weight > 0 {
            learn(record, label: label, weight: weight, firstFeature: firstFeature, replay: nil, window)
            if let reservoir {
                replay(reservoir, beside: record, window)
                if !window.hasReplay(shard, position) {
                    let event = ReplayEvent(user: user, item: record.pointee.item, label: label, weight: weight, type: record.pointee.type)
                    reservoir.offer(event, position: position)
                }
            }
        }
        if rule.pointee.marksSeen && !window.hasLists(user, position) {
            shared.userItems.add(record.pointee.item, user: user)
        }
        for number in learners.indices { window.count(number, user: user, item: record.pointee.item, position) }
        learned.store(learned.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    /// The past interactions that are learned beside a record. Those of rows that are still to come are passed over: the
    /// reservoir may be ahead of the stream.
    private func replay(_ reservoir: ReplayReservoir, beside record: UnsafeMutablePointer<TrainingRecord>, _ window: ReplayWindow) {
        let position = record.pointee.position, shard = Placement.shard(record.pointee.user)
        for number in 0..<replaysPerEvent {
            let word = reservoir.word(at: position, number)
            guard let event = reservoir.draw(word, shard: shard), !learners[0].draws.holes.contains(event.item),
                Int(event.user) < shared.users.count, Int(event.item) < shared.items.count
            else { continue }
            var past = TrainingRecord(
                position: position, user: event.user, item: event.item, catalogue: record.pointee.catalogue, value: 0, weight: 1,
                type: event.type, featureCount: 0, kind: .interaction, hasValue: false)
            learn(&past, label: event.label, weight: event.weight, firstFeature: 0, replay: word, window)
            replayed.store(replayed.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
        }
    }

    private func learn(
        _ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, firstFeature: Int, replay: UInt64?, _ window: ReplayWindow
    ) {
        let position = record.pointee.position, shard = Placement.shard(record.pointee.user)
        for (number, learner) in learners.enumerated() where !window.hasAll(number, record) {
            let model = learner.model
            if replay == nil && learner.joinsRun(record) {
                learner.place(
                    record, label: label, weight: weight, ring, plainRules, userItems: shared.userItems, beside: window.runs[number],
                    holdsGlobals: window.hasGlobals(number, shard: shard, position))
                continue
            }
            if learner.takesRuns { learner.finish(window.runs[number]) }
            window.saver.begin()
            learner.forEachRow(of: record, window.groups[number], ring, firstFeature: firstFeature, userItems: shared.userItems, replay: replay) { group, ordinal in
                if window.hasRow(number, group, ordinal, shard: shard, position) {
                    window.saver.save(window.stores[number][group], ordinal, model.kernels)
                }
            }
            let globals = window.hasGlobals(number, shard: shard, position) ? (model.globalState, learner.prequential.state) : nil
            model.parameters?.isHeld.pointee = globals != nil
            model.grams?.isHeld.pointee = globals != nil
            learner.learn(
                record, label: label, weight: weight, queue: ring, firstFeature: firstFeature, userItems: shared.userItems, replay: replay)
            window.saver.putBack()
            guard let globals else { continue }
            model.parameters?.isHeld.pointee = false
            model.grams?.isHeld.pointee = false
            model.restoreGlobalState(bias: globals.0.bias, accumulator: globals.0.accumulator, updates: globals.0.updates)
            learner.prequential.restore(globals.1)
        }
    }

    private func finishRuns(_ window: ReplayWindow) {
        for (number, learner) in learners.enumerated() where learner.takesRuns { learner.finish(window.runs[number]) }
    }

    private func evict(user: UInt32, _ position: UInt64, _ window: ReplayWindow) {
        if !window.hasLists(user, position) { shared.userItems.clear(user) }
        if !window.hasAttributes(ofUser: true, user, position) { shared.attributes.users.clear(user) }
        for (number, learner) in learners.enumerated()
        where !window.hasRow(number, window.groups[number].users, user, shard: Placement.shard(user), position) {
            learner.forget(user: user)
        }
    }

    private func evict(item: UInt32, _ position: UInt64, _ window: ReplayWindow) {
        func has(_ number: Int, _ group: Int?) -> Bool {
            group.map { window.hasRow(number, $0, item, shard: Placement.shard(item), position) } ?? true
        }
        for (number, learner) in learners.enumerated() where !has(number, window.groups[number].items) { learner.leave(item) }
        if !window.hasAttributes(ofUser: false, item, position) { shared.attributes.items.clear(item) }
        for (number, learner) in learners.enumerated() {
            if !has(number, window.groups[number].items) { learner.model.items.clear(item) }
            if !has(number, window.groups[number].histories) { learner.model.histories?.clear(item) }
        }
    }
}

extension Learner {
    /// Calls `body` with every row that learning a record may step: the group's number and the ordinal. Some more than it will,
    /// and some twice.
    fileprivate func forEachRow(
        of record: UnsafeMutablePointer<TrainingRecord>, _ groups: RowGroups, _ queue: TrainerQueue.View, firstFeature: Int,
        userItems: UserItems, replay: UInt64?, _ body: (Int, UInt32) -> Void
    ) {
        let user = record.pointee.user
        body(groups.users, user)
        if let list = model.attributes.users[user] {
            for index in 0..<list.count { body(groups.userAttributes, list[index].ordinal) }
        }
        func item(_ ordinal: UInt32) {
            body(groups.items, ordinal)
            guard let list = model.attributes.items[ordinal] else { return }
            for index in 0..<list.count { body(groups.itemAttributes, list[index].ordinal) }
        }
        item(record.pointee.item)
        let word = replay ?? draws.word(at: record.pointee.position), catalogue = UInt64(record.pointee.catalogue)
        for number in 0..<(catalogue > 0 ? negatives : 0) { item(draws.item(word, number, of: catalogue)) }
        for index in 0..<record.pointee.featureCount { body(groups.contexts, queue.feature(firstFeature &+ index).ordinal) }
        guard let histories = groups.histories else { return }
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: max(model.settings.history.length, 1)) { history in
            let count = userItems.history(of: user, into: history)
            for index in 0..<count { body(histories, history[index]) }
        }
    }
}
