import Glibc
import Synchronization

/// A thread's signs of life: what a watchdog looks at to tell a thread that works or waits from one that is stuck.
///
/// A thread that is given one (`SystemThread(pulse:)`) beats with each round, each wait that it comes back from and each pause
/// that it takes, which the types of this module do for it; a loop that does not always wait calls `Pulse.beat()`. It is not
/// judged while it is in the hands of the kernel, for a slow disk is no reason to kill, or waits for a lock, whose holder is
/// judged instead. So a cycle of threads that wait for each other's locks is not found, and nothing else escapes.
///
/// Threads: `beat` and `outside` act on the calling thread's own pulse, if it has one; everything else is for anyone.
public final class Pulse: Sendable {
    /// Rounds so far; wraps. Written by the owner alone.
    private let rounds = Atomic<UInt64>(0)
    /// How deep the owner is in calls that it is not judged for. Written by the owner alone.
    private let depth = Atomic<Int>(0)
    /// Rouses a thread that sleeps until somebody calls; nil for one that looks around by itself every second.
    private let wake: (@Sendable () -> Void)?

    /// - Parameter wake: has the thread make a round, if it sleeps; called now and then from another thread, and must not wait.
    public init(wake: (@Sendable () -> Void)? = nil) { self.wake = wake }

    // MARK: The owner

    /// The calling thread is alive. Costs some nanoseconds; a thread without a pulse does nothing.
    public static func beat() {
        guard let pulse = current else { return }
        // One writer: no read-modify-write is needed.
        pulse.rounds.store(pulse.rounds.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    /// Runs `body`, for whose length the calling thread is not answerable.
    @inline(__always)
    public static func outside<Value: ~Copyable, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        guard let pulse = current else { return try body() }
        pulse.shift(1)
        defer { pulse.shift(-1) }
        return try body()
    }

    private func shift(_ step: Int) {
        depth.store(depth.load(ordering: .relaxed) + step, ordering: .relaxed)
        if step < 0 { Pulse.beat() }
    }

    // MARK: Anyone

    /// What a look at a thread finds.
    public enum Sight: Equatable, Sendable {
        /// So many rounds in all.
        case rounds(UInt64)
        /// In the hands of the kernel, or waiting for a lock.
        case outside
    }

    /// How far the thread has come.
    public var sight: Sight { depth.load(ordering: .relaxed) > 0 ? .outside : .rounds(rounds.load(ordering: .relaxed)) }

    /// Has a sleeping thread make a round.
    public func rouse() { wake?() }

    // MARK: Which thread has which

    /// The calling thread's.
    private static var current: Pulse? {
        guard let pointer = pthread_getspecific(key) else { return nil }
        return Unmanaged<Pulse>.fromOpaque(pointer).takeUnretainedValue()
    }

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let code = pthread_key_create(&key, nil)
        precondition(code == 0, "pthread_key_create: \(code)")
        return key
    }()

    /// A thread that runs now, with its pulse.
    public struct Beating: Sendable {
        public let name: String
        public let pulse: Pulse
    }
    private static let beating = Lock<[Beating]>([])

    /// All threads of the process that have a pulse and have not ended, in the order in which they were made.
    public static var all: [Beating] { beating.withLock { $0 } }

    /// Takes this pulse as the calling thread's until `body` returns.
    public func accompany<Value, Failure: Error>(_ name: String, _ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        Pulse.beating.withLock { $0.append(Beating(name: name, pulse: self)) }
        Pulse.adopt(self)
        defer {
            Pulse.adopt(nil)
            Pulse.beating.withLock { $0.removeAll { $0.pulse === self } }
        }
        return try body()
    }

    private static func adopt(_ pulse: Pulse?) {
        pthread_setspecific(key, pulse.map { UnsafeRawPointer(Unmanaged.passUnretained($0).toOpaque()) })
    }
}
