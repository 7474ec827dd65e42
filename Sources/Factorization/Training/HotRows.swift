import CKernels

/// The rows of items that are in every other event, learned by each of several trainers in copies of its own while many events wait
/// (fk_hot.h says why).
///
/// What is in a copy alone is not applied: until it is handed over, positions from `heldFrom` on are not published. With few
/// events waiting rows are stepped where they lie, and where `CopyTrial` finds that cheaper.
///
/// A trainer's thread.
final class HotRows {
    /// Records that must wait for copies to be made: they pay off after some hundred.
    static let leastWaiting = 2048

    private let hot: UnsafeMutablePointer<fk_hot>
    private let copy: RowCopy?
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

    init(_ model: Model, trainers: Int) {
        copy = model.items.copy
        let slots = Int(fk_hot_slots), bytes = 2 * slots * model.items.stride * MemoryLayout<Float>.stride
        rows = .allocate(byteCount: bytes, alignment: 64)
        written = .allocate(capacity: slots)
        hot = .allocate(capacity: 1)
        hot.initialize(to: fk_hot())
        hot.pointee.rows = rows.bindMemory(to: Float.self, capacity: bytes / MemoryLayout<Float>.stride)
        hot.pointee.width = model.items.stride
        hot.pointee.largest = 1 / Float(trainers)
        hot.pointee.adapts = model.settings.optimizer == .sgd ? 0 : 1
        fk_hot_clear(hot)
        adoptPace(model)
    }

    deinit {
        rows.deallocate()
        written.deallocate()
        hot.deallocate()
    }

    /// Steps as the model says now. While the trainer is idle.
    func adoptPace(_ model: Model) { hot.pointee.rate = model.kernelSettings.item.weight_rate }

    /// Has the items of a batch from number `item` on step copies where there are any; they belong to events from `event` on.
    @inline(__always)
    func redirect(_ batch: inout fk_batch, event: Int, item: Int) {
        if isOpen && heldFrom == .max && event < Int(batch.event_count) { heldFrom = batch.positions[event] }
        fk_hot_redirect(hot, &batch, item)
    }

    /// Whether, with a full run and so many records beyond it, copies are to be made, or made anew.
    @inline(__always)
    func turns(waiting: Int) -> Bool {
        isOpen ? hot.pointee.passed >= UInt32(fk_hot_round) : isWanted && waiting >= HotRows.leastWaiting
    }

    /// Hands over what is in copies, and makes copies of what is hot now. Nothing that was redirected waits.
    func turn(_ items: FactorRows) {
        var items = items.plain
        tell(fk_hot_turn(hot, &items, written))
        isOpen = true
        heldFrom = .max
    }

    /// Hands over the copies that have taken their steps, or all: those that hold what is no number are then made anew.
    @inline(__always)
    func settle(all: Bool) { tell(fk_hot_settle(hot, all ? 1 : 0, written)) }

    /// Hands over what is in copies; there are none afterwards. Nothing that was redirected waits.
    @inline(__always)
    func close() {
        guard isOpen || hot.pointee.passed >= UInt32(fk_hot_round) else { return }
        tell(fk_hot_close(hot, written))
        isOpen = false
        heldFrom = .max
    }

    /// Rows were written.
    @inline(__always)
    private func tell(_ count: Int) {
        guard count > 0 else { return }
        handedOver &+= count
        copy?.touch(written, count: count)
    }
}
