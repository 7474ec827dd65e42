internal import CZeroMQ

/// How a socket behaves. Every value is set before the first bind or connect, for libzmq reads most of them there.
///
/// The defaults are those of a service that must bound its memory, outlive its peers and end promptly; libzmq's own
/// are not. Times are in milliseconds, queues in whole messages per peer.
public struct SocketOptions: Equatable, Sendable {
    /// How often a connection is probed (tcp and ipc), 0 is never, and how long a probe may go unanswered. Our side alone
    /// suffices to notice a stopped peer.
    ///
    /// Only for a socket that never leaves its queue full, and whose peer does not either. At a full queue libzmq stops
    /// reading, and with that it stops seeing answers to probes: it takes a living peer for dead, and what was on its way is
    /// lost. Worse, it ends the process where a probe is due to a peer that has left while the queue was full
    /// (`Assertion failed: !_io_error`, libzmq 4.3.4 and later), or where a connection was made anew meanwhile
    /// (`_input_stopped`, libzmq #3937). So sockets that slow their peers down leave this to `tcpKeepAlive`.
    public var heartbeatIntervalMilliseconds = 0
    public var heartbeatTimeoutMilliseconds = 3000
    /// How long the peer, in turn, should wait for our probes; told with each probe.
    public var heartbeatLifetimeMilliseconds = 4000
    /// A connection that has not introduced itself by then is closed. Short, so that silent connections cannot hold
    /// all descriptors.
    public var handshakeTimeoutMilliseconds = 2000
    /// Messages kept for reading, per peer; 0 is unbounded.
    public var receiveQueueMessages = 1000
    /// Messages kept for sending, per peer; 0 is unbounded. A subscriber's subscriptions travel here too.
    public var sendQueueMessages = 1000
    /// The longest frame taken from tcp and ipc peers; a longer one costs the peer its connection. `nil` is unbounded.
    /// It bounds a frame, not a message: see `MultipartMessage`.
    public var maximumFrameBytes: Int? = 4 << 20
    /// How long a closed socket goes on sending what it has; 0 discards, `nil` waits without end.
    public var lingerMilliseconds: Int? = 0
    /// The first pause before a lost connection is tried again, and the longest after doubling.
    public var reconnectMilliseconds = 100
    public var reconnectMaximumMilliseconds = 5000
    /// Queue only to peers that are connected, not to those that may come. `nil` is the rule: for `push` and `dealer`
    /// yes, else a dead peer takes its share of the messages; for the others no, it would drop a subscriber's pipe.
    public var queueOnlyToConnected: Bool?
    /// Whether names and `*` may mean IPv6. A bracketed address works without.
    public var prefersIPv6 = false
    /// The system's own probes, which find a machine that has gone, and keep address translation awake; idle, interval (both
    /// seconds) and count.
    public var tcpKeepAlive: (idleSeconds: Int, intervalSeconds: Int, count: Int) = (10, 5, 3)
    /// The length of the queue of connections that are not accepted yet.
    public var backlog = 512

    /// The smallest frame limit that peers' handshakes are known to survive.
    public static let smallestFrameLimit = 1024

    public init() {}

    /// For a socket that takes event streams.
    public static func ingest(_ kind: ZeroMQSocket.Kind) -> SocketOptions {
        var options = SocketOptions()
        options.receiveQueueMessages = 10_000
        options.maximumFrameBytes = 16 << 20
        // At a bounded queue a subscriber loses subscriptions beyond the bound, without a word.
        if kind == .sub { options.sendQueueMessages = 0 }
        return options
    }

    /// For a socket that answers requests: it has two seconds, at the end, to hand over its last answers.
    public static var requests: SocketOptions {
        var options = SocketOptions()
        options.lingerMilliseconds = 2000
        return options
    }

    /// For a socket that asks, and reads each answer as it comes. Answers may be longer than requests.
    public static var client: SocketOptions {
        var options = SocketOptions()
        options.heartbeatIntervalMilliseconds = 1000
        options.maximumFrameBytes = 256 << 20
        return options
    }

    /// For a socket that sends a stream of events, and stays to deliver its tail.
    public static var publisher: SocketOptions {
        var options = SocketOptions()
        options.sendQueueMessages = 10_000
        options.lingerMilliseconds = 10_000
        return options
    }

    public static func == (left: SocketOptions, right: SocketOptions) -> Bool {
        left.integers(for: .pair).elementsEqual(right.integers(for: .pair), by: ==)
            && left.maximumFrameBytes == right.maximumFrameBytes
            && left.queueOnlyToConnected == right.queueOnlyToConnected && left.prefersIPv6 == right.prefersIPv6
    }

    /// The options that libzmq takes as a C integer.
    func integers(for kind: ZeroMQSocket.Kind) -> [(option: CInt, value: CInt)] {
        var list: [(CInt, Int)] = [
            (ZMQ_HEARTBEAT_IVL, heartbeatIntervalMilliseconds),
            (ZMQ_HEARTBEAT_TIMEOUT, heartbeatTimeoutMilliseconds),
            (ZMQ_HEARTBEAT_TTL, heartbeatLifetimeMilliseconds),
            (ZMQ_HANDSHAKE_IVL, handshakeTimeoutMilliseconds),
            (ZMQ_RCVHWM, receiveQueueMessages),
            (ZMQ_SNDHWM, sendQueueMessages),
            (ZMQ_LINGER, lingerMilliseconds ?? -1),
            (ZMQ_RECONNECT_IVL, reconnectMilliseconds),
            (ZMQ_RECONNECT_IVL_MAX, reconnectMaximumMilliseconds),
            (ZMQ_IMMEDIATE, (queueOnlyToConnected ?? (kind == .push || kind == .dealer)) ? 1 : 0),
            (ZMQ_TCP_KEEPALIVE, 1),
            (ZMQ_TCP_KEEPALIVE_IDLE, tcpKeepAlive.idleSeconds),
            (ZMQ_TCP_KEEPALIVE_INTVL, tcpKeepAlive.intervalSeconds),
            (ZMQ_TCP_KEEPALIVE_CNT, tcpKeepAlive.count),
            (ZMQ_BACKLOG, backlog),
        ]
        switch kind {
        case .router:
            // An unknown peer is reported, and no one can take over another's name.
            list += [(ZMQ_ROUTER_MANDATORY, 1), (ZMQ_ROUTER_HANDOVER, 0)]
        case .req:
            // A lost answer does not lock the socket: the next request may go out, and a late answer is not its own.
            list += [(ZMQ_REQ_RELAXED, 1), (ZMQ_REQ_CORRELATE, 1)]
        default:
            break
        }
        return list.map { ($0.0, CInt(clamping: $0.1)) }
    }
}
