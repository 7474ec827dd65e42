import CKernels

/// The rows of items that come again and again, learned by each of several trainers in copies of its own while many events wait (fk_hot.h
/// says why).
///
/// What is in a copy alone is not applied: until it is handed over, positions from `heldFrom` on are not published. With few
/// events waiting rows are stepped where they lie, and where `CopyTrial` finds that cheaper.
///
/// A trainer's thread.
final class HotRows {
    /// Records that must wait for copies to be made, which pay off after some hundred.
    static let leastWaiting = 2048

    private let hot: UnsafeMutablePointer<fk_hot>
    private let kernels: UnsafePointer<fk_kernels>
    /// Without reference counting; the model's.
    private let copy: Unmanaged<RowCopy>?
    private let written: UnsafeMutablePointer<UInt32>
    private let rows: UnsafeMutableRawPointer
    /// Whether items are counted, and copies made.
    @exclusivity(unchecked) var isWanted = false
    /// Whether there are copies.
    @exclusivity(unchecked) private(set) var isOpen = false
    /// Position of the first event that may be in a copy alone; the highest where there is none.
    @exclusivity(unchecked) private(set) var heldFrom = UInt64.max
    /// Copies handed over so far.
    @exclusivity(unchecked) private(set) var handedOver = 0

    /// Bytes of copies up to which they have room in a processor's second level of cache, beside what else is learned.
    private static let mostBytes = 640 << 10

    init(_ model: Model, trainers: Int) {
        kernels = model.kernels.table
        copy = model.items.copy.map { .passUnretained($0) }
        precondition(EventRun.itemCapacity <= Int(fk_hot_most_items), "there is room for the items of a run")
        let rowBytes = model.items.stride * MemoryLayout<Float>.stride
        var slots = Int(fk_hot_most_slots)
        while slots * (rowBytes + MemoryLayout<fk_row_state>.stride) > HotRows.mostBytes { slots /= 2 }
        rows = .allocate(byteCount: 2 * slots * rowBytes, alignment: 64)
        written = .allocate(capacity: slots)
        // Its fields are set and not the whole, which is large and seldom used to the end.
        hot = .allocate(capacity: 1)
        hot.pointee.slot_count = slots
        hot.pointee.width = model.items.stride
        hot.pointee.rows = rows.bindMemory(to: Float.self, capacity: 2 * slots * model.items.stride)
        hot.pointee.reach = -Float(fk_log(1 - HotRows.share(trainers)))
        hot.pointee.adapts = model.settings.optimizer == .sgd ? 0 : 1
        hot.pointee.slope = model.settings.loss == .logistic ? 0.25 : 1
        fk_hot_clear(hot)
        adoptPace(model)
    }

    deinit {
        rows.deallocate()
        written.deallocate()
        hot.deallocate()
    }

    /// Of an error, what a copy of one of so many trainers may take before it is handed over: three quarters of 2 sin(π / (4N − 2)), for
    /// sin x the first two terms of its series, which fall short by a thousandth at most.
    static func share(_ trainers: Int) -> Double {
        let x = Double.pi / Double(4 * trainers - 2)
        return 0.75 * 2 * (x - x * x * x / 6)
    }

    /// Steps as the model says now. While the trainer is idle.
    func adoptPace(_ model: Model) {
        let settings = model.kernelSettings
        hot.pointee.weight_rate = settings.item.weight_rate
        hot.pointee.factor_rate = settings.item.rate
        hot.pointee.norm_cap = settings.norm_cap
    }

    /// A batch was learned, and of its items the first `items`.
    @inline(__always)
    func measure(_ batch: inout fk_batch, items: Int) { fk_hot_measure(hot, kernels, &batch, items) }

    /// Counts the items of a batch from number `item` on, and has them step copies where there are any; they belong to events from `event`
    /// on, and `waiting` records wait beyond them.
    @inline(__always)
    func redirect(_ batch: inout fk_batch, event: Int, item: Int, waiting: Int) {
        isOpen = isOpen || waiting >= HotRows.leastWaiting
        if isOpen {
            if heldFrom == .max && event < Int(batch.event_count) { heldFrom = batch.positions[event] }
            kernels.pointee.redirect(hot, &batch, item)
        }
        fk_hot_count(hot, &batch, item)
    }

    /// Whether what is copied is to be chosen anew.
    @inline(__always)
    var turns: Bool { hot.pointee.passed >= hot.pointee.round }

    /// Hands over what is in copies, and copies what is hot now. Nothing that was redirected waits.
    func turn() {
        tell(fk_hot_turn(hot, kernels, written))
        heldFrom = .max
    }

    /// Hands over the copies that have few steps left, or all: those that hold what is no number are then made anew.
    @inline(__always)
    func settle(all: Bool) { tell(fk_hot_settle(hot, kernels, all ? 1 : 0, written)) }

    /// Hands over what is in copies; there are none afterwards. Nothing that was redirected waits.
    @inline(__always)
    func close() {
        if turns { turn() }
        if !isOpen { return }
        tell(fk_hot_close(hot, kernels, written))
        isOpen = false
        heldFrom = .max
    }

    /// Rows were written.
    @inline(__always)
    private func tell(_ count: Int) {
        guard count > 0 else { return }
        handedOver &+= count
        copy?._withUnsafeGuaranteedRef { $0.touch(written, count: count) }
    }
}
