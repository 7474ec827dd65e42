import Factorization
import LinuxSystem
import Logging
import Persistence
import ZeroMQ

/// Configuration and saved state do not go together.
struct StartError: Error, CustomStringConvertible {
    /// The snapshot.
    let file: String
    let cause: StateError
    /// The state directory.
    let directory: String
    var description: String {
        guard case .changed = cause else { return "\(file): \(cause)" }
        return "\(file): \(cause): mv \(directory) \(directory).old"
    }
}

/// The daemon: everything it is made of, put together from a configuration.
final class Daemon: Sendable {
    private let log: Logger
    /// In order of dependence: each may rely on those before it. Started in order, stopped in reverse.
    private let services: [any Service]
    private let context: ZeroMQContext
    private let stats: StatsReport
    /// Reads the configuration anew.
    let reloader: Reloader

    /// Takes up the newest state and makes the services; nothing runs yet.
    init(_ configuration: Configuration, sources: ConfigurationSources, notifier: ServiceNotifier, logControl: LogControl, log: Logger) throws {
        self.log = log
        // First of all: a key that is missing shows at once, and not after the state was read.
        let access = try SecurityParts(configuration.security, log: log)
        context = access.context
        let store = try SnapshotStore(
            directory: "\(configuration.state.directory)/snapshots", retained: configuration.state.snapshot.keep)
        // Before the state is taken up, which may take a while: it says so.
        let limits = RequestLimits(configuration.requests)
        let http = try HTTPServer(configuration.http, maxMessage: configuration.requests.maxMessage.bytes, limits: limits, log: log)
        try http.open()
        var isMade = false
        defer { if !isMade { http.stop() } }
        let state = try Recovery(configuration, store: store, notifier: notifier, log: log).run()
        let engine = state.engine
        let journal = try state.journal.map { journal throws(SystemError) in try JournalKeeper(journal, recovered: engine.appliedPosition, log: log) }

        let deadLetters = try DeadLetterFile(configuration.state.deadLetters)
        let gate = try PositionGate(engine: engine)
        let adminGate = try PositionGate(engine: engine)
        let processors = configuration.threads.pin.places(engine.trainers.count + Receiver.count(configuration))
        let room = try EventDescriptor(), stood = try EventDescriptor()
        let trainers = try engine.trainers.map { trainer throws(SystemError) in
            try TrainerThread(trainer, gate: gate, room: room, stood: stood, processor: processors[trainer.index])
        }
        let ingest = Ingest(engine: engine, trainers: trainers, room: room, stood: stood, journal: journal, sources: state.sources)
        let keeper = try SnapshotKeeper(
            engine: engine, ingest: ingest, journal: journal, store: store, configuration: configuration, deadLetters: deadLetters,
            log: log)
        keeper.writesAtStart = state.needsSnapshot
        if state.wasLong, configuration.state.snapshot.interval.nanoseconds > 0 { keeper.request() }
        journal?.onHealed { [weak keeper] in keeper?.request() }
        let counters = configuration.streams.map { StreamCounters(name: $0.name) }
        let promoter = try Promoter(configuration.promotion, engine: engine, ingest: ingest, journal: journal, log: log)
        let refiner = try Refiner(configuration.refinement, engine: engine, ingest: ingest, log: log)
        let explorations = configuration.exploration.log.enabled ? try ExplorationLog(configuration.exploration.log) : nil
        let explorer = Explorer(configuration.exploration, log: explorations)
        let choice = ModelChoice(configuration.experiment, engine: engine)
        let stats = StatsReport(
            engine: engine, streams: counters, ingest: ingest, journal: journal, keeper: keeper, deadLetters: deadLetters,
            promoter: promoter, refiner: refiner, explorer: explorer)
        let ids = configuration.ids
        let fallbacks = configuration.requests.fallback
        let methods: @Sendable () -> QueryMethods = {
            QueryMethods(engine: engine, ids: ids, stats: stats, choice: choice, explorer: explorer, fallbacks: fallbacks)
        }
        let requests = RequestServer(
            name: "requests", endpoints: configuration.requests.endpoints, role: .query, security: access.endpoints,
            settings: configuration.requests, limits: limits, context: context, gate: gate, poolThreads: configuration.threads.answerers, log: log, methods: methods)
        self.stats = stats
        http.serve { HTTPServer.Served(methods: methods(), stats: stats) }
        let reloader = try Reloader(
            configuration, keys: access.keys, sources: sources,
            parts: Reloader.Parts(
                engine: engine, ingest: ingest, journal: journal, keeper: keeper, limits: limits, refiner: refiner, authenticator: access.authenticator,
                logControl: logControl),
            notifier: notifier, log: log)
        self.reloader = reloader
        let admin = RequestServer(
            name: "admin", place: .admin, endpoints: [configuration.admin.endpoint], role: .admin, security: access.endpoints,
            settings: configuration.requests, limits: limits, context: context, gate: adminGate, log: log
        ) {
            AdminMethods(
                keeper: keeper,
                eraser: Eraser(engine: engine, ids: ids, ingest: ingest, journal: journal, keeper: keeper, deadLetters: deadLetters,
                    explorations: explorations),
                promoter: promoter, reloader: reloader)
        }
        stats.attach(requests.counters, admin: admin.counters, http.counters)
        stats.attach(access.authenticator, reloader)

        let context = context
        let receivers = try Receiver.all(
            configuration, counters, processors: processors.dropFirst(engine.trainers.count), context: context, security: access.endpoints,
            engine: engine, ingest: ingest, journal: journal, deadLetters: deadLetters, ranking: stats.ranking, log: log)
        // Who may come in before anybody can. The journal before all that learns: the final snapshot still asks it to be durable. Then
        // trainers: whoever hands them work can rely on it being done. The keeper's stop writes the final snapshot, so it comes after the last receiver has gone and while the trainers still run. Receivers late: nothing arrives
        // before all that answers for it is there. HTTP last: it is ready when everything else is.
        var list: [any Service] = []
        if let authenticator = access.authenticator { list.append(authenticator) }
        if let journal { list.append(journal) }
        list += [try ListMemoryKeeper(engine)] + trainers as [any Service]
        list += [keeper, promoter, refiner, reloader, ScanHelpers(engine.team)] as [any Service]
        if let explorations { list.append(explorations) }
        list += [requests, admin] as [any Service]
        list += receivers as [any Service]
        list += [try Sampler(stats), http] as [any Service]
        services = list
        isMade = true
    }

    /// Starts all services; when one cannot, stops those that run, writes no snapshot, and throws.
    func start() throws {
        for (index, service) in services.enumerated() {
            do {
                try service.start()
            } catch {
                for started in services[..<index].reversed() { started.abandon() }
                context.terminate()
                throw error
            }
        }
    }

    // MARK: For the watchdog

    /// What it has found.
    var vitals: Vitals { stats.vitals }
    var statusLine: String { stats.statusLine }

    /// Up to where positions were given out, and up to where they are learned; nil while trainers are held up on purpose.
    var progress: (sequenced: UInt64, applied: UInt64)? {
        let engine = stats.engine
        guard !engine.trainers.contains(where: { $0.gate.isStanding || $0.gate.isWanted }) else { return nil }
        return (engine.sequencer.lastPosition, engine.appliedPosition)
    }

    /// Stops reading, drains, writes the final snapshot, lets go of everything.
    func stop() {
        for service in services.reversed() { service.stop() }
        context.terminate()
    }
}

extension DeadLetterFile {
    /// In a directory that is made where it is missing.
    fileprivate convenience init(_ settings: Configuration.DeadLetters) throws(SystemError) {
        _ = try Directory.create(settings.directory, permissions: 0o700)
        self.init(
            "\(settings.directory)/dead-letters.jsonl", limits: DeadLetterLimits(fileBytes: settings.bytes.bytes, files: settings.files))
    }
}
