import Factorization
import LinuxSystem
import Logging
import Persistence
import Synchronization

/// Reads the configuration anew, at SIGHUP or on request, and has its live keys take effect.
///
/// The file is read and checked as a whole. Where anything is wrong with it, nothing changes. Otherwise its live keys and the
/// files of keys take effect together; other keys that changed are named, and wait for a restart.
///
/// **Learning settings** are part of what a journal is replayed under. They change between two batches, when all that came before
/// is applied and no snapshot is under way: a new segment of the journal says what the records from there on are learned under, and
/// the models take the new settings once that is durable. A recovery changes at the same place.
final class Reloader: Service {
    /// What a reload has done.
    struct Outcome: Sendable {
        var change: ConfigurationChange
        /// Where learning changed; nil where it did not.
        var position: UInt64?
        /// Keys by role that may come in from here on, those new and those gone; empty without keys.
        var keys: [(role: AccessRole, count: Int, added: Int, removed: Int)]
    }

    /// Why nothing has changed.
    enum Refusal: Error, CustomStringConvertible {
        case configuration(ConfigurationError)
        case mixture(ConfigurationError)
        case keys(SecurityError)
        case journal(PersistenceError)
        case stopping

        var description: String {
            switch self {
            case .configuration(let error): "\(error)"
            case .mixture(let error): "what changes at once does not go with what waits for a restart; restart the daemon, or change less: \(error)"
            case .keys(let error): "\(error)"
            case .journal(let error): "learning settings change with the journal, whose storage is degraded; reload again once it has healed: \(error)"
            case .stopping: "the daemon stops"
            }
        }
    }

    /// What is told of a change.
    struct Parts {
        let engine: Engine
        let ingest: Ingest
        let journal: JournalKeeper?
        let keeper: SnapshotKeeper
        let limits: RequestLimits
        let refiner: Refiner
        let authenticator: Authenticator?
        let logControl: LogControl
    }

    let name = "reloader"
    private let sources: ConfigurationSources
    private let parts: Parts
    private let notifier: ServiceNotifier
    private let log: Logger
    /// What the daemon runs under. Held for a whole reload: one at a time.
    private let running: Lock<Running>
    private let isWanted = Atomic<Bool>(false)
    private let thread: ServiceThread
    /// Reloads that took effect, and that were refused.
    let succeeded = Atomic<Int>(0)
    let refused = Atomic<Int>(0)

    private struct Running: Sendable {
        var configuration: Configuration
        var keys: AuthorisedKeys
    }

    init(
        _ configuration: Configuration, keys: AuthorisedKeys, sources: ConfigurationSources, parts: Parts, notifier: ServiceNotifier, log: Logger
    ) throws(SystemError) {
        running = Lock(Running(configuration: configuration, keys: keys))
        self.sources = sources
        self.parts = parts
        self.notifier = notifier
        self.log = log
        thread = try ServiceThread()
    }

    // MARK: For anyone

    /// Asks for a reload, whose outcome the log tells.
    func request() {
        isWanted.store(true, ordering: .releasing)
        thread.wake()
    }

    /// Reloads now. Answers when what changed is in effect.
    func reload() throws(Refusal) -> Outcome {
        notifier.reloading()
        defer { notifier.ready(status: "learning") }
        do throws(Refusal) {
            let outcome = try running.withLock { running throws(Refusal) in try reload(&running) }
            succeeded.add(1, ordering: .relaxed)
            tell(outcome)
            return outcome
        } catch {
            refused.add(1, ordering: .relaxed)
            log.error("the configuration was not reloaded, and nothing has changed: mend what is wrong and reload again", metadata: ["fault": "\(error)"])
            throw error
        }
    }

    private func reload(_ running: inout Running) throws(Refusal) -> Outcome {
        let new: Configuration
        do { new = try Configuration.load(sources).configuration } catch { throw .configuration(error) }
        let change: ConfigurationChange
        do { change = try ConfigurationChange(from: running.configuration, to: new) } catch { throw .mixture(error) }
        let effective = change.effective
        var keys = running.keys
        if parts.authenticator != nil {
            do { keys = try AuthorisedKeys(effective.security) } catch { throw .keys(error) }
        }
        var outcome = Outcome(change: change, position: nil, keys: [])
        if LearningConfiguration.text(effective) != LearningConfiguration.text(running.configuration) {
            outcome.position = try changeLearning(effective)
        } else {
            parts.keeper.use(effective)
        }
        parts.limits.use(effective.requests)
        parts.refiner.use(effective.refinement)
        parts.logControl.use(effective.log)
        if let authenticator = parts.authenticator {
            authenticator.use(keys)
            outcome.keys = AccessRole.allCases.map { role in
                let (before, after) = (Set(running.keys[role].keys), Set(keys[role].keys))
                return (role, after.count, after.subtracting(before).count, before.subtracting(after).count)
            }
        }
        running.configuration = effective
        running.keys = keys
        return outcome
    }

    /// The position after which events are learned otherwise.
    private func changeLearning(_ effective: Configuration) throws(Refusal) -> UInt64 {
        let text = Array(LearningConfiguration.text(effective).utf8)
        while !thread.isStopping {
            let result = parts.ingest.whileIdle { [parts] _ -> Result<UInt64, PersistenceError>? in
                if parts.keeper.isCapturing.load(ordering: .acquiring) { return nil }
                do throws(PersistenceError) {
                    try parts.journal?.change(configuration: text)
                } catch {
                    return .failure(error)
                }
                parts.engine.adopt(effective.engineSettings.models)
                parts.keeper.use(effective)
                return .success(parts.engine.sequencer.lastPosition)
            }
            switch result {
            case .success(let position): return position
            case .failure(let error): throw .journal(error)
            // A snapshot that is under way ends first: all of it is learned under the same settings.
            case nil: MonotonicClock.sleep(microseconds: 10_000)
            }
        }
        throw .stopping
    }

    private func tell(_ outcome: Outcome) {
        var fields: Logger.Metadata = ["changed": "\(outcome.change.live.map(\.description).joined(separator: "; "))"]
        if outcome.change.live.isEmpty { fields["changed"] = "nothing" }
        if let position = outcome.position { fields["learned_otherwise_after"] = "\(position)" }
        for entry in outcome.keys where entry.added + entry.removed > 0 { fields["keys_\(entry.role)"] = "\(entry.added) new, \(entry.removed) gone, \(entry.count) in all" }
        log.notice("configuration reloaded", metadata: fields)
        if !outcome.change.waiting.isEmpty {
            log.warning(
                "changed settings wait for a restart: restart the daemon to have them",
                metadata: ["settings": "\(outcome.change.waiting.map(\.description).joined(separator: "; "))"])
        }
        if outcome.keys.contains(where: { $0.removed > 0 }) {
            log.warning("keys have gone: nobody can connect with them any more, and connections that stand stay until they end; restart the daemon to end them now")
        }
    }

    // MARK: Service

    func start() throws {
        try thread.start(name, .isWoken) { [self] in
            while !thread.isStopping {
                thread.sleep()
                if isWanted.exchange(false, ordering: .acquiringAndReleasing) { _ = try? reload() }
            }
        }
    }

    func stop() { thread.stop() }
}
