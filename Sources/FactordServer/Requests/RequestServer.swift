import Factorization
import Histogram
import LinuxSystem
import Logging
import Synchronization
import WireFormats
import ZeroMQ

/// A reply socket and its thread: JSON-RPC 2.0 over ROUTER, for REQ and DEALER clients, pipelined or not.
///
/// One thread answers in order of arrival; a request that waits for a position (`after`) stands aside and delays nobody.
/// A client that does not read loses its replies (counted), never the others'.
final class RequestServer: Service {
    let name: String
    private let endpoints: [String]
    private let limits: Configuration.Requests
    private let context: ZeroMQContext
    private let gate: PositionGate
    private let log: Logger
    private let makeMethods: @Sendable () -> any RequestMethods
    private let isStopping = Atomic<Bool>(false)
    private let thread = Lock<SystemThread?>(nil)
    /// Shared with the loop; read by anyone.
    let counters = RequestCounters()

    init(
        name: String, endpoints: [String], limits: Configuration.Requests, context: ZeroMQContext, gate: PositionGate,
        log: Logger, methods: @escaping @Sendable () -> any RequestMethods
    ) {
        self.name = name
        self.endpoints = endpoints
        self.limits = limits
        self.context = context
        self.gate = gate
        self.log = log
        makeMethods = methods
    }

    /// Binds here, so that an endpoint in use is the start's error.
    func start() throws {
        var options = SocketOptions.requests
        options.maximumFrameBytes = limits.maxMessage.bytes
        options.sendQueueMessages = limits.highWaterMark
        options.receiveQueueMessages = limits.highWaterMark
        let socket = try ZeroMQSocket(context, .router, options: options)
        let monitor = try SocketMonitor(socket)
        for endpoint in endpoints { try socket.bind(endpoint) }
        socket.handOver()
        monitor.handOver()
        let parts = Handover((socket, monitor))
        let started = try SystemThread(name: name) { [self] in
            let (socket, monitor) = parts.value
            let loop = RequestLoop(
                socket: socket, monitor: monitor, gate: gate, methods: makeMethods(), counters: counters,
                maxBody: limits.maxBody.bytes)
            do throws(ZeroMQError) {
                try loop.run(until: isStopping)
            } catch {
                log.critical("requests are no longer answered; restart the daemon", metadata: ["server": "\(name)", "error": "\(error)"])
            }
            // What was answered last is lost now and then where the socket closes the same instant, whatever its linger
            // time (libzmq 4.3.4, seen under load): the I/O thread gets its chance first.
            MonotonicClock.sleep(microseconds: 100_000)
            socket.close()
        }
        thread.withLock { $0 = started }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        gate.reached.signal()
        thread.withLock { $0 }?.join()
    }
}

/// What a reply socket did. Written by its thread, read by anyone.
final class RequestCounters: Sendable {
    /// Bodies answered, and those among them that were an error as a whole or a part.
    let answered = Atomic<Int>(0)
    let errors = Atomic<Int>(0)
    /// Replies that a client did not take: it was gone, or its queue was full.
    let dropped = Atomic<Int>(0)
    let disconnects = Atomic<Int>(0)
    /// Microseconds from receipt to reply.
    private let latency = Lock<Histogram<UInt32>>(
        Histogram(lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: .two))

    func record(microseconds: Int64) {
        latency.withLock { _ = $0.record(UInt64(max(0, min(microseconds, 60_000_000)))) }
    }

    /// Latency at a percentile, microseconds.
    func percentile(_ percent: Double) -> UInt64 { latency.withLock { $0.valueAtPercentile(percent) } }
}

/// The methods of one socket. Belongs to the socket's thread.
protocol RequestMethods: AnyObject {
    /// Answers one request by writing one JSON value.
    /// - Parameter waiting: says whether the request may still wait for a position, or has waited long enough.
    func answer(
        _ request: JSONRPCRequest, waiting: WaitState, into writer: inout JSONWriter
    ) throws(JSONRPCError)
}

/// How a request stands towards `"after"`.
final class WaitState {
    /// Whether this is the last look: answer now, with `"late": true` where the position is not reached.
    var isFinal = false
    /// Set by a method that wants to wait: until this position, at most this long.
    var wanted: (position: UInt64, milliseconds: Int)?
}
