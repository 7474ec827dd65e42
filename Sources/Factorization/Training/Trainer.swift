import CKernels
import Synchronization

/// Applies the records of its user shards, in position order: history and counts once, then each model.
///
/// Thread safety: `drain` and `prepareSleep` belong to the trainer's thread; the getters are for anyone.
public final class Trainer: @unchecked Sendable {
    /// Number of this trainer; it owns the user shards s with s mod (number of trainers) = index.
    public let index: Int
    let queue: TrainerQueue
    let learners: [Learner]
    let shared: SharedState
    /// Lists that other trainers replace are read under this.
    let ticket: Int
    // The same again for the loop, without reference counting: these objects live as long as the trainer.
    let learnerList: UnsafeMutablePointer<Unmanaged<Learner>>
    let learnerCount: Int
    let userItems: Unmanaged<UserItems>
    let rules: UnsafePointer<TypeRule>
    let plainRules: UnsafePointer<fk_rule>
    let ring: TrainerQueue.View
    /// The tables that the learners draw negatives from; nil while all draw uniformly.
    private var negativeTables: NegativeTables?
    let reservoir: ReplayReservoir?
    let replaysPerEvent: Int
    /// Trainers of the engine.
    let trainerCount: Int
    /// Ordinals of the catalogue without an item, at this trainer's position.
    let holes = HoleMap()
    /// The batch of the round of sweeps under way.
    var sweeping: SweepBatch?
    /// Past interactions learned again since the start.
    let replayed = Atomic<Int>(0)
    /// Whether the usual records can go to the one learner many at a time.
    private let learnsRunsAlone: Bool
    /// Items of a history that any model takes as context, at most.
    let longestHistory: Int
    /// Whether rows of any model fade.
    let fades: Bool
    /// Every event of this trainer up to here is applied.
    let applied = Atomic<UInt64>(0)
    let learned = Atomic<Int>(0)
    /// Trainer only: the last `issued` that the queue showed.
    var seen: UInt64 = 0
    /// Where captures stop this trainer.
    public let gate = TrainerGate()
    /// Sums of what this trainer has applied.
    let witness = Witness()
    private let kernels: Kernels
    /// What restored rows hold already, while the stream is applied again. Set before any thread starts.
    var window: ReplayWindow?
    /// Copies of the one learner's hot items, for one trainer of several; and whether they are made.
    private let hotRows: HotRows?
    private var copyTrial: CopyTrial
    private let handedOver = Atomic<Int>(0)
    /// Nanoseconds of a steady clock, to find out which way of learning hot items is the faster; without it the number of trainers
    /// decides. Set before any thread starts.
    public var clock: (@Sendable () -> UInt64)?
    /// Two models whose losses are compared. Set before any thread starts; the trainer's thread.
    var comparison: Comparison? { didSet { for (number, learner) in learners.enumerated() { learner.prequential.compare(comparison, number) } } }

    init(index: Int, of count: Int, queue: TrainerQueue, models: [Model], shared: SharedState, replaysPerEvent: Int = 0) {
        trainerCount = count
        self.index = index
        self.queue = queue
        self.shared = shared
        ticket = shared.epochs.register()
        learners = models.map { Learner(model: $0, held: shared.userItems.historyLength, replays: shared.replay != nil, trainers: count) }
        kernels = models[0].kernels
        fades = learners.contains(where: \.fades)
        longestHistory = models.reduce(0) { max($0, $1.settings.history.length) }
        learnsRunsAlone = learners.count == 1 && learners[0].takesRuns
        hotRows = learnsRunsAlone ? learners[0].hotRows : nil
        copyTrial = CopyTrial(trainers: count)
        let rows = models.reduce(0) { $0 + $1.settings.negatives + 2 }
        chunk = max(Trainer.chunks.lowerBound, min(Trainer.rowsPerChunk / rows, Trainer.chunks.upperBound))
        learnerCount = learners.count
        learnerList = .allocate(capacity: learnerCount)
        for (number, learner) in learners.enumerated() { (learnerList + number).initialize(to: .passUnretained(learner)) }
        userItems = .passUnretained(shared.userItems)
        (rules, plainRules) = shared.types.allRules
        ring = queue.view
        reservoir = shared.replay
        self.replaysPerEvent = replaysPerEvent
    }

    deinit { learnerList.deallocate() }

    /// Every event of this trainer up to this position is applied.
    public var appliedPosition: UInt64 { applied.load(ordering: .acquiring) }
    /// Records that wait, and how many can.
    public var queueDepth: Int { queue.depth }
    public var queueCapacity: Int { queue.capacity }
    /// Interactions applied since the start.
    public var interactions: Int { learned.load(ordering: .relaxed) }

    /// Rows that took up what a copy of them had learned, since the start; 0 where hot items are learned where they lie (`CopyTrial`).
    public var copiesHandedOver: Int { handedOver.load(ordering: .relaxed) }

    /// Goes on after a restored state. Before any thread starts.
    func restore(position: UInt64) { applied.store(position, ordering: .releasing) }

    /// Draws negatives from these tables from here on. Trainer only, or before any thread starts.
    func use(_ tables: NegativeTables) {
        for (learner, table) in zip(learners, tables.byModel) { learner.draws.use(table) }
        negativeTables = tables
    }

    /// Records between two looks at the outside world: positions published, the queue's places given back, readers let go, a gate
    /// looked at. The more the cheaper; bounded by the rows that they step, which is what takes time.
    private let chunk: Int
    private static let chunks = 64...512
    private static let rowsPerChunk = 4096
    /// Applies what waits, at most `limit` records; answers how many that were. Where more wait, the last few of them may be under way
    /// until the next call.
    public func drain(limit: Int = .max) -> Int {
        if let window, window.isOpen { return drain(through: window, limit: limit) }
        let (issued, first, waiting) = queue.waiting()
        let count = min(waiting, limit)
        seen = issued
        chooseCopies()
        measureRows()
        let isBusy = waiting >= HotRows.leastWaiting, start = isBusy && copyTrial.isTimed ? clock?() : nil
        var done = 0, isUnderWay = false
        if !learnsRunsAlone { beginAsking(first, waiting) }
        while done < count {
            let end = min(done + chunk, count)
            var features = 0
            let firstFeature = queue.firstFeature
            let records = end - done
            shared.epochs.reading(ticket) {
                while done < end {
                    if learnsRunsAlone {
                        let placed = learnerList[0]._withUnsafeGuaranteedRef { learner in
                            userItems._withUnsafeGuaranteedRef {
                                learner.placeAll(ring, from: first &+ done, count: end - done, visible: waiting - done, rules, plainRules, $0)
                            }
                        }
                        learned.store(learned.load(ordering: .relaxed) &+ placed, ordering: .relaxed)
                        done += placed
                        if done == end { break }
                    }
                    if !learnsRunsAlone { askAhead(first &+ done, waiting &- done) }
                    let record = ring.record(first &+ done)
                    apply(record, firstFeature: firstFeature &+ features)
                    features += record.pointee.featureCount
                    done += 1
                }
            }
            witness.count(ring, from: first &+ (done &- records), count: records, kernels)
            // Before the places are given back.
            let isOnEdge = sharesPosition(first &+ done, before: first &+ waiting)
            let stops = gate.isWanted && !isOnEdge
            isUnderWay = isOnEdge || done < waiting && !stops
            if done == waiting || stops { finishRuns() }
            for number in 0..<learnerCount { learnerList[number]._withUnsafeGuaranteedRef { $0.touched?.tell() } }
            applied.store(appliedPosition(through: ring.record(first &+ done &- 1).pointee.position), ordering: .releasing)
            queue.release(count: records, features: features)
            if stops { break }
        }
        if done > 0 {
            for learner in learners { learner.prequential.publish() }
            comparison?.publish()
        }
        // Nothing waits: whatever was issued to others does not concern this trainer.
        if done == waiting {
            applied.store(max(issued, applied.load(ordering: .relaxed)), ordering: .sequentiallyConsistent)
        }
        if done > 0 { gate.isUnderWay = isUnderWay }
        if isBusy, let clock { copyTrial.learned(done, in: start.map { clock() &- $0 } ?? 0) }
        if let hotRows { handedOver.store(hotRows.handedOver, ordering: .relaxed) }
        return done
    }

    /// Learns hot items the way that is the faster by now.
    @inline(__always)
    private func chooseCopies() {
        guard let hotRows, hotRows.isWanted != copyTrial.copies else { return }
        finishRuns()
        hotRows.isWanted = copyTrial.copies
    }

    /// Has the learners ask for rows in good time for as many as there are.
    @inline(__always)
    private func measureRows() {
        let rows = shared.users.count &+ shared.items.count
        for number in 0..<learnerCount { learnerList[number]._withUnsafeGuaranteedRef { $0.run.pointee.measure(rows: rows, width: $0.width) } }
    }

    /// Learns every event that was placed; rows have all of it.
    private func finishRuns() { for number in 0..<learnerCount { learnerList[number]._withUnsafeGuaranteedRef { $0.finishRun() } } }

    /// Whether the record at `index` belongs to the one before it, so that a position says of both or of neither that they are
    /// applied.
    private func sharesPosition(_ index: Int, before end: Int) -> Bool {
        index < end && ring.record(index).pointee.position == ring.record(index &- 1).pointee.position
    }

    /// Whether the sequencer waits for room that there is now, and is to be woken.
    public func takeWaiter() -> Bool { queue.takeWaiter() }

    /// Every event up to here is applied, when the last record handed to the learners is that at `position`: what waits in a
    /// run is not, nor what copies of hot rows alone hold.
    private func appliedPosition(through position: UInt64) -> UInt64 {
        var applied = position
        for number in 0..<learnerCount {
            learnerList[number]._withUnsafeGuaranteedRef {
                if !$0.run.pointee.isEmpty { applied = min(applied, $0.run.pointee.firstPosition - 1) }
                if let hotRows = $0.hotRows { applied = min(applied, hotRows.heldFrom - 1) }
            }
        }
        return applied
    }

    /// Announces that the thread is about to sleep; false when it has to look again.
    public func prepareSleep() -> Bool { queue.prepareSleep(seen: seen) }

    @inline(__always)
    private func apply(_ record: UnsafeMutablePointer<TrainingRecord>, firstFeature: Int) {
        if fades { sweep(record.pointee.position) }
        guard record.pointee.kind == .interaction else { return applyRare(record, firstFeature: firstFeature) }
        let rule = rules + Int(record.pointee.type)
        let label = rule.pointee.label(value: record.pointee.value, hasValue: record.pointee.hasValue)
        let weight = rule.pointee.weight * record.pointee.weight
        userItems._withUnsafeGuaranteedRef { userItems in
            if weight > 0 {
                for number in 0..<learnerCount {
                    learnerList[number]._withUnsafeGuaranteedRef {
                        if $0.joinsRun(record) {
                            $0.place(record, label: label, weight: weight, ring, plainRules, userItems: userItems)
                        } else {
                            $0.finishRun()
                            $0.learn(record, label: label, weight: weight, queue: ring, firstFeature: firstFeature, userItems: userItems)
                        }
                    }
                }
                if let reservoir { replay(reservoir, beside: record, label: label, weight: weight) }
            }
            if rule.pointee.marksSeen {
                userItems.add(record.pointee.item, user: record.pointee.user)
            }
        }
        learned.store(learned.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    @inline(never)
    func sweep(_ position: UInt64) { for learner in learners where learner.fades { learner.sweep(position) } }

    @inline(never)
    func applyRare(_ record: UnsafeMutablePointer<TrainingRecord>, firstFeature: Int) {
        for learner in learners { learner.finishRun() }
        let user = record.pointee.user
        switch record.pointee.kind {
        case .userAttributes, .itemAttributes:
            let ofUser = record.pointee.kind == .userAttributes
            let lists = ofUser ? shared.attributes.users : shared.attributes.items
            lists.set(ofUser ? user : record.pointee.item, AttributeExtent(record.pointee, firstFeature: firstFeature, ring)) {
                ring.feature(firstFeature &+ $0)
            }
        case .undo: undo(record, lists: true, reservoir: true)
        case .negativeTables: if let tables = record.pointee.takeTables() { use(tables.takeRetainedValue()) }
        // The eviction that follows clears the rest; what replay would teach of the user must not wait for a sweep.
        case .forgetUser: reservoir?.remove(user: user)
        case .promote: comparison?.restart()
        case .refine: refine(record)
        default: _ = applyRowRecord(record)
        }
    }

    /// Takes back an interaction: from history and seen where its type marks items as seen, and from the replay reservoir.
    func undo(_ record: UnsafeMutablePointer<TrainingRecord>, lists: Bool, reservoir inReservoir: Bool) {
        let user = record.pointee.user, item = record.pointee.item, namesType = record.pointee.hasValue
        if lists && (!namesType || (rules + Int(record.pointee.type)).pointee.marksSeen) { shared.userItems.undo(item, user: user) }
        if inReservoir { reservoir?.remove(user: user, item: item, type: namesType ? record.pointee.type : nil) }
    }
}
