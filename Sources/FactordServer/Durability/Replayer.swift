import Factorization
import LinuxSystem
import Logging
import Persistence

/// Gives records of the journal to an engine whose trainers run on threads of their own meanwhile.
final class Replayer {
    private let engine: Engine
    private let ingest: Ingest
    private let trainers: [TrainerThread]
    private var batch = EventBatch()
    private var hasFinished = false

    init(_ engine: Engine, sources: SourceTable) throws {
        self.engine = engine
        let gate = try PositionGate(engine: engine), room = try EventDescriptor(), stood = try EventDescriptor()
        trainers = try engine.trainers.map { trainer throws(SystemError) in
            try TrainerThread(trainer, gate: gate, room: room, stood: stood, processor: nil)
        }
        ingest = Ingest(engine: engine, trainers: trainers, room: room, stood: stood, journal: nil, sources: sources)
        for trainer in trainers { try trainer.start() }
    }

    deinit { stop() }

    /// Takes a record again, and checks that it ends where it did.
    func take(_ record: JournalRecord, directory: String) throws(RecoveryError) {
        let header = record.header
        func unreadable(_ reason: String) -> RecoveryError {
            .unreadable(record: header.number, position: header.firstPosition, reason: reason, directory: directory)
        }
        guard header.kind == JournalRecordKind.batch.rawValue else { throw unreadable("kind \(header.kind) is not known to this program") }
        let last = engine.sequencer.nextPosition - 1
        guard header.firstPosition > last else {
            throw .diverged(record: header.number, position: last + 1, expected: header.firstPosition, directory: directory)
        }
        // Positions that nothing has: a start passed over them, or a disk fault took their events.
        if header.firstPosition > last + 1 { ingest.skip(to: header.firstPosition - 1) }
        guard let counts = EventBatch.capacities(record.payload) else { throw unreadable("the batch's header is wrong") }
        if counts.records > batch.recordCapacity || counts.features > batch.featureCapacity || counts.text > batch.textCapacity
            || counts.messages > batch.messageCapacity
        {
            batch = EventBatch(
                recordCapacity: max(counts.records, batch.recordCapacity), featureCapacity: max(counts.features, batch.featureCapacity),
                textCapacity: max(counts.text, batch.textCapacity), messageCapacity: max(counts.messages, batch.messageCapacity))
        }
        do throws(BatchDecodingError) {
            try batch.decode(record.payload, hashing: engine.hashing)
        } catch {
            throw unreadable(error.description)
        }
        ingest.replay(batch)
        let reached = engine.sequencer.lastPosition
        guard reached == header.lastPosition else {
            throw .diverged(record: header.number, position: reached, expected: header.lastPosition, directory: directory)
        }
    }

    /// Waits until all is learned, and gives the table of sources back.
    func finish(_ sources: inout SourceTable) {
        stop()
        sources = ingest.sourceTable
    }

    private func stop() {
        guard !hasFinished else { return }
        hasFinished = true
        for trainer in trainers { trainer.stop() }
    }
}

/// Says how far a recovery is: on the log once a second, and to the service manager, which otherwise takes a long start for a
/// failed one.
final class RecoveryProgress {
    private let notifier: ServiceNotifier
    private let log: Logger
    private var next = MonotonicClock.nanoseconds + RecoveryProgress.interval

    private static let interval: Int64 = 1_000_000_000
    /// Asked of the service manager each time: many times the interval.
    private static let extensionMicroseconds: Int64 = 30_000_000

    init(notifier: ServiceNotifier, log: Logger) {
        self.notifier = notifier
        self.log = log
    }

    /// Says something at once.
    func tell(_ status: String) {
        notifier.extendTimeout(microseconds: RecoveryProgress.extensionMicroseconds, status: "starting: \(status)")
    }

    /// Says where it is, where that is due.
    func look(_ status: () -> String) {
        guard MonotonicClock.nanoseconds >= next else { return }
        next = MonotonicClock.nanoseconds + RecoveryProgress.interval
        let status = status()
        log.notice("replaying the journal", metadata: ["at": "\(status)"])
        tell("replaying the journal, \(status)")
    }
}

/// An image in memory as a source of state.
final class ImageSource: StateSource {
    typealias Failure = StateError
    private let image: StateImage
    private let places: [String: StateImage.Section]

    init(_ image: consuming StateImage) {
        places = Dictionary(image.sections.map { ($0.name, $0) }) { first, _ in first }
        self.image = image
    }

    func withSection(_ name: String, _ body: (UnsafeRawBufferPointer) throws(StateError) -> Void) throws -> Bool {
        guard let section = places[name] else { return false }
        try body(image.bytes(section))
        return true
    }
}
