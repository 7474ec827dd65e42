import LinuxSystem
import WireFormats
public import ZeroMQ

/// Asks a daemon: JSON-RPC 2.0 over a DEALER socket, one request at a time. Used by one thread.
///
/// A late answer to a request that was given up is recognised by its id and dropped.
public final class RequestClient {
    public let endpoint: String
    /// Seconds that an answer may take.
    public var deadlineSeconds: Double

    private let context: ZeroMQContext
    private let ownsContext: Bool
    private let socket: ZeroMQSocket
    private let poller = ZeroMQPoller()
    private let message = MultipartMessage(frameLimit: 8, byteLimit: 256 << 20)
    private let parser = JSONParser(maxBytes: 64 << 20)
    private var lastID: UInt64 = 0
    /// With keys: tells whether the daemon refuses this one.
    private var monitor: SocketMonitor?

    /// - Parameters:
    ///   - context: shared with other sockets of the process; nil makes one.
    ///   - security: the keys for an endpoint that asks for them.
    public init(
        endpoint: String, deadlineSeconds: Double = 5, context: ZeroMQContext? = nil, security: SocketSecurity = .none
    ) throws(StreamToolsError) {
        self.endpoint = endpoint
        self.deadlineSeconds = deadlineSeconds
        ownsContext = context == nil
        do throws(ZeroMQError) {
            if let context { self.context = context } else { self.context = try ZeroMQContext() }
            socket = try ZeroMQSocket(self.context, .dealer, options: .client)
            if case .client = security { monitor = try SocketMonitor(socket) } else { monitor = nil }
            try socket.secure(security)
            try socket.connect(endpoint)
        } catch {
            throw .transport(doing: "connect to", endpoint: endpoint, reason: "\(error)")
        }
        poller.add(socket)
    }

    deinit {
        // It has a socket of its own, and the context waits for all.
        monitor = nil
        socket.close()
        if ownsContext { context.terminate() }
    }

    /// Calls a method and returns the answer's `result`.
    /// - Parameter params: an object; `.null` sends none.
    public func call(_ method: String, _ params: JSONTree = .null) throws(StreamToolsError) -> JSONTree {
        let answer = try exchange(method, params)
        if let error = answer["error"] {
            throw .refused(
                method: method, code: error["code"]?.integer ?? 0, message: error["message"]?.string ?? error.json)
        }
        guard let result = answer["result"] else {
            throw .malformedAnswer(method: method, reason: "neither result nor error in \(answer.json.prefix(200))")
        }
        return result
    }

    /// Sends the request and waits for the answer with its id.
    private func exchange(_ method: String, _ params: JSONTree) throws(StreamToolsError) -> JSONTree {
        lastID += 1
        var request = JSONWriter()
        request.beginObject()
        request.key("jsonrpc")
        request.value("2.0")
        request.key("id")
        request.value(lastID)
        request.key("method")
        request.value(method)
        if params != .null {
            request.key("params")
            params.write(to: &request)
        }
        request.endObject()
        let body = Array(request.bytes)
        let deadline = MonotonicClock.nanoseconds + Int64(deadlineSeconds * 1e9)
        do throws(ZeroMQError) {
            // Without a connected daemon a DEALER has no room at all, so sending takes part in the waiting.
            while try socket.send([[], body], wait: false) != .sent {
                guard MonotonicClock.nanoseconds < deadline, !Interruption.isRequested else { break }
                let writable = ZeroMQPoller()
                writable.add(socket, .output)
                try writable.wait(timeoutMilliseconds: 50)
                if try isRefused() { break }
            }
            while MonotonicClock.nanoseconds < deadline, !Interruption.isRequested, try !isRefused() {
                let left = (deadline - MonotonicClock.nanoseconds) / 1_000_000
                try poller.wait(timeoutMilliseconds: Int(min(100, max(1, left))))
                while try socket.receive(into: message, wait: false) == .message {
                    if let answer = try? parser.parse(message[message.count - 1]), answer["id"]?.uint64 == lastID {
                        return JSONTree(answer)
                    }
                }
            }
        } catch {
            throw .transport(doing: "ask", endpoint: endpoint, reason: "\(error)")
        }
        try Interruption.check()
        if let counters = monitor?.counters, counters.handshakeFailures + counters.authenticationFailures > 0 {
            throw .notAdmitted(endpoint: endpoint)
        }
        throw .noAnswer(method: method, endpoint: endpoint, seconds: deadlineSeconds)
    }

    /// Whether the daemon has said no to this key, or is not the one of the server key.
    private func isRefused() throws(ZeroMQError) -> Bool {
        guard let monitor else { return false }
        try monitor.drain()
        return monitor.counters.handshakeFailures + monitor.counters.authenticationFailures > 0
    }
}
