import LinuxSystem
import Logging
import Synchronization

/// Looks after every thread of the daemon, and tells the service manager: that all is well, what the daemon is at, and, where a thread
/// is stuck, that it is to be killed and started again.
///
/// It lives longer than all services: a stop that hangs is to be found out as well. Without a service manager that asks, a
/// stuck thread is logged, and `/livez` says so.
final class Watchdog: Sendable {
    private let notifier: ServiceNotifier
    private let log: Logger
    /// Nanoseconds of silence after which a thread counts as stuck.
    private let limit: Int64
    private let interval: Int64
    private let isAsked: Bool
    private let daemon: Daemon
    private let isStopping = Atomic<Bool>(false)
    private let thread: ServiceThread

    /// Where nobody asks.
    private static let usualLimit: Int64 = 10_000_000_000
    private static let statusInterval: Int64 = 5_000_000_000

    /// - Parameter asked: how often the service manager wants to hear that all is well, in microseconds.
    init(_ daemon: Daemon, notifier: ServiceNotifier, asked: Int64? = ServiceNotifier.watchdogMicroseconds, log: Logger) throws {
        self.daemon = daemon
        self.notifier = notifier
        self.log = log
        isAsked = asked != nil
        // Found out within the time in which the service manager wants to hear of it, looks included.
        limit = asked.map { $0 * 750 } ?? Watchdog.usualLimit
        interval = min(1_000_000_000, limit / 6)
        thread = try ServiceThread()
    }

    func start() throws { try thread.start("watchdog", .isTrusted) { [self] in watch() } }

    /// The daemon has begun to stop: that may take longer than the service manager thought, but not without a sign of life.
    func stopping() { isStopping.store(true, ordering: .releasing) }

    /// After everything else.
    func end() { thread.stop() }

    private func watch() {
        var account = SilenceAccount(limit: limit)
        var last = MonotonicClock.nanoseconds, nextStatus = last
        while !thread.isStopping {
            let threads = Pulse.all
            for thread in threads { thread.pulse.rouse() }
            thread.sleep(milliseconds: Int(interval / 1_000_000))
            let now = MonotonicClock.nanoseconds
            // More than two intervals since the last look: this thread did not run either.
            judge(account.look(threads, elapsed: min(now - last, 2 * interval), learning: daemon.progress))
            last = now
            guard daemon.vitals.fault == nil else { continue }
            notifier.alive()
            if isStopping.load(ordering: .acquiring) {
                notifier.extendTimeout(microseconds: 10 * interval / 1000, status: "stopping")
            } else if now >= nextStatus {
                nextStatus = now + Watchdog.statusInterval
                notifier.status(daemon.statusLine)
            }
        }
    }

    private func judge(_ found: [SilenceAccount.Stall]) {
        let known = daemon.vitals.replace(by: found)
        for stall in found where !known.contains(where: { $0.name == stall.name }) {
            log.critical(
                "stuck: no sign of life",
                metadata: [
                    "thread": "\(stall.name)", "seconds": "\(stall.nanoseconds / 1_000_000_000)",
                    "next": "\(isAsked ? "the service manager restarts the daemon" : "restart the daemon; gdb -p \(ProcessFacts.identifier) -ex 'thread apply all bt' says where it is")",
                ])
        }
        if !known.isEmpty, found.isEmpty { log.notice("no thread is stuck any more") }
        guard let fault = daemon.vitals.fault else { return }
        if isAsked { notifier.stuck(status: "stuck: \(fault)") } else { notifier.status("stuck: \(fault)") }
    }
}
