import LinuxSystem
import WireFormats
public import ZeroMQ

/// A DEALER to an acknowledged stream: keeps each message until the daemon says that it is durable, and sends again what is not
/// acknowledged, across restarts of the daemon. Messages must be numbered 1, 2, 3 … (or on from `next`), in the order of `send`.
///
/// Within a window messages go out without waiting for answers. Where an answer says that one is missing, or that the daemon is
/// busy or degraded, nothing more is sent until no answer is under way, and then everything from the first that is not acknowledged
/// on: which the daemon has already taken it tells apart by their numbers.
///
/// Used by one thread.
public final class AcknowledgedSink: MessageSink {
    /// How messages were answered.
    public struct Counts: Sendable, Equatable {
        /// Messages that are durable, and the records in them.
        public var acknowledged = 0
        public var records = 0
        /// Sendings beyond the first, and messages that the daemon will never take.
        public var resent = 0
        public var refused = 0
    }

    private struct Pending {
        let sequence: UInt64
        let frames: [[UInt8]]
        let records: Int
        var isDone = false
        var bytes: Int { frames.reduce(0) { $0 + $1.count } }
    }

    public private(set) var counts = Counts()
    /// The last message of which it is known that it and all before it are durable (or refused for good).
    public private(set) var settled: UInt64
    /// The records in those.
    public private(set) var settledRecords = 0
    /// Called with `settled` and `settledRecords` as they grow.
    public var onProgress: (UInt64, Int) -> Void = { _, _ in }
    /// Called with the same when the sink is closed.
    public var onClose: (UInt64, Int) -> Void = { _, _ in }
    /// The refusals that came last, for a person; bounded.
    public private(set) var refusals: [String] = []

    private let context: ZeroMQContext
    private let ownsContext: Bool
    private let socket: ZeroMQSocket
    private let poller = ZeroMQPoller()
    private let message = MultipartMessage(frameLimit: 8, byteLimit: 1 << 20)
    private let parser = JSONParser(maxBytes: 1 << 20)
    private let endpoint: String
    private let numbering: StreamNumbering
    private let window: Int
    private let patience: Double
    /// Those sent or to be sent, oldest first; one that is done stays until all before it are.
    private var pending: [Pending] = []
    /// How many of `pending` are out, and the number of the next message.
    private var out = 0
    private var next: UInt64
    private var bytes = 0
    private var firstSequence: UInt64
    private var highestSent: UInt64
    /// Whether to stop sending until it is quiet.
    private var isHolding = false
    private var lastAnswer: Int64
    private var lastProgress: Int64
    private var isOpen = true

    /// No answer for so long, and what is not acknowledged is sent again.
    private static let quietNanoseconds: Int64 = 1_000_000_000
    /// The same after an answer that asked for it.
    private static let holdNanoseconds: Int64 = 50_000_000
    private static let windowBytes = 16 << 20

    /// - Parameters:
    ///   - numbering: what the messages bear.
    ///   - window: messages that may be out at once.
    ///   - patience: seconds without any message becoming durable before `send` and `close` give up.
    ///   - security: the keys for an endpoint that asks for them.
    public init(
        endpoint: String, numbering: StreamNumbering, window: Int = 256, patience: Double = 30, context: ZeroMQContext? = nil,
        security: SocketSecurity = .none
    ) throws(StreamToolsError) {
        precondition(window >= 1, "a window of no messages")
        self.endpoint = endpoint
        self.numbering = numbering
        self.window = window
        self.patience = patience
        next = numbering.next
        firstSequence = numbering.next
        settled = numbering.next - 1
        highestSent = numbering.next - 1
        ownsContext = context == nil
        do throws(ZeroMQError) {
            if let context { self.context = context } else { self.context = try ZeroMQContext() }
            var options = SocketOptions.client
            options.sendQueueMessages = window + 1
            // What would be sent after the end is what nobody waits for any more.
            options.lingerMilliseconds = 0
            socket = try ZeroMQSocket(self.context, .dealer, options: options)
            try socket.secure(security)
            try socket.connect(endpoint)
        } catch {
            throw .transport(doing: "connect to", endpoint: endpoint, reason: "\(error)")
        }
        lastAnswer = MonotonicClock.nanoseconds
        lastProgress = lastAnswer
        poller.add(socket)
    }

    deinit { _ = close() }

    public var isAcknowledged: Bool { true }

    public func send(_ frames: [[UInt8]]) throws(StreamToolsError) { try send(frames, records: 1) }

    public func send(_ frames: [[UInt8]], records: Int) throws(StreamToolsError) {
        if pending.isEmpty { lastProgress = MonotonicClock.nanoseconds }
        while pending.count >= window || bytes > AcknowledgedSink.windowBytes { try pump(milliseconds: 20) }
        pending.append(Pending(sequence: next, frames: frames, records: records))
        bytes += pending[pending.count - 1].bytes
        next += 1
        try pump(milliseconds: 0)
    }

    /// Waits until all is acknowledged.
    public func close() -> Bool {
        guard isOpen else { return true }
        isOpen = false
        do throws(StreamToolsError) {
            while !pending.isEmpty { try pump(milliseconds: 20) }
        } catch {
            refusals.append("\(error)")
        }
        onClose(settled, settledRecords)
        socket.close()
        if ownsContext { context.terminate() }
        return pending.isEmpty && counts.refused == 0
    }

    // MARK: The window

    /// Sends what may go out, takes the answers that have come, and goes back where that is due.
    private func pump(milliseconds: Int) throws(StreamToolsError) {
        do throws(ZeroMQError) {
            if !isHolding {
                while out < pending.count {
                    let entry = pending[out]
                    if entry.isDone {
                        out += 1
                        continue
                    }
                    guard try socket.send([[]] + entry.frames, wait: false) == .sent else { break }
                    if entry.sequence <= highestSent { counts.resent += 1 }
                    highestSent = max(highestSent, entry.sequence)
                    out += 1
                }
            }
            if milliseconds > 0 { try poller.wait(timeoutMilliseconds: milliseconds) }
        } catch {
            throw .transport(doing: "send to", endpoint: endpoint, reason: "\(error)")
        }
        while try receive() {}
        let now = MonotonicClock.nanoseconds
        let quiet = now - lastAnswer
        if !pending.isEmpty, quiet > (isHolding ? AcknowledgedSink.holdNanoseconds : AcknowledgedSink.quietNanoseconds) {
            isHolding = false
            lastAnswer = now
            out = 0
        }
        try Interruption.check()
        if !pending.isEmpty, Double(now - lastProgress) > patience * 1e9 { throw .queueFull(endpoint: endpoint, seconds: patience) }
    }

    private func receive() throws(StreamToolsError) -> Bool {
        do throws(ZeroMQError) {
            guard try socket.receive(into: message, wait: false) == .message else { return false }
        } catch {
            throw .transport(doing: "hear from", endpoint: endpoint, reason: "\(error)")
        }
        lastAnswer = MonotonicClock.nanoseconds
        guard let answer = try? parser.parse(message[message.count - 1]) else {
            throw .malformedAnswer(method: "publish", reason: message.string(message.count - 1).prefix(200).description)
        }
        try take(JSONTree(answer))
        return true
    }

    private func take(_ answer: JSONTree) throws(StreamToolsError) {
        let status = answer["status"]?.string ?? ""
        guard let sequence = answer["seq"]?.integer.map(UInt64.init), answer["epoch"]?.integer.map(UInt64.init) == numbering.epoch else {
            // Without a number: it could not even be read. It is one of ours, so everything behind it would wait for ever.
            throw .refused(method: "publish", code: 0, message: "the daemon cannot take a message: \(answer.json.prefix(300))")
        }
        switch status {
        case "ok", "duplicate": settle(sequence, isRefused: false)
        case "expected":
            let wanted = answer["expected"]?.integer.map(UInt64.init) ?? 0
            guard wanted > settled || pending.isEmpty else {
                throw .refused(
                    method: "publish", code: 0,
                    message: "the daemon expects message \(wanted) of \(numbering.source), which it has acknowledged: it has forgotten the "
                        + "source (state.sources) or its state was set aside; start again with a new epoch")
            }
            isHolding = true
        case "busy", "degraded": isHolding = true
        default:
            if answer["reasons"]?["old_epoch"] != nil {
                throw .refused(
                    method: "publish", code: 0,
                    message: "another publisher has begun a newer epoch of source \(numbering.source); give each publisher a name of its own")
            }
            if refusals.count < 16 { refusals.append(answer.json) }
            settle(sequence, isRefused: true)
        }
    }

    private func settle(_ sequence: UInt64, isRefused: Bool) {
        guard sequence >= firstSequence, let index = Int(exactly: sequence - firstSequence), index < pending.count, !pending[index].isDone
        else { return }
        pending[index].isDone = true
        bytes -= pending[index].bytes
        counts.acknowledged += isRefused ? 0 : 1
        counts.refused += isRefused ? 1 : 0
        counts.records += isRefused ? 0 : pending[index].records
        lastProgress = lastAnswer
        guard index == 0 else { return }
        let done = pending.prefix { $0.isDone }.count
        settledRecords += pending.prefix(done).reduce(0) { $0 + $1.records }
        pending.removeFirst(done)
        out = max(0, out - done)
        firstSequence += UInt64(done)
        settled = firstSequence - 1
        onProgress(settled, settledRecords)
    }
}
