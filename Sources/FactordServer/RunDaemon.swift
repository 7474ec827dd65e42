import Glibc
import LinuxSystem
import Logging
import Persistence
import ZeroMQ

/// Exit statuses of sysexits.h that the daemon uses.
private enum ExitStatus {
    static let success: Int32 = 0
    /// The state or the configuration does not allow a start (EX_CONFIG); starting again will not help.
    static let configuration: Int32 = 78
    /// The journal does not hold what it should (EX_DATAERR); it has to be repaired first.
    static let damage: Int32 = 65
    /// Something of the system was refused: a port in use, a directory (EX_OSERR).
    static let system: Int32 = 71
}

/// Runs a daemon until SIGTERM or SIGINT; SIGHUP has it read its configuration anew.
///
/// - Parameter sources: where `configuration` came from, to be read again.
/// - Returns: The process's exit status: 0 after a clean stop, 65 where the journal is damaged, 71 where the system
///   refused something at the start, 78
///   where configuration and state do not go together.
public func runDaemon(configuration: Configuration, sources: ConfigurationSources) -> Int32 {
    let logControl = LogControl(configuration.log)
    let log = Logger(label: "factord") { DaemonLog(label: $0, control: logControl) }
    defer { logControl.flush(isLast: true) }
    do {
        // First of all, so that every thread to come leaves the signals to this one.
        let signals = try SignalSource([SIGTERM, SIGINT, SIGHUP])
        ProcessFacts.raiseDescriptorLimit(to: 65_536)
        let notifier = ServiceNotifier()
        let daemon = try Daemon(configuration, sources: sources, notifier: notifier, logControl: logControl, log: log)
        try daemon.start()
        let watchdog = try Watchdog(daemon, notifier: notifier, log: log)
        try watchdog.start()
        log.notice(
            "ready",
            metadata: [
                "streams": "\(configuration.streams.map(\.endpoint).joined(separator: ","))",
                "requests": "\(configuration.requests.endpoints.joined(separator: ","))",
                "http": "\(configuration.http.endpoint ?? "none")",
                "models": "\(configuration.models.map { "\($0.name):\($0.kind)\($0.rank)" }.joined(separator: ","))",
                "trainers": "\(configuration.threads.trainers)", "libzmq": "\(ZeroMQVersion.description)",
            ])
        notifier.ready(status: "learning")
        let wakeUp = try EventDescriptor()
        try Pulse { wakeUp.signal() }.accompany("main") {
            try waitForStop(signals, wakeUp, daemon.reloader, logControl)
            notifier.stopping()
            watchdog.stopping()
            log.notice("stopping: no more events are read; what was taken is learned and written first")
            daemon.stop()
        }
        watchdog.end()
        log.notice("stopped")
        return ExitStatus.success
    } catch let error as StartError {
        log.critical("cannot start: \(error)")
        return ExitStatus.configuration
    } catch let error as SecurityError {
        log.critical("cannot start: \(error)")
        return ExitStatus.configuration
    } catch let error as RecoveryError {
        log.critical("cannot start: \(error)")
        return ExitStatus.damage
    } catch PersistenceError.damaged(let file, let offset, let what) {
        log.critical("cannot start: \(PersistenceError.damaged(file: file, offset: offset, what: what))")
        return ExitStatus.damage
    } catch {
        log.critical("cannot start: \(error); see to that, and start again")
        return ExitStatus.system
    }
}

private func waitForStop(_ signals: SignalSource, _ wakeUp: EventDescriptor, _ reloader: Reloader, _ logControl: LogControl) throws {
    let poller = DescriptorPoller([signals.descriptor, wakeUp.descriptor])
    while true {
        try poller.wait(timeoutMilliseconds: 10_000)
        wakeUp.drain()
        logControl.flush()
        while let signal = signals.next() {
            if signal == SIGTERM || signal == SIGINT { return }
            reloader.request()
        }
    }
}
