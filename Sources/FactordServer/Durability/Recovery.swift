import Factorization
import LinuxSystem
import Logging
import Persistence

/// The state that a daemon begins with.
struct RecoveredState {
    var engine: Engine
    /// What acknowledged streams have taken.
    var sources: SourceTable
    /// Open for appending; nil where there is to be none.
    var journal: Journal?
    /// Whether a snapshot must stand before anything is taken: settings have changed, or the journal is of no use for this state.
    var needsSnapshot: Bool
    /// Whether so much of the journal was replayed that the next start should find a newer snapshot: a process that is killed again
    /// and again before its timer would else take ever longer to start.
    var wasLong: Bool
}

/// Takes up the newest good snapshot, and then what the journal holds beyond it, each under the settings under which it was
/// learned; what comes out is brought under the present ones.
///
/// Replaying a record is giving its batch to the sequencer again. It gives the same positions; where it does not, state and journal
/// do not belong together, and the start is refused.
final class Recovery {
    private let configuration: Configuration
    private let store: SnapshotStore
    private let log: Logger
    private let progress: RecoveryProgress
    /// The present settings.
    private let wanted: String

    private var engine: Engine
    private var sources: SourceTable
    /// The settings of `engine`.
    private var text: String
    /// The last journal record in the snapshot.
    private var snapshotNumber: UInt64 = 0
    private var snapshotPosition: UInt64 = 0
    private var replayNanoseconds: Int64 = 0
    private static let longReplay: Int64 = 1_000_000_000

    static let sourcesSection = "sources", journalSection = "journal"

    init(_ configuration: Configuration, store: SnapshotStore, notifier: ServiceNotifier, log: Logger) {
        self.configuration = configuration
        self.store = store
        self.log = log
        progress = RecoveryProgress(notifier: notifier, log: log)
        wanted = LearningConfiguration.text(configuration)
        text = wanted
        engine = Engine(settings: configuration.engineSettings)
        sources = SourceTable(limit: configuration.state.sources)
    }

    func run() throws -> RecoveredState {
        try takeUpSnapshot()
        let settings = configuration.state.journal.settings
        var journal: Journal?
        var needsSnapshot = false
        var floor: UInt64 = 0
        if configuration.state.journal.enabled || Recovery.holdsSegments(configuration.state.journal.directory) {
            let opened = try Journal.open(
                directory: configuration.state.journal.directory, settings: settings, configuration: Array(wanted.utf8),
                verifyAfter: snapshotPosition)
            let scan = opened.scan
            tell(scan)
            floor = scan.positionFloor
            try replay(opened.journal, scan)
            // Records of a journal made anew have numbers that the snapshot knows as its own.
            needsSnapshot = scan.lastNumber < snapshotNumber
            journal = configuration.state.journal.enabled ? opened.journal : nil
            if journal == nil {
                needsSnapshot = scan.lastNumber > 0
                _ = opened.journal.close(lastPosition: engine.sequencer.lastPosition)
            }
        }
        settleWindow()
        if text != wanted {
            log.notice("settings have changed since the last run: from here on it learns by the new ones", metadata: ["now": "\(LearningConfiguration.changes(from: text, to: wanted).joined(separator: ", "))"])
            try change(to: wanted, configuration)
            needsSnapshot = true
        }
        passOver(to: floor)
        return RecoveredState(
            engine: engine, sources: sources, journal: journal, needsSnapshot: needsSnapshot,
            wasLong: replayNanoseconds > Recovery.longReplay)
    }

    /// No position names two events: those that the crashed process may have given out and told are not given out again.
    private func passOver(to floor: UInt64) {
        let last = engine.sequencer.lastPosition
        guard floor > last else { return }
        log.notice("positions are left out, for answers may have named them", metadata: ["from": "\(last + 1)", "to": "\(floor)"])
        engine.sequencer.skip(to: floor)
    }

    // MARK: The snapshot

    /// Newest good snapshot into the engine; each one that is passed over is reported.
    private func takeUpSnapshot() throws {
        let newest = try store.openNewestValid()
        for skipped in newest.skipped { log.error("a snapshot was passed over, for it cannot be used; an older one and the journal stand for it. Keep the file: `factorctl snapshot verify` says what is wrong with it", metadata: ["snapshot": "\(skipped)"]) }
        guard let reader = newest.reader else {
            let note = newest.skipped.isEmpty ? "no snapshot yet" : "no usable snapshot"
            return log.notice("\(note)", metadata: ["directory": "\(store.directory)"])
        }
        let start = MonotonicClock.nanoseconds
        progress.tell("reading \(reader.path)")
        do {
            try LastingSettings.check(configuration.lastingSettings, against: reader)
            if let saved = try reader.text(LearningConfiguration.section), saved != text {
                let configuration = try LearningConfiguration.load(saved, from: reader.path)
                engine = Engine(settings: engineSettings(configuration))
                text = saved
            }
            try engine.restore(from: SnapshotSource(reader: reader))
            try restoreJournalPlace(reader)
        } catch let error as StateError {
            throw StartError(file: reader.path, cause: error, directory: configuration.state.directory)
        }
        snapshotPosition = engine.sequencer.lastPosition
        log.notice(
            "state taken up",
            metadata: [
                "position": "\(engine.appliedPosition)", "users": "\(engine.users.count)", "items": "\(engine.items.count)",
                "milliseconds": "\((MonotonicClock.nanoseconds - start) / 1_000_000)", "path": "\(reader.path)",
            ])
    }

    private func restoreJournalPlace(_ reader: SnapshotReader) throws {
        if let bytes = try reader.bytes(Recovery.journalSection) {
            guard bytes.count == 8 else { throw StateError.damaged(section: Recovery.journalSection) }
            snapshotNumber = bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        if let bytes = try reader.bytes(Recovery.sourcesSection) {
            guard let saved = SourceTable(bytes, limit: configuration.state.sources) else {
                throw StateError.damaged(section: Recovery.sourcesSection)
            }
            sources = saved
        }
    }

    /// Settings of another time, with as many trainers as there are now.
    private func engineSettings(_ saved: Configuration) -> EngineSettings {
        var settings = saved.engineSettings
        settings.trainers = configuration.threads.trainers
        return settings
    }

    // MARK: The journal

    private static func holdsSegments(_ directory: String) -> Bool {
        ((try? Directory.list(directory)) ?? []).contains { $0.hasPrefix("journal-") }
    }

    private func tell(_ scan: JournalScan) {
        if let tail = scan.tornTail {
            log.notice("the journal's torn tail was cut", metadata: ["file": "\(tail.file)", "offset": "\(tail.offset)", "what": "\(tail.what)"])
        }
        for hole in scan.holes where hole.positions.map({ $0.upperBound > snapshotPosition }) ?? false {
            log.error("a disk fault has left a hole in the journal; who was not answered sends again, and what others sent then is lost", metadata: ["hole": "\(hole)"])
        }
    }

    private func replay(_ journal: Journal, _ scan: JournalScan) throws {
        guard scan.lastPosition > snapshotPosition || scan.lastNumber > snapshotNumber else { return }
        if scan.firstPosition > snapshotPosition + 1 {
            throw RecoveryError.missing(from: snapshotPosition + 1, to: scan.firstPosition - 1, directory: journal.directory)
        }
        let start = MonotonicClock.nanoseconds
        let reader = try JournalReader(directory: journal.directory, after: snapshotPosition)
        var replayer: Replayer?
        var records = 0
        while let record = try reader.next() {
            let header = record.header
            let takesNone = header.lastPosition < header.firstPosition
            // The snapshot has what comes before its position. Records without positions stand at that of the next one.
            guard header.firstPosition > snapshotPosition,
                !(takesNone && header.firstPosition == snapshotPosition + 1 && header.number <= snapshotNumber)
            else { continue }
            let settings = String(decoding: reader.configuration, as: UTF8.self)
            if settings != text {
                replayer?.finish(&sources)
                replayer = nil
                try change(to: settings, try LearningConfiguration.load(settings, from: journal.directory))
            }
            if replayer == nil { replayer = try Replayer(engine, sources: sources) }
            try replayer?.take(record, directory: journal.directory)
            records += 1
            progress.look {
                let done = max(self.engine.appliedPosition, self.snapshotPosition) - self.snapshotPosition
                let all = max(1, max(scan.lastPosition, self.snapshotPosition) - self.snapshotPosition)
                return "position \(self.engine.appliedPosition) of \(scan.lastPosition), \(done * 100 / all) %"
            }
        }
        replayer?.finish(&sources)
        replayNanoseconds = MonotonicClock.nanoseconds - start
        guard records > 0 else { return }
        log.notice(
            "journal replayed",
            metadata: [
                "records": "\(records)", "position": "\(engine.appliedPosition)",
                "milliseconds": "\(replayNanoseconds / 1_000_000)",
            ])
    }

    /// A snapshot that was written while the stream went on wants the stream again, to the end of its window.
    private func settleWindow() {
        guard let end = engine.windowEnd else { return }
        log.error(
            "the journal ends before the snapshot does: what is learned between is kept as it was caught, and proof in stats may not hold for it; nothing to do, but keep journal and snapshots on one disk",
            metadata: ["from": "\(engine.sequencer.lastPosition + 1)", "to": "\(end)"])
        engine.abandonWindow()
    }

    /// Brings the state into an engine of other settings, through an image in memory.
    private func change(to settings: String, _ configuration: Configuration) throws {
        let old = try LearningConfiguration.load(text, from: store.directory)
        do throws(StateError) {
            try LastingSettings.check(configuration.lastingSettings, against: old.lastingSettings)
        } catch {
            throw StartError(file: store.directory, cause: error, directory: self.configuration.state.directory)
        }
        settleWindow()
        let next = Engine(settings: engineSettings(configuration))
        if engine.sequencer.lastPosition > 0 || engine.users.count + engine.items.count > 0 {
            do {
                try next.restore(from: ImageSource(engine.capture()))
            } catch let error as StateError {
                throw StartError(file: store.directory, cause: error, directory: self.configuration.state.directory)
            }
        }
        if let table = SourceTable(sources.encoded(), limit: configuration.state.sources) { sources = table }
        engine = next
        text = settings
    }
}

/// State and journal do not fit together.
enum RecoveryError: Error, CustomStringConvertible {
    /// The journal begins too late for the newest usable snapshot.
    case missing(from: UInt64, to: UInt64, directory: String)
    /// A record gave other positions than when it was written.
    case diverged(record: UInt64, position: UInt64, expected: UInt64, directory: String)
    /// A record is not what this program writes.
    case unreadable(record: UInt64, position: UInt64, reason: String, directory: String)

    var description: String {
        switch self {
        case .missing(let from, let to, let directory):
            "\(directory): positions \(from) to \(to) are in no usable snapshot and in no segment; "
                + "put the missing files back, or move the journal aside to go on without what it holds"
        case .diverged(let record, let position, let expected, let directory):
            "\(directory): record \(record) ends at position \(position) and not at \(expected) as it did when it was written: the "
                + "snapshot, the settings or this program are not those that it belongs to; put them back, or move the journal aside"
        case .unreadable(let record, let position, let reason, let directory):
            "\(directory): record \(record) at position \(position) cannot be read: \(reason)"
        }
    }
}
