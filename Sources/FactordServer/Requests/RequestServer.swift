import Factorization
import LinuxSystem
import Logging
import WireFormats
import ZeroMQ

/// A reply socket and its thread: JSON-RPC 2.0 over ROUTER, for REQ and DEALER clients, pipelined or not.
///
/// One thread reads, and answers what is short in order of arrival; what is long goes to a pool of threads, where clients take
/// turns; a request that waits for a position (`after`) stands aside. So nobody delays the others.
/// A client that does not read loses its replies (counted), never the others'.
final class RequestServer: Service {
    let name: String
    private let endpoints: [String]
    /// What its clients may do, and how they show that; nil for no keys.
    private let role: AccessRole
    private let security: EndpointSecurity?
    private let settings: Configuration.Requests
    private let limits: RequestLimits
    private let context: ZeroMQContext
    private let gate: PositionGate
    private let log: Logger
    /// Threads of the pool; 0 where the socket's thread answers everything.
    private let poolThreads: Int
    /// Called on each thread that answers.
    private let makeMethods: @Sendable () -> any RequestMethods
    private let thread: ServiceThread
    /// Shared with the loop; read by anyone.
    let counters: RequestCounters

    init(
        name: String, place: MethodDescription.Place = .requests, endpoints: [String], role: AccessRole, security: EndpointSecurity?,
        settings: Configuration.Requests, limits: RequestLimits, context: ZeroMQContext, gate: PositionGate,
        poolThreads: Int = 0, log: Logger, methods: @escaping @Sendable () -> any RequestMethods
    ) {
        self.name = name
        self.endpoints = endpoints
        self.role = role
        self.security = security
        self.settings = settings
        self.limits = limits
        self.context = context
        self.gate = gate
        self.poolThreads = poolThreads
        self.log = log
        makeMethods = methods
        counters = RequestCounters(place)
        thread = ServiceThread(wokenBy: gate.reached)
    }

    /// Binds here, so that an endpoint in use is the start's error.
    func start() throws {
        var options = SocketOptions.requests
        options.maximumFrameBytes = settings.maxMessage.bytes
        options.sendQueueMessages = settings.highWaterMark
        options.receiveQueueMessages = settings.highWaterMark
        let socket = try ZeroMQSocket(context, .router, options: options)
        let monitor = try SocketMonitor(socket)
        try socket.bind(endpoints, for: role, security)
        socket.handOver()
        monitor.handOver()
        let parts = Handover((socket, monitor))
        let make = { @Sendable [makeMethods, counters, settings] in
            // The limit of bodies may rise; no message is longer than this.
            RequestAnswerer(methods: makeMethods(), counters: counters, maxBody: settings.maxMessage.bytes)
        }
        let pool = poolThreads == 0 ? nil : try AnswerPool(threads: poolThreads, name: "scorer", finished: gate.reached, answerer: make)
        try thread.start(name) { [self] in
            let (socket, monitor) = parts.value
            let loop = RequestLoop(
                socket: socket, monitor: monitor, gate: gate, answerer: make(), pool: pool, counters: counters, limits: limits)
            do throws(ZeroMQError) {
                try loop.run(on: thread)
            } catch {
                log.critical("requests are no longer answered; restart the daemon", metadata: ["server": "\(name)", "error": "\(error)"])
            }
            // What was answered last is lost now and then where the socket closes the same instant, whatever its linger
            // time (libzmq 4.3.4, seen under load): the I/O thread gets its chance first.
            MonotonicClock.sleep(microseconds: 100_000)
            socket.close()
        }
    }

    func stop() { thread.stop() }
}
