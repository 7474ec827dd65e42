import LinuxSystem
public import ZeroMQ

/// Where a publisher's messages go.
public protocol MessageSink: AnyObject {
    /// Sends one message; waits, within bounds, while there is no room.
    func send(_ frames: [[UInt8]]) throws(StreamToolsError)
    /// The same, with the number of records in it.
    func send(_ frames: [[UInt8]], records: Int) throws(StreamToolsError)
    /// Ends, after delivering what is queued.
    /// - Returns: false when that took longer than allowed, and messages may be lost.
    func close() -> Bool
    /// Whether the receiver says of each message that it has it: then no beats are needed.
    var isAcknowledged: Bool { get }
}

extension MessageSink {
    public func send(_ frames: [[UInt8]], records: Int) throws(StreamToolsError) { try send(frames) }
    public var isAcknowledged: Bool { false }
}

/// A PUSH or PUB socket with a context of its own. Used by one thread.
public final class ZeroMQSink: MessageSink {
    public enum Pattern: String, Sendable, CaseIterable {
        /// To a `pull` stream: a full queue stops the publisher.
        case push
        /// To `sub` streams: what a subscriber cannot take in time is lost.
        case pub
    }
    public enum Attachment: String, Sendable, CaseIterable {
        case connect, bind
    }

    private let context: ZeroMQContext
    private let socket: ZeroMQSocket
    private let poller = ZeroMQPoller()
    private let endpoint: String
    private let patience: Double
    private let lingerMilliseconds: Int
    private var isOpen = true

    /// - Parameters:
    ///   - patience: seconds that a send waits for room before it throws `queueFull`.
    ///   - lingerMilliseconds: how long `close` goes on delivering.
    ///   - security: the keys for an endpoint that asks for them.
    public init(
        endpoint: String, pattern: Pattern = .push, attachment: Attachment = .connect, patience: Double = 10,
        lingerMilliseconds: Int = 10_000, security: SocketSecurity = .none
    ) throws(StreamToolsError) {
        self.endpoint = endpoint
        self.patience = patience
        self.lingerMilliseconds = lingerMilliseconds
        do throws(ZeroMQError) {
            context = try ZeroMQContext()
            var options = SocketOptions.publisher
            options.lingerMilliseconds = lingerMilliseconds
            // Enough to keep the line busy; what is queued here is what a crash of the daemon can cost.
            options.sendQueueMessages = 1000
            socket = try ZeroMQSocket(context, pattern == .push ? .push : .pub, options: options)
            try socket.secure(security)
            switch attachment {
            case .connect: try socket.connect(endpoint)
            case .bind: try socket.bind(endpoint)
            }
        } catch {
            throw .transport(doing: attachment.rawValue, endpoint: endpoint, reason: "\(error)")
        }
        poller.add(socket, .output)
        // A subscriber's subscription takes a moment to arrive, and what is sent before it is nobody's.
        if pattern == .pub { try Interruption.sleep(seconds: 0.5) }
    }

    deinit { _ = close() }

    public func send(_ frames: [[UInt8]]) throws(StreamToolsError) {
        var deadline: Int64?
        do throws(ZeroMQError) {
            if try socket.send(frames, wait: false) == .sent { return }
            while true {
                let now = MonotonicClock.nanoseconds
                if let deadline, now >= deadline { break }
                deadline = deadline ?? now + Int64(patience * 1e9)
                if Interruption.isRequested { break }
                if try poller.wait(timeoutMilliseconds: 100) > 0, try socket.send(frames, wait: false) == .sent { return }
            }
        } catch {
            throw .transport(doing: "send to", endpoint: endpoint, reason: "\(error)")
        }
        try Interruption.check()
        throw .queueFull(endpoint: endpoint, seconds: patience)
    }

    public func close() -> Bool {
        guard isOpen else { return true }
        isOpen = false
        let start = MonotonicClock.nanoseconds
        socket.close()
        context.terminate()
        return MonotonicClock.nanoseconds - start < Int64(lingerMilliseconds) * 1_000_000
    }
}
