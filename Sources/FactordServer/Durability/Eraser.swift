import Factorization
import LinuxSystem
import Persistence

/// Forgets a user or an item on request, and erases what files still hold of it. Belongs to the admin socket's thread.
final class Eraser {
    /// Files and lines that went.
    struct Erased {
        var snapshots = 0
        var segments = 0
        var deadLetters = 0
        var explorations = 0
    }

    let ids: IdPolicy
    let hashing: KeyHash
    private let engine: Engine
    private let ingest: Ingest
    private let journal: JournalKeeper?
    private let keeper: SnapshotKeeper
    private let deadLetters: DeadLetterFile
    private let explorations: ExplorationLog?
    private let batch = EventBatch(recordCapacity: 1, featureCapacity: 1, textCapacity: Key.longestText, messageCapacity: 1)

    /// What the journal's thread may take to begin a segment.
    private static let patienceNanoseconds: Int64 = 10_000_000_000

    init(
        engine: Engine, ids: IdPolicy, ingest: Ingest, journal: JournalKeeper?, keeper: SnapshotKeeper, deadLetters: DeadLetterFile,
        explorations: ExplorationLog?
    ) {
        self.engine = engine
        self.ids = ids
        hashing = engine.hashing
        self.ingest = ingest
        self.journal = journal
        self.keeper = keeper
        self.deadLetters = deadLetters
        self.explorations = explorations
    }

    /// Takes the forgetting as an event like any other; answers the position up to which it is in.
    func forget(_ key: Key, isUser: Bool) -> UInt64 {
        batch.reset()
        var own = key
        // A key borrows its text, and what the journal encodes must lie in the batch.
        if key.isText, let range = batch.copyText(key.text) { own = Key(text: batch.text(range), hashing: hashing) }
        let none = Key(integer: 0, hashing: hashing)
        _ = batch.append(EventRecord(kind: isUser ? .forgetUser : .forgetItem, user: isUser ? own : none, item: isUser ? none : own))
        _ = ingest.take(batch)
        return engine.sequencer.lastPosition
    }

    /// Leaves no file that names an id that was forgotten: a snapshot without it takes the place of all older ones and of the journal
    /// so far, and dead letters and
    /// explored lists lose the lines that may hold it.
    func erase(_ key: Key) throws(PersistenceError) -> Erased {
        var erased = Erased()
        if let journal { try beginSegment(journal.journal) }
        _ = try keeper.write()
        let oldest = try keeper.store.withLock { store throws(PersistenceError) -> UInt64? in
            erased.snapshots = try store.removeAllButNewest()
            return try store.list().last?.position
        }
        // The segment was begun before the snapshot: all that lies before it is in the snapshot, records without positions too.
        if let journal, let oldest {
            erased.segments = try journal.journal.retire(through: oldest + 1) + journal.journal.removeQuarantine()
        }
        let word = key.isText ? Array(key.text) : Array("\(Int64(bitPattern: key.payload))".utf8)
        erased.deadLetters = try deadLetters.removeLines(holding: word)
        erased.explorations = try explorations?.removeLines(holding: word) ?? 0
        return erased
    }

    private func beginSegment(_ journal: Journal) throws(PersistenceError) {
        let last = journal.appendedNumber
        journal.beginSegment()
        let deadline = MonotonicClock.nanoseconds + Eraser.patienceNanoseconds
        while !journal.beginsAfter(last) {
            if case .degraded(let error) = journal.health { throw error }
            guard MonotonicClock.nanoseconds < deadline else {
                throw .contentRefused(file: journal.directory, reason: "the journal's thread does not answer; try again")
            }
            MonotonicClock.sleep(microseconds: 1000)
        }
    }
}
