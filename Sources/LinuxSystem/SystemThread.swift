internal import CLinux
import Glibc
import Synchronization

/// A plain thread with a name, and optionally a processor of its own.
///
/// Every asynchronous signal is blocked in it from its first instruction, so only the thread that reads the
/// `SignalSource` ever sees one. Signals that mean a crash stay open, for the crash report.
/// A thread that is not joined when the last reference goes is detached and runs on.
public final class SystemThread: Sendable {
    /// The name as given; the kernel shows its first 15 bytes.
    public let name: String
    private let thread: pthread_t
    /// Whether `join` has begun. Any thread.
    private let joined = Atomic<Bool>(false)

    /// Starts a thread that runs `body` and ends with it.
    /// - Parameters:
    ///   - name: shown by debuggers and `top -H`, cut to 15 bytes.
    ///   - processor: the one processor to run on, or `nil` for any.
    ///   - stackBytes: address space for the stack; only touched pages take memory.
    ///   - pulse: the thread's signs of life, for one that a watchdog is to look after.
    ///   - body: runs on the new thread. What it captures is released there when it returns.
    /// - Throws: `SystemError` for a processor that the process may not use, or where no thread can be made.
    public init(
        name: String, processor: Int? = nil, stackBytes: Int = 2 << 20, pulse: Pulse? = nil, body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        self.name = name
        var attributes = pthread_attr_t()
        try Self.check("pthread_attr_init", name, pthread_attr_init(&attributes))
        defer { pthread_attr_destroy(&attributes) }
        try Self.check("pthread_attr_setstacksize", name, pthread_attr_setstacksize(&attributes, stackBytes))
        if let processor {
            let number = CInt(exactly: processor) ?? -1
            try Self.check("pin thread", "\(name) to processor \(processor)", clinux_pin_attributes(&attributes, number))
        }

        // Blocked around the creation, because a new thread inherits the mask of its creator: there is no moment in
        // which it could take a signal.
        var blocked = SignalMask.allButCrashes
        var previous = sigset_t()
        pthread_sigmask(SIG_SETMASK, &blocked, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }

        let whole = pulse.map { pulse in { @Sendable in pulse.accompany(name, body) } } ?? body
        let start = Unmanaged.passRetained(ThreadStart(name: Self.kernelName(name), body: whole))
        var thread = pthread_t()
        let code = pthread_create(&thread, &attributes, runSystemThread, start.toOpaque())
        guard code == 0 else {
            start.release()
            let place = processor.map { " on processor \($0)" } ?? ""
            throw SystemError(call: "pthread_create", subject: name + place, code: code)
        }
        self.thread = thread
    }

    deinit {
        if joined.exchange(true, ordering: .acquiringAndReleasing) == false { pthread_detach(thread) }
    }

    /// The processors that the process may use, in ascending order.
    public static var processors: [Int] { (0..<1024).filter { clinux_may_use(CInt($0)) == 1 } }

    /// Waits until the thread has ended; all that it wrote is visible after. A second call returns at once.
    public func join() {
        guard joined.exchange(true, ordering: .acquiringAndReleasing) == false else { return }
        precondition(pthread_equal(thread, pthread_self()) == 0, "a thread cannot join itself")
        // How long that takes is the other's business, which has a pulse of its own.
        Pulse.outside { _ = pthread_join(thread, nil) }
    }

    /// The longest prefix of whole characters that fits the kernel's 15 bytes.
    private static func kernelName(_ name: String) -> String {
        var short = name
        while short.utf8.count > 15 { short.removeLast() }
        return short
    }

    private static func check(_ call: StaticString, _ subject: String, _ code: CInt) throws(SystemError) {
        guard code == 0 else { throw SystemError(call: "\(call)", subject: subject, code: code) }
    }
}

/// What a new thread is given: boxed, because `pthread_create` passes one pointer.
private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

/// The entry of every thread. At file scope on purpose: a closure here may be taken for one of the main actor's and
/// trap when it runs on a plain thread.
private func runSystemThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    let start = Unmanaged<ThreadStart>.fromOpaque(argument!).takeRetainedValue()
    _ = clinux_set_thread_name(start.name)
    start.body()
    return nil
}
