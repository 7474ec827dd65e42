import Synchronization

/// Gives every record its position, resolves ids to ordinals, admits new ones, and hands the record to the trainer that
/// owns its user, in journal order.
///
/// Nothing here reads a clock or anything that a trainer writes: the same records in the same order give the same
/// positions, ordinals and catalogue sizes, which is what makes a replay exact.
///
/// Thread safety: one thread at a time is the sequencer (receivers take turns, a batch each). The counters are for anyone.
public final class Sequencer: @unchecked Sendable {
    /// Why a record that decoded well could not be taken.
    public enum Refusal: String, Sendable, CaseIterable {
        /// More event types than the registry holds.
        case tooManyTypes = "too_many_types"
        /// More fields than the registry holds; the record is taken without the feature.
        case tooManyFields = "too_many_fields"
        /// A context feature beyond `featureLimit` of one event, an attribute beyond `AttributeLists.longest`, or one with an x
        /// beyond `largestFeature`; the record is taken without it.
        case badFeature = "bad_feature"
        /// All ordinals of a table are given out.
        case tableFull = "table_full"
        /// A kind that only the sequencer itself makes.
        case unsupported
        /// An id has not come often enough yet to get a row, while tables are more than 80 % full.
        case unseen
        /// The tables are at their budget, and no row is free.
        case noFreeRow = "no_free_row"
        /// The tables are at their budget, and an entity's new attributes need more of it than those it has; they stay.
        case noAttributeRoom = "no_attribute_room"
        /// The event's type takes its label from the value, and there is none.
        case missingValue = "missing_value"
    }

    let shared: SharedState
    let models: [Model]
    let queues: [TrainerQueue]
    /// What the loop over a batch's records goes through: without reference counting, for these live as long as this does.
    let path: SequencerPath
    /// The last position given out; the next event gets one more. Stored by the sequencer when its records are published.
    private let last = Atomic<UInt64>(0)
    /// Sequencer only: the position while a batch is under way.
    var position: UInt64 = 0
    /// The tables of popular negatives, and when the next are due. Looked at for each record: a check of exclusive
    /// access at run time would cost as much as the look.
    @exclusivity(unchecked) var negatives: NegativeSchedule
    /// Who has a row.
    let keeper: RowKeeper
    /// Ids evicted and forgotten. Stored by the sequencer, read by anyone.
    let evictions = Atomic<Int>(0)
    /// The model that answers by default, and where it was promoted. Stored by the sequencer, read by anyone.
    let answering = Atomic<Int>(0)
    let promotedAt = Atomic<UInt64>(0)
    /// Why the last id without a row has none.
    var missing = Refusal.tableFull
    /// Those whose progress a quarantine waits for. Set before any thread starts.
    var trainers: [Trainer] = []
    /// What restored rows hold already, while the stream is applied again. Set before any thread starts.
    var window: ReplayWindow?
    /// Refusals by `Refusal.allCases`; stored by the sequencer, read by anyone.
    private let refused: UnsafeMutablePointer<Atomic<Int>>
    /// What the last `take` refused, at most `refusalsKept`: the record's index and why. For the caller's dead letters.
    public private(set) var lastRefusals: [(record: Int, reason: Refusal)] = []
    private static let refusalsKept = 16

    /// Context features of one event that are taken at most: what fits into the smallest queue and a learner's scratch.
    public static let featureLimit = 1024
    /// Largest magnitude of a feature's x. Together with the caps on errors and norms it keeps every product of a step
    /// within the range of Float.
    public static let largestFeature: Float = 10_000

    init(shared: SharedState, models: [Model], queues: [TrainerQueue], keeper: RowKeeper) {
        self.keeper = keeper
        self.shared = shared
        self.models = models
        self.queues = queues
        path = SequencerPath(shared: shared, queues: queues)
        negatives = NegativeSchedule(models: models)
        refused = .allocate(capacity: Refusal.allCases.count)
        for index in 0..<Refusal.allCases.count { (refused + index).initialize(to: Atomic(0)) }
    }

    deinit {
        refused.deallocate()
        path.deallocate()
    }

    /// Records refused since the start, by reason; those that never happened are left out.
    public var refusals: [(reason: Refusal, count: Int)] {
        Refusal.allCases.enumerated().map { ($1, refused[$0].load(ordering: .relaxed)) }.filter { $0.1 > 0 }
    }

    @inline(never)
    func refuse(_ record: Int, _ reason: Refusal) -> Bool {
        refused[Refusal.allCases.firstIndex(of: reason)!].add(1, ordering: .relaxed)
        // Of a flood of ids or lists without room there is nothing to be mended: it is only counted.
        if reason == .unseen || reason == .noFreeRow || reason == .noAttributeRoom { return true }
        if lastRefusals.count < Sequencer.refusalsKept { lastRefusals.append((record, reason)) }
        return true
    }

    /// The highest position given out and published.
    public var lastPosition: UInt64 { last.load(ordering: .acquiring) }

    /// Goes on after a restored state. Before any thread starts.
    func restore(position: UInt64) {
        self.position = position
        last.store(position, ordering: .releasing)
    }

    /// Passes over positions up to and with this one: the next batch begins behind it. They are nobody's, for good, and count as
    /// applied once something behind them is. Only for the sequencer, between two batches.
    public func skip(to position: UInt64) {
        precondition(position >= self.position, "positions only grow")
        self.position = position
    }

    /// The position that the next record begins with. Only for the sequencer, between two batches.
    public var nextPosition: UInt64 { position + 1 }

    /// Takes the batch's records from `first` on; answers the index of the first record not taken, because the queue of
    /// its trainer is full. The caller waits and comes again: back-pressure, never loss.
    public func take(_ batch: EventBatch, from first: Int) -> Int {
        let records = batch.records
        var index = first
        if !lastRefusals.isEmpty { lastRefusals.removeAll(keepingCapacity: true) }
        // Index lines are asked for far ahead, so that they are there when ids are looked up in them, a little less far.
        for ahead in first..<min(first + SequencerPath.indexAhead, records.count) { path.prefetchIndex(records, ahead) }
        for ahead in first..<min(first + SequencerPath.rowsAhead, records.count) { path.lookUp(records, ahead) }
        while index < records.count {
            if (index &- first) & (SequencerPath.group - 1) == 0 { path.askAhead(records, of: index) }
            guard take(records.baseAddress.unsafelyUnwrapped + index, index, of: batch) else { break }
            keeper.taken &+= 1
            keeper.isDone = false
            index &+= 1
        }
        publish()
        return index
    }

    /// Announces a wait for room in the queues that are full, or nearly; false when there is none, and so no need to wait.
    public func prepareWait() -> Bool {
        var waits = false
        for queue in queues where queue.prepareWait() { waits = true }
        return waits
    }

    /// The trainers that sleep and have work now, as bits.
    public func takeWakeUps() -> UInt64 {
        var bits: UInt64 = 0
        for (index, queue) in queues.enumerated() where queue.takeWakeUp() { bits |= 1 << UInt64(index) }
        return bits
    }

    private func publish() {
        shared.goOnRebasing(to: position)
        shared.decay.publish()
        for queue in queues { queue.publish(position: position) }
        last.store(position, ordering: .releasing)
    }

    /// One record; false when its trainer's queue is full.
    @inline(__always)
    private func take(_ place: UnsafePointer<EventRecord>, _ index: Int, of batch: EventBatch) -> Bool {
        if path.undo.pointee.isTight { return false }
        if keeper.isActive, !keepRows() { return false }
        if position >= negatives.next, !handOutTables() { return false }
        if place.pointee.kind == .interaction { return takeInteraction(place, index, of: batch) }
        return takeOther(place.pointee, index, of: batch)
    }

    @inline(never)
    private func takeOther(_ record: EventRecord, _ index: Int, of batch: EventBatch) -> Bool {
        switch record.kind {
        case .hideItem, .unhideItem:
            return takeVisibility(record, index)
        case .undo: return takeUndo(record, index, of: batch)
        case .forgetUser, .forgetItem: return takeForget(record, index)
        case .itemAttributes, .userAttributes: return takeAttributes(record, index, of: batch)
        case .promote: return takePromotion(record, index)
        case .refine: return takeRefinement(record, index)
        case .beat: return true
        case .interaction, .negativeTables, .evictUser, .evictItem, .reuseItem, .beginSweep, .sweep: return refuse(index, .unsupported)
        }
    }

    @inline(__always)
    private func takeInteraction(_ record: UnsafePointer<EventRecord>, _ index: Int, of batch: EventBatch) -> Bool {
        guard let type = record.pointee.type.isEmpty ? 0 : path.type(batch.text(record.pointee.type)) else {
            return refuse(index, .tooManyTypes)
        }
        let hasValue = record.pointee.hasValue
        if !hasValue, path.rules[Int(type)].needsValue { return refuse(index, .missingValue) }
        var user = path.user(record.pointee.user, index)
        if user == Placement.none { user = admit(record.pointee.user, to: shared.users, .users) }
        guard user != Placement.none else { return refuseRow(index) }
        return path.queue(user)._withUnsafeGuaranteedRef { takeInteraction(record, index, of: batch, user, type, $0) }
    }

    @inline(__always)
    private func takeInteraction(
        _ record: UnsafePointer<EventRecord>, _ index: Int, of batch: EventBatch, _ user: UInt32, _ type: UInt16, _ queue: TrainerQueue
    ) -> Bool {
        let given = min(Int(record.pointee.featureCount), Sequencer.featureLimit)
        // The item may come back to a row, which takes a record too.
        guard queue.hasSpace(features: given, records: 2) else { return false }
        var item = path.item(record.pointee.item, index)
        if item == Placement.none { item = admit(record.pointee.item, to: shared.items, .items) }
        guard item != Placement.none else { return refuseRow(index) }
        var featureCount = 0
        if given < Int(record.pointee.featureCount) { _ = refuse(index, .badFeature) }
        let scale = FeatureCrowd.scale(batch.features, from: Int(record.pointee.firstFeature), count: given)
        for feature in 0..<given {
            let entry = batch.features[Int(record.pointee.firstFeature) + feature]
            guard abs(entry.weight) <= Sequencer.largestFeature else {
                _ = refuse(index, .badFeature)
                continue
            }
            guard let namespace = shared.fields.namespace(adding: batch.text(entry.field)) else {
                _ = refuse(index, .tooManyFields)
                continue
            }
            let key = entry.value.placed(in: namespace, hashing: shared.hashing)
            let ordinal = ordinal(of: key, in: .contexts)
            guard ordinal != Placement.none else {
                _ = refuseRow(index)
                continue
            }
            if keeper.isActive { touch(context: ordinal) }
            queue.append(ResolvedFeature(ordinal: ordinal, weight: entry.weight * scale))
            featureCount += 1
        }
        position += 1
        let increment = shared.increment(at: position)
        path.count(item: item, user: user, by: increment)
        if keeper.isActive { touch(user, item) }
        queue.append(
            TrainingRecord(
                position: position, user: user, item: item, catalogue: UInt32(shared.items.count), value: record.pointee.value,
                weight: record.pointee.weight, type: type, featureCount: featureCount, kind: .interaction, hasValue: record.pointee.hasValue))
        return true
    }

    enum Side {
        case users, items, contexts
        /// Users and items that come with attributes.
        case describedUsers, describedItems
        case userAttributes, itemAttributes
    }

    /// Says that an event names these.
    private func touch(_ user: UInt32, _ item: UInt32) {
        let stamp = keeper.stamp(position)
        shared.users.touch(user, stamp: stamp)
        shared.items.touch(item, stamp: stamp)
    }

    private func touch(context: UInt32) {
        shared.contexts.touch(context, stamp: keeper.stamp(position))
        shared.contexts.count(context, by: shared.increment(at: position))
    }

    @inline(__always)
    func ordinal(of key: Key, in side: Side) -> UInt32 {
        let table = switch side {
        case .users, .describedUsers: shared.users
        case .items, .describedItems: shared.items
        case .contexts: shared.contexts
        case .userAttributes: shared.attributes.users.features
        case .itemAttributes: shared.attributes.items.features
        }
        let found = table.find(key)
        return found != Placement.none ? found : admit(key, to: table, side)
    }

    func makeReady(_ ordinal: UInt32, _ side: Side, _ key: borrowing Key) {
        if let window, window.isOpen {
            let key = copy key
            return window.keeping(ordinal, side.row, before: position, models) { makeRowsReady(ordinal, side, key) }
        }
        makeRowsReady(ordinal, side, key)
    }

    private func makeRowsReady(_ ordinal: UInt32, _ side: Side, _ key: borrowing Key) {
        switch side {
        case .users, .describedUsers:
            shared.userItems.ensure(ordinal)
            shared.attributes.users.ensure(ordinal)
            for model in models {
                if side == .users { model.users.makeReady(ordinal) } else { model.makeDescribedUserReady(ordinal) }
            }
        case .items, .describedItems:
            shared.attributes.items.ensure(ordinal)
            for model in models {
                if side == .items { model.makeItemReady(ordinal) } else { model.makeDescribedItemReady(ordinal) }
            }
        case .userAttributes: for model in models { model.userAttributes.makeReady(ordinal) }
        case .itemAttributes: for model in models { model.itemAttributes.makeReady(ordinal) }
        case .contexts:
            let field = Int(key.namespace)
            for model in models { model.makeContextReady(ordinal, fieldName: shared.fields.name(UInt16(field))) }
        }
    }
}
