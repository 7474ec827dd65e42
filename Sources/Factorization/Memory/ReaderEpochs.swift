import Synchronization

/// Tells writers when memory that they have unlinked can be reused: after every reader that could still hold it has left.
///
/// Epoch-based reclamation (Fraser 2004): a reader announces the epoch in which it entered; a writer unlinks, opens a new
/// epoch, and frees once no reader stands in the old one. Readers never wait and never write shared lines but their own.
public final class ReaderEpochs: Sendable {
    /// Highest number of reader threads: 64 trainers and whoever answers.
    public static let slotCount = 192
    /// One line a reader: 0 outside, else the epoch of entry. Written by its reader, read by writers.
    private let slots: UnsafeMutablePointerBox
    /// The current epoch, from 1; atomic.
    private let current = Atomic<UInt64>(1)
    private let registered = Atomic<Int>(0)

    /// Keeps the slots' memory and its release in one place.
    private final class UnsafeMutablePointerBox: @unchecked Sendable {
        let pointer: UnsafeMutableRawPointer
        init() {
            pointer = .allocate(byteCount: ReaderEpochs.slotCount * 128, alignment: 128)
            for slot in 0..<ReaderEpochs.slotCount {
                (pointer + slot * 128).bindMemory(to: Atomic<UInt64>.self, capacity: 1).initialize(to: Atomic(0))
            }
        }
        deinit { pointer.deallocate() }
        func slot(_ index: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
            (pointer + index * 128).assumingMemoryBound(to: Atomic<UInt64>.self)
        }
    }

    public init() { slots = UnsafeMutablePointerBox() }

    /// Registers the calling thread as a reader; the ticket is valid for the object's lifetime.
    public func register() -> Int {
        let slot = registered.add(1, ordering: .sequentiallyConsistent).oldValue
        precondition(slot < ReaderEpochs.slotCount, "more than \(ReaderEpochs.slotCount) reader threads")
        return slot
    }

    /// Runs `body` with all that it reads protected from reuse.
    @inline(__always)
    public func reading<Value, Failure: Error>(_ ticket: Int, _ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        let slot = slots.slot(ticket)
        // Within another `reading` of this thread, that one protects and is the one to leave.
        if slot.pointee.load(ordering: .relaxed) != 0 { return try body() }
        slot.pointee.store(current.load(ordering: .sequentiallyConsistent), ordering: .sequentiallyConsistent)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        defer { slot.pointee.store(0, ordering: .releasing) }
        return try body()
    }

    /// Opens a new epoch; what was unlinked before this call is free once `isPast` says so of the answer.
    public func advance() -> UInt64 {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return current.add(1, ordering: .sequentiallyConsistent).oldValue
    }

    /// Whether every reader that entered in `epoch` or before has left.
    public func isPast(_ epoch: UInt64) -> Bool {
        for index in 0..<min(registered.load(ordering: .sequentiallyConsistent), ReaderEpochs.slotCount) {
            let entered = slots.slot(index).pointee.load(ordering: .sequentiallyConsistent)
            if entered != 0 && entered <= epoch { return false }
        }
        return true
    }
}
