internal import CLinux
import Synchronization

/// Wakes all threads that wait for the next of a row of signals: a futex, so that nobody who is awake costs a look at a descriptor.
public final class WakeWord: Sendable {
    /// Signals so far. Behind a pointer, for the kernel waits at its address.
    nonisolated(unsafe) private let count: UnsafeMutablePointer<Atomic<UInt32>>

    public init() {
        count = .allocate(capacity: 1)
        count.initialize(to: Atomic(0))
    }

    deinit { count.deallocate() }

    private var address: UnsafeMutablePointer<UInt32> { UnsafeMutableRawPointer(count).assumingMemoryBound(to: UInt32.self) }

    /// Wakes all who wait. Thread-safe; never blocks.
    public func signal() {
        count.pointee.add(1, ordering: .releasing)
        clinux_futex_wake(address)
    }

    /// Waits until there were other signals than `seen`; answers how many, for the next call.
    public func wait(after seen: UInt32) -> UInt32 {
        while true {
            let now = count.pointee.load(ordering: .acquiring)
            if now != seen { return now }
            // Also returns where the count has changed already, or for no reason at all.
            clinux_futex_wait(address, seen)
            Pulse.beat()
        }
    }
}
