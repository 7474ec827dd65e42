import LinuxSystem
import Logging
import Synchronization

/// The HTTP side: metrics, health, and the read-only methods. One thread that answers one request at a time, beside the reply
/// socket's and with methods of its own, so that neither ever waits for the other.
///
/// It opens before the state is recovered, and says that it is being recovered until `start`.
final class HTTPServer: Service {
    let name = "http"
    /// What is answered from, once there is something.
    struct Served {
        let methods: any RequestMethods
        let stats: StatsReport
    }

    private let settings: Configuration.HTTP
    private let maxMessage: Int
    private let limits: RequestLimits
    private let log: Logger
    /// Set before `start`; called on the thread.
    private let makeServed = Lock<(@Sendable () -> Served)?>(nil)
    private let isStarted = Atomic<Bool>(false)
    private let thread: ServiceThread
    let counters = HTTPCounters()

    init(_ settings: Configuration.HTTP, maxMessage: Int, limits: RequestLimits, log: Logger) throws(SystemError) {
        self.settings = settings
        self.maxMessage = maxMessage
        self.limits = limits
        self.log = log
        thread = try ServiceThread()
    }

    /// Binds and begins to answer. Without an endpoint it does nothing.
    func open() throws {
        guard let address = settings.address else { return }
        let assets = DashboardAssets(folder: settings.assets)
        if let problem = assets.problem { log.warning("the dashboard is not whole; reinstall factord, or set http.assets to the folder of its files", metadata: ["problem": "\(problem)"]) }
        let loop = Handover(
            try HTTPLoop(listener: StreamListener(address), wake: thread.wakeUp, settings: settings, maxMessage: maxMessage, limits: limits, assets: assets,
                counters: counters))
        try thread.start(name) { [self] in
            do throws(SystemError) {
                try loop.value.run(on: thread) { isStarted.load(ordering: .acquiring) ? makeServed.withLock { $0 }?() : nil }
            } catch {
                log.critical("HTTP is no longer answered; restart the daemon", metadata: ["error": "\(error)"])
            }
        }
    }

    /// What to answer from after `start`.
    func serve(_ make: @escaping @Sendable () -> Served) { makeServed.withLock { $0 = make } }

    func start() {
        isStarted.store(true, ordering: .releasing)
        thread.wake()
    }

    func stop() { thread.stop() }
}
