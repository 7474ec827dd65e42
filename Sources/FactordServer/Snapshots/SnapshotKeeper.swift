import Factorization
import LinuxSystem
import Logging
import Persistence
import Synchronization

/// Writes snapshots: on its timer, on request, and at a clean stop.
///
/// How it copies is in `SnapshotKeeper+Capture.swift`. One snapshot at a time.
final class SnapshotKeeper: Service {
    /// A snapshot that stands.
    struct Written: Sendable {
        var position: UInt64
        var path: String
        var bytes: UInt64
        /// The pauses in which learning stood still, and how long it all took.
        var pauses: PauseReport
        var seconds: Double
        /// Of these, for reading it back before it got its name.
        var verifySeconds: Double
        /// Of these, for removing older ones, after it stood.
        var pruneSeconds: Double
        /// Whether it holds exactly one position, and needs no journal.
        var isExact: Bool
        /// `MonotonicClock` at the end.
        var finished: Int64
    }

    let name = "snapshots"
    let engine: Engine
    let ingest: Ingest
    /// One snapshot at a time: the store belongs to whoever writes.
    let store: Lock<SnapshotStore>
    /// What it does, which may change, and the settings that the state belongs to, as sections of every snapshot.
    private let ways: Lock<Ways>
    /// Whether a snapshot is being taken: set and looked at in the turn, so that the settings of the state do not change meanwhile.
    let isCapturing = Atomic<Bool>(false)
    /// Nil where there is none.
    let journal: JournalKeeper?
    /// Whether a snapshot is asked for beside the timer.
    private let isWanted = Atomic<Bool>(false)
    private let isDueAtStart = Atomic<Bool>(false)
    private let deadLetters: DeadLetterFile
    let log: Logger
    private let last = Lock<Written?>(nil)
    let written = Atomic<Int>(0)
    let failed = Atomic<Int>(0)
    private let thread: ServiceThread
    /// Positions at whole seconds, newest last; for the rate.
    private let samples = Lock<[(nanoseconds: Int64, position: UInt64)]>([])
    private let drift: DriftLog
    /// What exact snapshots are copied into; kept from one to the next.
    let pool = CapturePool()

    init(
        engine: Engine, ingest: Ingest, journal: JournalKeeper?, store: sending SnapshotStore, configuration: Configuration,
        deadLetters: DeadLetterFile, log: Logger
    ) throws(SystemError) {
        self.engine = engine
        self.ingest = ingest
        self.store = Lock(store)
        self.journal = journal
        ways = Lock(Ways(configuration))
        self.deadLetters = deadLetters
        self.log = log
        drift = DriftLog(engine: engine, log: log)
        thread = try ServiceThread()
    }

    struct Ways: Sendable {
        var settings: Configuration.Snapshot
        var sections: [(name: String, bytes: [UInt8])]

        init(_ configuration: Configuration) {
            settings = configuration.state.snapshot
            sections = [
                (LastingSettings.section, LastingSettings.encode(configuration.lastingSettings)),
                (LearningConfiguration.section, Array(LearningConfiguration.text(configuration).utf8)),
            ]
        }
    }

    var settings: Configuration.Snapshot { ways.withLock { $0.settings } }
    var settingSections: [(name: String, bytes: [UInt8])] { ways.withLock { $0.sections } }

    /// Goes on under another configuration. Where it learns otherwise, in the turn and while nothing is captured.
    func use(_ configuration: Configuration) {
        ways.withLock { $0 = Ways(configuration) }
        thread.wake()
    }

    /// Whether nothing learns any more that a fast snapshot could slow down.
    var isEnding: Bool { thread.isStopping }

    /// The newest snapshot written by this process.
    var newest: Written? { last.withLock { $0 } }

    /// Events a second over the last five seconds.
    var eventRate: Double {
        samples.withLock { samples in
            guard let first = samples.first, let last = samples.last, last.nanoseconds > first.nanoseconds else { return 0 }
            return Double(last.position - first.position) * 1e9 / Double(last.nanoseconds - first.nanoseconds)
        }
    }

    /// Whether a snapshot must stand before anything is taken; set before the start.
    var writesAtStart: Bool {
        get { isDueAtStart.load(ordering: .relaxed) }
        set { isDueAtStart.store(newValue, ordering: .relaxed) }
    }

    func start() throws {
        if writesAtStart {
            let first = try write()
            log.notice("snapshot of the state as it was taken up", metadata: ["position": "\(first.position)", "path": "\(first.path)"])
        }
        try thread.start("snapshots") { [self] in run() }
    }

    func stop() {
        thread.stop()
        if settings.onShutdown { writeFinal() }
        deadLetters.flush()
    }

    /// A start that failed has learned nothing: its snapshot would only push a good one out of those that are kept.
    func abandon() {
        thread.stop()
        deadLetters.flush()
    }

    private func run() {
        // What the timer counts from.
        var last = MonotonicClock.nanoseconds
        while !thread.isStopping {
            thread.sleep(milliseconds: 1000)
            sample()
            drift.look()
            deadLetters.flush()
            let isWanted = isWanted.exchange(false, ordering: .acquiringAndReleasing) || journal?.needsSnapshot ?? false
            let interval = settings.interval.nanoseconds
            guard isWanted || interval > 0 && MonotonicClock.nanoseconds - last >= Int64(clamping: interval) else { continue }
            // Nothing learned since the last one: another would say the same.
            if isWanted || newest?.position != engine.sequencer.lastPosition {
                do {
                    let snapshot = try write()
                    log.info("snapshot", metadata: ["position": "\(snapshot.position)", "bytes": "\(snapshot.bytes)"])
                } catch {
                    log.error("no snapshot; the one before stands, the next try comes with the timer: see to what the error names", metadata: ["error": "\(error)"])
                }
            }
            last = MonotonicClock.nanoseconds
        }
    }

    private func sample() {
        let sample = (MonotonicClock.nanoseconds, engine.sequencer.lastPosition)
        samples.withLock { samples in
            samples.append(sample)
            if samples.count > 6 { samples.removeFirst() }
        }
    }

    /// Asks for a snapshot as soon as can be, without waiting for it.
    func request() {
        isWanted.store(true, ordering: .releasing)
        thread.wake()
    }

    /// Writes a snapshot of this moment. Any thread but a receiver's or trainer's.
    func write() throws(PersistenceError) -> Written {
        do {
            let result = try store.withLock { store throws(PersistenceError) in
                store.retain(settings.keep)
                ingest.betweenBatches { _ in isCapturing.store(true, ordering: .releasing) }
                defer { isCapturing.store(false, ordering: .releasing) }
                return try capture(into: store)
            }
            written.add(1, ordering: .relaxed)
            last.withLock { $0 = result }
            return result
        } catch {
            failed.add(1, ordering: .relaxed)
            throw error
        }
    }
}

extension Ingest.Ledger {
    /// What of it a snapshot holds.
    var sections: [(name: String, bytes: [UInt8])] {
        var sections = [(name: Recovery.sourcesSection, bytes: sources)]
        if let journal { sections.append((Recovery.journalSection, withUnsafeBytes(of: journal.number.littleEndian) { Array($0) })) }
        return sections
    }
}
