import CKernels

/// Events gathered for one call of the kernel: those whose user side is the user's row alone. Their rows are asked for
/// while earlier events step, and nothing but rows is touched in between.
///
/// Plain memory that its learner owns; a trainer's thread.
struct EventRun {
    /// Rows of a run at most, so that the work between two looks at the outside world is bounded.
    static let rowLimit = 1024
    /// The same where hot rows are learned in copies.
    private static let copiesLimit = 512
    static let itemCapacity = rowLimit + ModelSettings.mostNegatives + 1 + 16

    var state = fk_run()
    /// Events placed and not yet learned, and their items.
    var batch = fk_batch()
    /// ln(1 + exp(score)) of items; scratch of whoever counts them.
    let softplus: UnsafeMutablePointer<Float>
    /// w0 and its accumulator as this learner last knew them, with its own changes: whatever the model has beyond, others changed.
    private var leftBias: Float = 0
    private var leftAccumulator: Float = 0
    /// What `follow` found last, and whether the next batch goes on from there.
    private var known: (bias: Float, accumulator: Float, ownBias: Float, ownAccumulator: Float) = (0, 0, 0, 0)
    private var isCurrent = false
    /// Items whose rows are on their way into the first level of the cache: where rows lie near, and where they are first brought into
    /// the second level, for which so many items' rows are on their way from memory.
    private let near: Int, far: Int, reach: Int
    /// Whether rows come from memory.
    private var isFar = false
    /// Bytes of rows up to which they lie in the caches of a processor, as a rule.
    private static let nearBytes = 8 << 20

    /// - Parameters:
    ///   - width: floats of a row; longer rows are asked for later, so that they do not push each other out.
    ///   - isSingle: whether no event has negatives.
    ///   - trainers: that write rows of items.
    init(width: Int, isSingle: Bool, trainers: Int = 1) {
        let events = EventRun.rowLimit, items = EventRun.itemCapacity
        softplus = .allocate(capacity: items)
        // A row that others step, too, is soon taken away again where it was asked for early.
        let early = isSingle && trainers > 1 ? 4 : 8
        near = max(4, min(isSingle ? early : 24, 768 / width))
        (far, reach) = (early, isSingle ? 48 : 96)
        state.single = isSingle ? 1 : 0
        state.shared = trainers > 1 ? 1 : 0
        batch.limit = UInt32(events)
        batch.users = .allocate(capacity: events)
        batch.counts = .allocate(capacity: events)
        batch.positions = .allocate(capacity: events)
        batch.queries = .allocate(capacity: events)
        batch.query_states = .allocate(capacity: events)
        batch.ordinals = .allocate(capacity: items)
        batch.labels = .allocate(capacity: items)
        batch.weights = .allocate(capacity: items)
        batch.factors = .allocate(capacity: items)
        batch.states = .allocate(capacity: items)
        batch.scores = .allocate(capacity: items)
    }

    func deallocate() {
        softplus.deallocate()
        batch.users.deallocate()
        batch.counts.deallocate()
        batch.positions.deallocate()
        batch.queries.deallocate()
        batch.query_states.deallocate()
        batch.ordinals.deallocate()
        batch.labels.deallocate()
        batch.weights.deallocate()
        batch.factors.deallocate()
        batch.states.deallocate()
        batch.scores.deallocate()
    }

    /// Takes note of how many rows of `width` floats there are, so that they are asked for in time.
    mutating func measure(rows: Int, width: Int) {
        isFar = rows * (width * MemoryLayout<Float>.stride + MemoryLayout<fk_row_state>.stride) > EventRun.nearBytes
    }

    /// A copy takes its steps once a batch, so that in long ones those that are met most often soon have none left.
    @inline(__always)
    mutating func limit(copies: Bool) { batch.limit = UInt32(copies ? EventRun.copiesLimit : EventRun.rowLimit) }

    var count: Int { Int(batch.event_count) }
    var itemCount: Int { Int(batch.item_count) }
    var isEmpty: Bool { batch.event_count == 0 }
    /// Whether the rows placed are as many as one call may take.
    var isFull: Bool { batch.item_count &+ batch.event_count >= batch.limit }
    /// Position of the first event that waits.
    var firstPosition: UInt64 { batch.positions[0] }

    /// Places events of the source's ring, from number `first` on and at most `count`; answers how many records that took.
    /// Their rows are looked up by `lookUp`, once their negatives are settled.
    mutating func take(_ kernels: Kernels, _ source: inout fk_source, from first: Int, count: Int) -> Int {
        kernels.take(&batch, &source, first, count)
    }

    /// Places one event.
    mutating func take(_ kernels: Kernels, _ source: inout fk_source, _ record: UnsafePointer<fk_record>, label: Float, weight: Float) {
        kernels.takeOne(&batch, &source, record, label, weight)
    }

    /// Of the negatives of an event whose items begin at `read`, keeps those that `isKept` says, at `write`.
    @inline(__always)
    mutating func settle(event: Int, read: inout Int, write: inout Int, _ isKept: (UInt32) -> Bool) {
        let end = read &+ Int(batch.counts[event]), first = write
        var isKeptAnyway = true
        while read < end {
            let ordinal = batch.ordinals[read]
            batch.ordinals[write] = ordinal
            batch.labels[write] = batch.labels[read]
            batch.weights[write] = batch.weights[read]
            // No branch: which ones stay cannot be foretold.
            let stays = isKept(ordinal) || isKeptAnyway
            write &+= stays ? 1 : 0
            isKeptAnyway = false
            read &+= 1
        }
        batch.counts[event] = UInt32(truncatingIfNeeded: write &- first)
    }
    /// Ends a round of `settle` over all events placed.
    mutating func settled(items: Int) { batch.item_count = UInt32(items) }

    /// Finds the rows of the events from `event` on, and of the items from `item` on.
    mutating func lookUp(_ kernels: Kernels, _ source: inout fk_source, event: Int, item: Int) {
        kernels.lookUp(&batch, &source, event, item)
    }

    /// Has the items from `item` on, of the events from `event` on, step copies of hot rows where there are any.
    @inline(__always)
    mutating func redirect(to hot: HotRows, event: Int, item: Int, waiting: Int) {
        hot.redirect(&batch, event: event, item: item, waiting: waiting)
    }

    /// Learns what was placed; answers how many events that were. With `keepsTail` the last few stay, their rows already on
    /// their way, for the next call. `share` tells the model what has changed of w0.
    mutating func learn(_ model: Model, _ settings: UnsafePointer<fk_settings>, keepsTail: Bool) -> Int {
        func events(_ rows: Int) -> Int { max(2, rows * count / max(itemCount, 1)) }
        let distance = events(isFar ? far : near), reach = isFar ? events(reach) : 0
        let learned = keepsTail ? max(count - max(distance, reach), 1) : count
        state.placed = UInt32(count)
        state.distance = UInt32(distance)
        state.reach = UInt32(reach)
        state.bias_rate = model.pace.globalRate
        state.rejected = 0
        state.clipped = 0
        if !isCurrent { known = follow(model) }
        model.kernels.train(&state, settings, &batch, learned, model.width)
        // Time enough for its line to come until `share`.
        model.claimGlobal()
        return learned
    }

    /// Adds to the model's w0 and accumulator what the last batch has changed, and takes up what others have, both in one go: between
    /// distant cores the line of w0 is a twentieth of a batch's time away.
    /// - Parameter goesOn: whether the next batch follows at once, and need not look again.
    mutating func share(with model: Model, goesOn: Bool) {
        handOver(to: model, since: known)
        known = follow(model)
        isCurrent = goesOn
    }

    /// Takes up what others have changed of w0 and its accumulator; exactly nothing with one trainer. Answers what the model has, and
    /// both as this learner knows them now: the same, but for rounding.
    mutating func follow(_ model: Model) -> (bias: Float, accumulator: Float, ownBias: Float, ownAccumulator: Float) {
        let (bias, accumulator, _) = model.globalState
        state.bias += bias - leftBias
        state.bias_accumulator += accumulator - leftAccumulator
        (leftBias, leftAccumulator) = (bias, accumulator)
        return (bias, accumulator, total, state.bias_accumulator)
    }

    /// Adds to the model's w0 and accumulator what has changed here since `follow`.
    ///
    /// What others add between the two is not known here yet, so what is left is this learner's own view, and not what the model has:
    /// else it would be missed for good, and a view that lags so would one day be handed over as it is.
    mutating func handOver(to model: Model, since known: (bias: Float, accumulator: Float, ownBias: Float, ownAccumulator: Float)) {
        leftBias = total
        leftAccumulator = state.bias_accumulator
        model.moveBias(from: known.bias, by: total - known.ownBias, to: total)
        model.moveAccumulator(
            from: known.accumulator, by: state.bias_accumulator - known.ownAccumulator, to: state.bias_accumulator)
    }

    /// The next batch comes some other time.
    mutating func pause() { isCurrent = false }

    /// Drops the first events and their items; the others move up.
    mutating func drop(_ learned: Int, items first: Int) { fk_drop(&batch, learned, first) }

    /// w0 with the changes that wait.
    private var total: Float { state.bias + state.pending.0 + state.pending.1 + state.pending.2 }

    /// What a snapshot holds beside the model's w0: w0 as the next event will see it, the changes that wait, the accumulator,
    /// and both as they were last known.
    var late: [Float] {
        get { [state.bias, state.pending.0, state.pending.1, state.pending.2, state.bias_accumulator, leftBias, leftAccumulator] }
        set {
            state.bias = newValue[0]
            state.pending = (newValue[1], newValue[2], newValue[3])
            (state.bias_accumulator, leftBias, leftAccumulator) = (newValue[4], newValue[5], newValue[6])
        }
    }
    static let lateCount = 7

    /// Goes on from a model's w0 as it is: nothing waits. Before any thread starts.
    mutating func restore(_ model: Model) {
        let (bias, accumulator, _) = model.globalState
        late = [bias, 0, 0, 0, accumulator, bias, accumulator]
    }
}
