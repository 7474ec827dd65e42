internal import CZeroMQ
internal import LinuxSystem

/// The I/O threads and the registry of in-process endpoints that a set of sockets share. One per process is usual.
///
/// Thread-safe. Every socket keeps its context alive, so letting go of all of them closes all in the right order.
public final class ZeroMQContext: Sendable {
    /// libzmq's handle; it is itself thread-safe until it is destroyed, at which this becomes `nil`.
    private let handle: Lock<Handle?>

    /// - Parameters:
    ///   - ioThreads: one carries about a gigabyte a second; more only for several busy endpoints.
    ///   - maximumSockets: how many sockets may be open at once. In-process monitors count too.
    public init(ioThreads: Int = 1, maximumSockets: Int = 1023) throws(ZeroMQError) {
        precondition(ioThreads >= 0 && maximumSockets > 0)
        let context = try requireZeroMQHandle("zmq_ctx_new") { zmq_ctx_new() }
        handle = Lock(Handle(pointer: context))
        // With BLOCKY off no socket lingers unless it says so: at the default, ending hangs on an unreachable peer.
        // The threads' priority is left alone: raising it without the right aborts the process.
        for (option, value) in [
            (ZMQ_BLOCKY, 0), (ZMQ_IO_THREADS, CInt(clamping: ioThreads)), (ZMQ_MAX_SOCKETS, CInt(clamping: maximumSockets)),
        ] {
            try requireZeroMQ("zmq_ctx_set", "option \(option)") { zmq_ctx_set(context, option, value) }
        }
    }

    deinit {
        terminate()
    }

    /// Ends all blocked and later calls on this context's sockets with `contextTerminated`, and returns at once.
    /// Call it from any thread, any number of times.
    public func shutdown() {
        handle.withLock { handle in
            if let handle { zmq_ctx_shutdown(handle.pointer) }
        }
    }

    /// Shuts down, then waits until every socket is closed and has sent, for at most its linger time, what it had.
    public func terminate() {
        let last = handle.withLock { handle -> Handle? in
            defer { handle = nil }
            return handle
        }
        guard let last else { return }
        zmq_ctx_shutdown(last.pointer)
        // The thread-safe repeat after an interruption; EFAULT, the only other failure, cannot be for our own handle.
        _ = try? zeroMQCall("zmq_ctx_term") { zmq_ctx_term(last.pointer) }
    }

    /// A new raw socket of libzmq.
    func makeSocket(_ type: CInt, _ subject: @autoclosure () -> String) throws(ZeroMQError) -> UnsafeMutableRawPointer {
        // The error is read on the same thread right after the call, so the lock may be gone by then.
        let subject = subject()
        guard let context = handle.withLock({ $0 }) else { throw .contextTerminated(call: "zmq_socket") }
        return try requireZeroMQHandle("zmq_socket", subject) { zmq_socket(context.pointer, type) }
    }

    /// A pointer that may cross threads: libzmq's contexts are thread-safe.
    private struct Handle: @unchecked Sendable {
        let pointer: UnsafeMutableRawPointer
    }
}
