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
    var description: String { "\(file): \(cause)" }
}

/// The daemon: everything it is made of, put together from a configuration.
final class Daemon {
    private let log: Logger
    /// In order of dependence: each may rely on those before it. Started in order, stopped in reverse.
    private let services: [any Service]
    private let context: ZeroMQContext

    /// Takes up the newest state and makes the services; nothing runs yet.
    init(_ configuration: Configuration, log: Logger) throws {
        self.log = log
        let store = try SnapshotStore(
            directory: "\(configuration.state.directory)/snapshots", retained: configuration.state.snapshot.keep)
        let engine = Engine(settings: configuration.engineSettings)
        try Daemon.recover(engine, configuration.lastingSettings, from: store, log)

        let letters = configuration.state.deadLetters
        _ = try Directory.create(letters.directory, permissions: 0o700)
        let deadLetters = DeadLetterFile(
            "\(letters.directory)/dead-letters.jsonl", limits: DeadLetterLimits(fileBytes: letters.bytes.bytes, files: letters.files))
        context = try ZeroMQContext()
        let gate = try PositionGate(engine: engine)
        let adminGate = try PositionGate(engine: engine)
        let all = configuration.streams.enumerated().map { (index: $0, stream: $1) }
        let receiverCount = min(configuration.threads.receivers, max(all.count, 1))
        let processors = configuration.threads.pin.places(engine.trainers.count + receiverCount)
        let room = try EventDescriptor()
        let trainers = try engine.trainers.map { trainer throws(SystemError) in
            try TrainerThread(trainer, gate: gate, room: room, processor: processors[trainer.index])
        }
        let ingest = Ingest(engine: engine, trainers: trainers, room: room)
        let keeper = try SnapshotKeeper(
            engine: engine, ingest: ingest, store: store, settings: configuration.state.snapshot,
            lastingSettings: configuration.lastingSettings, deadLetters: deadLetters, log: log)
        let counters = configuration.streams.map { StreamCounters(name: $0.name) }
        let stats = StatsReport(engine: engine, streams: counters, ingest: ingest, keeper: keeper, deadLetters: deadLetters)
        let ids = configuration.ids
        let requests = RequestServer(
            name: "requests", endpoints: configuration.requests.endpoints, limits: configuration.requests, context: context,
            gate: gate, log: log
        ) { QueryMethods(engine: engine, ids: ids, stats: stats) }
        stats.attach(requests.counters)
        let admin = RequestServer(
            name: "admin", endpoints: [configuration.admin.endpoint], limits: configuration.requests, context: context,
            gate: adminGate, log: log
        ) { AdminMethods(keeper: keeper) }

        let context = context
        let receivers = try (0..<receiverCount).map { number throws(SystemError) in
            try Receiver(
                number: number,
                streams: all.filter { $0.index % receiverCount == number }.map { ($0.index, $0.stream, counters[$0.index]) },
                processor: processors[engine.trainers.count + number], context: context, engine: engine, ids: ids, ingest: ingest,
                deadLetters: deadLetters, log: log)
        }
        // Trainers first: whoever hands them work can rely on it being done. The keeper's stop writes the final snapshot,
        // so it comes after the last receiver has gone and while the trainers still run. Receivers last: nothing arrives
        // before all that answers for it is there.
        services = trainers as [any Service] + [keeper, requests, admin] + receivers
    }

    /// Newest good snapshot into the engine; each one that is passed over is reported.
    private static func recover(
        _ engine: Engine, _ settings: [LastingSetting], from store: SnapshotStore, _ log: Logger
    ) throws {
        let newest = try store.openNewestValid()
        for skipped in newest.skipped { log.error("a snapshot was passed over", metadata: ["snapshot": "\(skipped)"]) }
        guard let reader = newest.reader else {
            let note = newest.skipped.isEmpty ? "no state yet: starting empty" : "no usable snapshot: starting empty"
            return log.notice("\(note)", metadata: ["directory": "\(store.directory)"])
        }
        let start = MonotonicClock.nanoseconds
        do {
            try LastingSettings.check(settings, against: reader)
            try engine.restore(from: SnapshotSource(reader: reader))
        } catch let error as StateError {
            throw StartError(file: reader.path, cause: error)
        }
        log.notice(
            "state taken up",
            metadata: [
                "position": "\(engine.appliedPosition)", "users": "\(engine.users.count)", "items": "\(engine.items.count)",
                "milliseconds": "\((MonotonicClock.nanoseconds - start) / 1_000_000)", "path": "\(reader.path)",
            ])
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

    /// Stops reading, drains, writes the final snapshot, lets go of everything.
    func stop() {
        for service in services.reversed() { service.stop() }
        context.terminate()
    }
}
