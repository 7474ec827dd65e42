internal import CZeroMQ
internal import LinuxSystem
internal import Synchronization

/// What happens to a socket's connections, counted. Belongs to the thread that owns the socket, and keeps the socket.
///
/// **Drain it in every round of the owner's loop**, or at least every second: events that nobody takes gather in
/// memory (about half a kilobyte each).
///
/// A connecting socket that gets a frame over its limit, or any other breach of protocol, is disconnected by libzmq
/// and not connected again, ever; its poll just goes quiet. `isAbandoned` finds that: close such a socket and make it
/// anew.
public final class SocketMonitor {
    public struct Counters: Equatable, Sendable {
        /// Connections taken by a bind, and those that could not be (no descriptors left, as a rule).
        public var accepted = 0
        public var acceptFailed = 0
        /// Connections made by a connect, and pauses before another try.
        public var connected = 0
        public var retried = 0
        /// Connections that ended for whatever reason, a frame over the limit among them.
        public var disconnected = 0
        /// Peers that introduced themselves, that failed to in time or in form, and that were refused.
        public var handshakes = 0
        public var handshakeFailures = 0
        public var authenticationFailures = 0
    }

    public private(set) var counters = Counters()
    /// Since when (`MonotonicClock`) a connecting socket has had no connection and no plan to try again.
    public private(set) var lostSinceNanoseconds: Int64?

    private let socket: ZeroMQSocket
    private let events: ZeroMQSocket
    private let message = ZeroMQMessage()

    /// Numbers the in-process endpoints of monitors. Any thread.
    private static let nextNumber = Atomic<Int>(0)

    private static let watched =
        ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_DELAYED
        | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED
        | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH

    /// Attaches to a socket, before its first bind or connect so that no event is missed. One per socket.
    public init(_ socket: ZeroMQSocket) throws(ZeroMQError) {
        precondition(!socket.isMonitored, "a socket has one monitor")
        self.socket = socket
        // Without a bound: at a full queue libzmq's I/O thread would stop, and with it all sockets.
        var options = SocketOptions()
        options.receiveQueueMessages = 0
        events = try ZeroMQSocket(socket.context, .pair, options: options)
        let number = Self.nextNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let endpoint = try Endpoint("inproc://socket-monitor-\(number)")
        try requireZeroMQ("zmq_socket_monitor", "\(socket.kind.rawValue)") {
            zmq_socket_monitor(socket.handle, endpoint.description, Self.watched)
        }
        socket.isMonitored = true
        try events.connect(endpoint)
    }

    deinit {
        // The sender of events stops before their receiver goes; see `ZeroMQSocket.release`.
        if !socket.isClosed { zmq_socket_monitor(socket.handle, nil, 0) }
        socket.isMonitored = false
    }

    /// Ends this thread's ownership of the monitor, as `ZeroMQSocket.handOver` does of the socket.
    public func handOver() {
        events.handOver()
    }

    /// Watches for events with the poller that the owner waits in, where connections matter more than the cost.
    @discardableResult
    public func add(to poller: ZeroMQPoller) -> ZeroMQPoller.Entry {
        poller.add(events)
    }

    /// Takes all events that wait into the counters. Never blocks.
    /// - Throws: `contextTerminated` at shutdown.
    public func drain() throws(ZeroMQError) {
        // An event is two frames: its number and value, then the endpoint.
        while try events.receive(into: message, wait: false) {
            let event = message.bytes.count >= 2 ? message.bytes.loadUnaligned(as: UInt16.self) : 0
            while message.hasMore { _ = try events.receive(into: message, wait: true) }
            take(CInt(event))
        }
    }

    /// Whether a connecting socket has had no connection, and no plan to try again, for at least this long.
    ///
    /// libzmq plans the next try at once, so half a second is enough to tell; longer is kinder to a peer that keeps
    /// sending what it must not.
    public func isAbandoned(forMilliseconds milliseconds: Int) -> Bool {
        guard let lostSinceNanoseconds else { return false }
        return MonotonicClock.nanoseconds - lostSinceNanoseconds >= Int64(milliseconds) * 1_000_000
    }

    private func take(_ event: CInt) {
        switch event {
        case ZMQ_EVENT_ACCEPTED: counters.accepted += 1
        case ZMQ_EVENT_ACCEPT_FAILED: counters.acceptFailed += 1
        case ZMQ_EVENT_CONNECTED:
            counters.connected += 1
            lostSinceNanoseconds = nil
        case ZMQ_EVENT_CONNECT_DELAYED:
            lostSinceNanoseconds = nil
        case ZMQ_EVENT_CONNECT_RETRIED:
            counters.retried += 1
            lostSinceNanoseconds = nil
        case ZMQ_EVENT_DISCONNECTED:
            counters.disconnected += 1
            noteLoss()
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: counters.handshakes += 1
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
            counters.handshakeFailures += 1
            noteLoss()
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            counters.authenticationFailures += 1
            noteLoss()
        default: break
        }
    }

    private func noteLoss() {
        if socket.isConnecting && lostSinceNanoseconds == nil { lostSinceNanoseconds = MonotonicClock.nanoseconds }
    }
}
