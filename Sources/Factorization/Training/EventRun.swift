import CKernels

/// Events gathered for one call of the kernel: those whose user side is the user's row alone. Their rows are asked for
/// while earlier events step, and nothing but rows is touched in between.
///
/// Plain memory that its learner owns; a trainer's thread.
struct EventRun {
    /// Rows of a run at most, so that the work between two looks at the outside world is bounded.
    static let rowLimit = 256
    private static let itemCapacity = rowLimit + ModelSettings.mostNegatives + 1

    var state = fk_run()
    /// Events and items placed and not yet learned.
    private(set) var count = 0
    private(set) var itemCount = 0
    private let events: UnsafeMutablePointer<fk_event>
    private let items: UnsafeMutablePointer<fk_place>
    /// Beside `items`: their ordinals, and their scores from before their steps.
    let ordinals: UnsafeMutablePointer<UInt32>
    let scores: UnsafeMutablePointer<Float>
    /// Beside the events.
    private let positions: UnsafeMutablePointer<UInt64>
    private let users: UnsafeMutablePointer<UInt32>
    /// w0 and its accumulator as this learner last left them in the model.
    private var leftBias: Float = 0
    private var leftAccumulator: Float = 0

    /// - Parameter width: floats of a row; longer rows are asked for later, so that they do not push each other out.
    init(width: Int) {
        events = .allocate(capacity: EventRun.rowLimit)
        items = .allocate(capacity: EventRun.itemCapacity)
        ordinals = .allocate(capacity: EventRun.itemCapacity)
        scores = .allocate(capacity: EventRun.itemCapacity)
        positions = .allocate(capacity: EventRun.rowLimit)
        users = .allocate(capacity: EventRun.rowLimit)
        ahead = max(4, min(24, 768 / width))
    }

    func deallocate() {
        events.deallocate()
        items.deallocate()
        ordinals.deallocate()
        scores.deallocate()
        positions.deallocate()
        users.deallocate()
    }

    /// Rows of items that are to be on their way at once.
    private let ahead: Int

    var isEmpty: Bool { count == 0 }
    /// Whether the rows placed are as many as one call may take.
    @inline(__always)
    var isFull: Bool { itemCount &+ count >= EventRun.rowLimit }
    /// Position of the first event that waits.
    var firstPosition: UInt64 { positions[0] }

    /// Writes item `number` of the event that `place` adds next.
    @inline(__always)
    func set(_ number: Int, _ ordinal: UInt32, _ rows: FactorRows, label: Float, weight: Float) {
        let index = itemCount &+ number
        ordinals[index] = ordinal
        let row = rows.row(ordinal)
        items[index] = fk_place(factors: row.factors, state: row.state, label: label, weight: weight)
    }

    /// Adds an event whose `added` items were set.
    @inline(__always)
    mutating func place(
        query: UnsafeMutablePointer<Float>, state: UnsafeMutablePointer<fk_row_state>, user: UInt32, position: UInt64, itemCount added: Int
    ) {
        events[count] = fk_event(query: query, state: state, count: UInt32(truncatingIfNeeded: added))
        positions[count] = position
        users[count] = user
        count &+= 1
        itemCount &+= added
    }

    /// Learns what was placed; answers how many events that were. With `keepsTail` the last few stay, their rows already on
    /// their way, for the next call.
    mutating func learn(_ model: Model, _ settings: UnsafePointer<fk_settings>, keepsTail: Bool) -> Int {
        let distance = max(2, ahead * count / max(itemCount, 1))
        let learned = keepsTail ? max(count - distance, 1) : count
        state.placed = UInt32(count)
        state.distance = UInt32(distance)
        state.bias_rate = model.settings.globalRate
        state.rejected = 0
        state.clipped = 0
        let (bias, accumulator, _) = model.globalState
        // What others changed meanwhile; exactly nothing with one trainer.
        state.bias += bias - leftBias
        state.bias_accumulator += accumulator - leftAccumulator
        let before = total, accumulatorBefore = state.bias_accumulator
        model.kernels.train(&state, settings, events, items, scores, learned, model.width)
        leftBias = model.moveBias(from: bias, by: total - before, to: total)
        leftAccumulator = model.moveAccumulator(
            from: accumulator, by: state.bias_accumulator - accumulatorBefore, to: state.bias_accumulator)
        return learned
    }

    /// An event that was placed.
    @inline(__always)
    func event(_ index: Int) -> (position: UInt64, user: UInt32, itemCount: Int) {
        (positions[index], users[index], Int(events[index].count))
    }
    /// What an item's score was to become.
    @inline(__always)
    func label(_ item: Int) -> Float { items[item].label }

    /// Drops the first events and their items; the others move up.
    mutating func drop(_ learned: Int, items first: Int) {
        let rest = count - learned, itemRest = itemCount - first
        if rest > 0 {
            events.update(from: events + learned, count: rest)
            positions.update(from: positions + learned, count: rest)
            users.update(from: users + learned, count: rest)
            items.update(from: items + first, count: itemRest)
            ordinals.update(from: ordinals + first, count: itemRest)
        }
        count = rest
        itemCount = itemRest
    }

    /// w0 with the changes that wait.
    private var total: Float { state.bias + state.pending.0 + state.pending.1 + state.pending.2 }

    /// What a snapshot holds beside the model's w0: w0 as the next event will see it, the changes that wait, the accumulator,
    /// and both as they were last left in the model.
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
