import Glibc

/// A value that threads use one at a time.
///
/// In place of `Synchronization.Mutex`, whose waiting is done in the standard library with bare futex calls: the thread
/// sanitizer does not see a contended `Mutex` change hands, and reports what stands inside as a race. It does see a
/// pthread mutex, and a report of it is then a true one.
///
/// Not recursive. Thread safety: everything here may be called from any thread.
public final class Lock<Value: ~Copyable>: @unchecked Sendable {
    // Sendable by hand: `mutex` is made for sharing, and `value` is touched only by who holds it.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let value: UnsafeMutablePointer<Value>

    /// - Parameter value: given away: nobody else keeps a way to reach what belongs to it.
    public init(_ value: consuming sending Value) {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        let code = pthread_mutex_init(mutex, nil)
        precondition(code == 0, "pthread_mutex_init: \(code)")
        self.value = .allocate(capacity: 1)
        self.value.initialize(to: value)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        value.deinitialize(count: 1)
        value.deallocate()
    }

    /// Runs `body` with the value while no other thread does; waits for that as long as it takes.
    public func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        if pthread_mutex_trylock(mutex) != 0 {
            // Can only fail for a mutex that is no longer one, or of another kind.
            let code = Pulse.outside { pthread_mutex_lock(mutex) }
            precondition(code == 0, "pthread_mutex_lock: \(code)")
        }
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value.pointee)
    }
}
