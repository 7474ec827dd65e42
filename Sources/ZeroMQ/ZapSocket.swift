/// Where libzmq asks, for every new connection to a secured endpoint of a context, whether it may come in: ZAP, rfc.zeromq.org/27.
/// Belongs to one thread. Bound before anything else of the context is, so that no connection is made unasked.
public final class ZapSocket {
    public static let endpoint = "inproc://zeromq.zap.01"

    /// One question.
    public struct Request: Equatable, Sendable {
        /// As set on the endpoint.
        public var domain: String
        /// The peer's address, such as `10.0.0.7`; for ipc `localhost:UID:GID:PID`.
        public var address: String
        /// `CURVE`, `NULL` or `PLAIN`.
        public var mechanism: String
        /// The client's public key, where the mechanism has one.
        public var key: CurveKey?

        public init(domain: String, address: String, mechanism: String, key: CurveKey?) {
            self.domain = domain
            self.address = address
            self.mechanism = mechanism
            self.key = key
        }
    }

    private let socket: ZeroMQSocket
    private let message = MultipartMessage(frameLimit: 16, byteLimit: 64 << 10)
    private static let version = Array("1.0".utf8)

    public init(_ context: ZeroMQContext) throws(ZeroMQError) {
        socket = try ZeroMQSocket(context, .rep)
        try socket.bind(ZapSocket.endpoint)
    }

    public func handOver() { socket.handOver() }
    public func close() { socket.close() }
    @discardableResult
    public func add(to poller: ZeroMQPoller) -> ZeroMQPoller.Entry { poller.add(socket) }

    /// Answers one question that waits, if there is one. What is no question of ZAP 1.0 is refused.
    /// - Parameter judge: the name of who may come in, up to 255 bytes; nil for who may not.
    /// - Returns: whether there was one.
    public func answer(_ judge: (Request) -> String?) throws(ZeroMQError) -> Bool {
        guard try socket.receive(into: message, wait: false) != .nothing else { return false }
        let id = message.count > 1 ? Array(message[1]) : []
        let name = request.flatMap(judge)
        let frames: [[UInt8]] = [
            ZapSocket.version, id, Array((name == nil ? "400" : "200").utf8), Array((name == nil ? "not authorised" : "").utf8),
            Array((name ?? "").utf8), [],
        ]
        // The connection may have gone meanwhile; then the answer goes nowhere.
        _ = try socket.send(frames, wait: false)
        return true
    }

    /// What the message in hand asks: version, id, domain, address, identity, mechanism, credentials.
    private var request: Request? {
        guard !message.isOversize, message.count >= 6, message.string(0) == "1.0" else { return nil }
        let mechanism = message.string(5)
        let key = mechanism == "CURVE" && message.count == 7 ? CurveKey(bytes: message[6]) : nil
        return Request(domain: message.string(2), address: message.string(3), mechanism: mechanism, key: key)
    }
}
