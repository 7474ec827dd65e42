import LinuxSystem
import ZeroMQ

/// Tries, before anything is bound, whether those come in who have a key, and nobody else: a handler that does not answer, or a
/// libzmq that does otherwise than the one this was written for, ends the start.
///
/// The endpoint is an abstract ipc name that lives as long as the test.
struct SecuritySelfTest {
    static let domain = "self-test"
    private let context: ZeroMQContext
    private let pair: CurveKeyPair
    private let admit: (CurveKey?) -> Void
    private let milliseconds: Int

    /// - Parameters:
    ///   - pair: the daemon's.
    ///   - admit: lets a key in under the domain of the test, at the handler that is tested.
    ///   - milliseconds: how long one client may take to get in, or to be refused.
    init(_ context: ZeroMQContext, pair: CurveKeyPair, milliseconds: Int = 5000, admit: @escaping (CurveKey?) -> Void) {
        self.context = context
        self.pair = pair
        self.milliseconds = milliseconds
        self.admit = admit
    }

    /// Whether a libzmq can do what is needed.
    static func requireCurve(has: (String) -> Bool = ZeroMQVersion.has) throws(SecurityError) {
        if !has("curve") { throw .noCurve }
    }

    func run() throws {
        let server = try ZeroMQSocket(context, .pull)
        defer { server.close() }
        let monitor = try SocketMonitor(server)
        try server.secure(.server(pair, domain: SecuritySelfTest.domain))
        // Names of the abstract space are free for everyone: one that cannot be guessed is taken by nobody.
        let endpoint = try Endpoint("ipc://@factord-self-test-\(UInt64.random(in: 1...UInt64.max))")
        try server.bind(endpoint)
        let listed = try CurveKeyPair(), unlisted = try CurveKeyPair()
        admit(listed.publicKey)
        defer { admit(nil) }
        guard try comesIn(.client(listed, server: pair.publicKey), endpoint, server, monitor) else {
            throw SecurityError.selfTest("a client with a key that is listed did not get in within \(milliseconds) ms")
        }
        for (who, security) in [
            ("a client with a key that is not listed", SocketSecurity.client(unlisted, server: pair.publicKey)), ("a client without a key", .none),
        ] where try comesIn(security, endpoint, server, monitor) {
            throw SecurityError.selfTest("\(who) got in")
        }
    }

    /// Whether a message of a client arrives. Ends as soon as it does, or the client is refused.
    private func comesIn(_ security: SocketSecurity, _ endpoint: Endpoint, _ server: ZeroMQSocket, _ monitor: SocketMonitor) throws -> Bool {
        try monitor.drain()
        let before = monitor.counters.handshakeFailures + monitor.counters.authenticationFailures
        let client = try ZeroMQSocket(context, .push)
        defer { client.close() }
        try client.secure(security)
        try client.connect(endpoint)
        let poller = ZeroMQPoller(), message = MultipartMessage()
        poller.add(server)
        monitor.add(to: poller)
        let deadline = MonotonicClock.nanoseconds + Int64(milliseconds) * 1_000_000
        var isSent = false
        while MonotonicClock.nanoseconds < deadline {
            if !isSent { isSent = try client.send([1], wait: false) == .sent }
            _ = try poller.wait(timeoutMilliseconds: isSent ? 50 : 5)
            if try server.receive(into: message, wait: false) == .message { return true }
            try monitor.drain()
            if monitor.counters.handshakeFailures + monitor.counters.authenticationFailures > before { return false }
        }
        return false
    }
}
