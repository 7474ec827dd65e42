import Factorization
import Logging
import Synchronization
import WireFormats
import ZeroMQ

/// The socket of one stream, and its supervision. Belongs to one receive thread.
final class StreamSocket {
    let stream: Configuration.Stream
    /// Place in the configuration.
    let index: UInt16
    let counters: StreamCounters
    private(set) var socket: ZeroMQSocket
    private var monitor: SocketMonitor
    private let context: ZeroMQContext
    /// Nil without keys.
    private let security: EndpointSecurity?
    private var seenDisconnects = 0
    private var losses: LossAccount
    private var toldMissing: UInt64 = 0
    /// Where the poller watches the socket.
    var entry: ZeroMQPoller.Entry?

    init(
        _ stream: Configuration.Stream, index: UInt16, counters: StreamCounters, sources: Int, context: ZeroMQContext,
        security: EndpointSecurity?
    ) throws(ZeroMQError) {
        self.stream = stream
        self.index = index
        self.counters = counters
        self.context = context
        self.security = security
        losses = LossAccount(limit: sources)
        (socket, monitor) = try StreamSocket.open(stream, context, security)
    }

    /// Where the body stands in a message.
    var topicRule: TopicRule { stream.pattern == .pull ? .none : .recognised }

    private static func open(
        _ stream: Configuration.Stream, _ context: ZeroMQContext, _ security: EndpointSecurity?
    ) throws(ZeroMQError) -> (ZeroMQSocket, SocketMonitor) {
        let kind: ZeroMQSocket.Kind =
            switch stream.pattern {
            case .sub: .sub
            case .pull: .pull
            case .acknowledged: .router
            }
        var options = SocketOptions.ingest(kind)
        if kind == .router {
            options.sendQueueMessages = stream.highWaterMark
            options.lingerMilliseconds = 1000
        }
        options.receiveQueueMessages = stream.highWaterMark
        options.maximumFrameBytes = stream.maxMessage.bytes
        let socket = try ZeroMQSocket(context, kind, options: options)
        let monitor = try SocketMonitor(socket)
        if kind == .sub {
            for topic in stream.topics.isEmpty ? [""] : stream.topics { try socket.subscribe(topic) }
        }
        switch stream.mode {
        case .bind: try socket.bind([stream.endpoint], for: .publish, security)
        case .connect:
            if let security, let server = CurveKey(stream.serverKey) { try socket.secure(.client(security.pair, server: server)) }
            try socket.connect(stream.endpoint)
        }
        return (socket, monitor)
    }

    func handOver() {
        socket.handOver()
        monitor.handOver()
    }

    /// Counts what became of the connections, and makes the socket anew where libzmq has given up its peer: a connecting
    /// socket that gets one frame over the limit is disconnected for ever (libzmq 4.3.4).
    func supervise(_ poller: ZeroMQPoller) throws(ZeroMQError) {
        try monitor.drain()
        let disconnects = monitor.counters.disconnected
        counters.disconnects.add(disconnects - seenDisconnects, ordering: .relaxed)
        seenDisconnects = disconnects
        guard stream.mode == .connect, monitor.isAbandoned(forMilliseconds: 2000) else { return }
        let old = socket
        (socket, monitor) = try StreamSocket.open(stream, context, security)
        seenDisconnects = 0
        if let entry { poller.replace(entry, with: socket) }
        old.close()
        counters.recreated.add(1, ordering: .relaxed)
    }

    func close() { socket.close() }

    /// Looks at the number of a message, or of a beat.
    func note(_ entry: MessageEntry, of batch: EventBatch) {
        let first = Int(entry.firstRecord)
        let isBeat = entry.recordCount == 1 && batch.records[first].kind == .beat
        losses.note(batch.text(entry.source), epoch: entry.epoch, sequence: entry.sequence, isBeat: isBeat)
    }

    /// Publishes the counts, and says on the log what is missing since the last time; called about twice a second.
    func tellLosses(_ log: Logger) {
        let counts = losses.counts
        counters.set(counts)
        guard counts.missing > toldMissing, let last = counts.last else { return toldMissing = counts.missing }
        log.warning(
            "messages are missing: their publisher was away, or this stream was too slow for it; where none may be lost, use pattern: acknowledged",
            metadata: [
                "stream": "\(stream.name)", "source": "\(last.source)", "epoch": "\(last.epoch)", "range": "\(last.first)-\(last.last)",
                "since_last_told": "\(counts.missing - toldMissing)", "in_all": "\(counts.missing)",
            ])
        toldMissing = counts.missing
    }
}
