internal import CZeroMQ
internal import Glibc

/// One socket. **It belongs to one thread**: only the context's `shutdown` may come from another.
///
/// To make a socket on one thread and use it on a second, call `handOver()` last on the first; the start of the
/// thread, or a lock, must order the two. Debug builds stop at a use from a third.
/// Let go of it, or `close()` it, on the owner's thread.
// Sendable so that it can be handed over; the rule above is the protection, and `handle` and the rest of the fields
// belong to the owner.
public final class ZeroMQSocket: @unchecked Sendable {
    /// The patterns of ZeroMQ.
    public enum Kind: String, Sendable, CaseIterable {
        case pub, sub, push, pull, req, rep, router, dealer, pair

        var code: CInt {
            switch self {
            case .pub: ZMQ_PUB
            case .sub: ZMQ_SUB
            case .push: ZMQ_PUSH
            case .pull: ZMQ_PULL
            case .req: ZMQ_REQ
            case .rep: ZMQ_REP
            case .router: ZMQ_ROUTER
            case .dealer: ZMQ_DEALER
            case .pair: ZMQ_PAIR
            }
        }
    }

    public let kind: Kind
    public let options: SocketOptions
    /// Kept so that the context outlives its sockets.
    let context: ZeroMQContext
    /// Owner's thread; `nil` once closed.
    private var openHandle: UnsafeMutableRawPointer?
    /// Whether it ever connected, and whether a `SocketMonitor` is attached. Owner's thread.
    var isConnecting = false
    var isMonitored = false
    /// Whether `secure` has set keys, which cannot be taken back. Owner's thread.
    private(set) var isSecured = false
    /// Where frames over a `MultipartMessage`'s bounds are received, to be thrown away. Owner's thread.
    let spare = allocateMessages(1)
    /// The thread that may use the socket; 0 while it is handed over. Only debug builds look.
    private var owner: pthread_t = pthread_self()

    /// - Throws: `contextTerminated`, or `failed` where the context has no room for one more or an option is refused.
    public init(_ context: ZeroMQContext, _ kind: Kind, options: SocketOptions = SocketOptions()) throws(ZeroMQError) {
        precondition(
            (options.maximumFrameBytes ?? .max) >= SocketOptions.smallestFrameLimit,
            "a frame limit under \(SocketOptions.smallestFrameLimit) bytes breaks handshakes")
        self.kind = kind
        self.options = options
        self.context = context
        zmq_msg_init(spare)
        openHandle = try context.makeSocket(kind.code, kind.rawValue)
        for (option, value) in options.integers(for: kind) { try set(option, value) }
        var frameLimit = Int64(options.maximumFrameBytes ?? -1)
        try requireZeroMQ("zmq_setsockopt", "\(kind.rawValue) maximum frame size") {
            zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &frameLimit, MemoryLayout<Int64>.size)
        }
    }

    deinit {
        if let openHandle { release(openHandle) }
        zmq_msg_close(spare)
        spare.deallocate()
    }

    /// Closes the socket; what it has to send goes on for its linger time. A second call does nothing, any other use
    /// is a programmer's error.
    public func close() {
        guard let open = openHandle else { return }
        checkOwner()
        openHandle = nil
        release(open)
    }

    private func release(_ open: UnsafeMutableRawPointer) {
        // First, while someone can still hear it: an event that no one takes would hold up an I/O thread.
        if isMonitored { zmq_socket_monitor(open, nil, 0) }
        zmq_close(open)
    }

    /// Detaches the monitor. Called from its `deinit`, which may run on whichever thread lets go of it last.
    func stopMonitoring() {
        if let openHandle { zmq_socket_monitor(openHandle, nil, 0) }
        isMonitored = false
    }

    /// Ends this thread's ownership: the next thread that uses the socket is its owner.
    public func handOver() {
        checkOwner()
        owner = 0
    }

    /// libzmq's handle, for the owner only.
    var handle: UnsafeMutableRawPointer {
        checkOwner()
        guard let openHandle else { preconditionFailure("a closed \(kind.rawValue) socket was used") }
        return openHandle
    }

    @inline(__always)
    private func checkOwner() {
        assert(claim(), "a \(kind.rawValue) socket was used by a thread that does not own it; see handOver()")
    }

    private func claim() -> Bool {
        let current = pthread_self()
        if owner == 0 { owner = current }
        return owner == current
    }

    func noteSecured() { isSecured = true }

    /// Sets an option that libzmq takes as a C integer.
    func set(_ option: CInt, _ value: CInt) throws(ZeroMQError) {
        var value = value
        try requireZeroMQ("zmq_setsockopt", "\(kind.rawValue) option \(option)") {
            zmq_setsockopt(handle, option, &value, MemoryLayout<CInt>.size)
        }
    }
}
