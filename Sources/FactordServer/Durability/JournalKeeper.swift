import Factorization
import LinuxSystem
import Logging
import Persistence
import Synchronization

/// What a journal's record holds; a number that is never given another meaning.
enum JournalRecordKind: UInt8 {
    /// A batch as the sequencer took it, by `BatchEncoder`.
    case batch = 1
}

/// The journal and its thread: takes batches from who has the turn at `Ingest`, tells receivers when they are durable, and, where
/// the disk fails, says so, tries again on a timer, and has a snapshot taken once it heals.
///
/// **Eras.** Where the disk fails, records may be lost that were learned: those that no longer fit into memory, and those that came
/// while nothing could be appended. What was taken in an era and is in no durable record becomes durable with the first snapshot
/// of a later era.
final class JournalKeeper: Service {
    let name = "journal"
    let journal: Journal
    private let log: Logger
    private let writer = Lock<SystemThread?>(nil)
    private let watcher: ServiceThread
    /// Counts the times that the storage healed.
    private let era = Atomic<UInt64>(1)
    /// What was taken in eras before this one is in a snapshot.
    private let coveredEra = Atomic<UInt64>(1)
    private let degraded = Atomic<Bool>(false)
    /// Of the whole run.
    let failures = Atomic<Int>(0)
    /// Asked for once the storage has healed; set before anything starts.
    private let snapshotRequest = Lock<(@Sendable () -> Void)?>(nil)

    private static let retryNanoseconds: Int64 = 1_000_000_000

    /// The position of the state that the journal goes on from.
    private let recovered: UInt64

    init(_ journal: Journal, recovered: UInt64, log: Logger) throws(SystemError) {
        self.journal = journal
        self.recovered = recovered
        self.log = log
        watcher = try ServiceThread()
    }

    /// Has `body` called on the journal's watch when the storage has healed and what it missed must get into a snapshot.
    func onHealed(_ body: @escaping @Sendable () -> Void) { snapshotRequest.withLock { $0 = body } }

    /// Has a receiver woken when more is durable, or nothing can be.
    func wake(_ event: EventDescriptor) { journal.addListener(event) }

    // MARK: For who has the turn

    /// Waits until so many positions behind `position` may be given out (`Journal.reserve`). Degraded storage holds nobody up.
    func reserve(_ count: Int, after position: UInt64) {
        journal.reserve(aheadOf: position)
        // A ceiling that is lower than this is on its way up: half a block is more than a batch can take.
        while journal.reservedCeiling < position + UInt64(count), !isDegraded { MonotonicClock.sleep(microseconds: 100) }
    }

    /// Positions reserved at a time, at least, and at most for a fast stream. After a crash as many may be passed over, and what
    /// fades with positions fades by that; a smaller block means more writes to the disk.
    static let reservationBlock: UInt64 = 1 << 17, reservationLimit: UInt64 = 1 << 23

    /// Appends a record; waits where the journal's memory is full. Where nothing can be appended, the ticket says so.
    func append(_ kind: JournalRecordKind, _ payload: UnsafeRawBufferPointer, first: UInt64, last: UInt64) -> DurabilityTicket {
        let era = era.load(ordering: .acquiring)
        while !isDegraded {
            let number = journal.append(kind: kind.rawValue, firstPosition: first, lastPosition: last, payloadBytes: payload.count) {
                $0.copyMemory(from: payload)
            }
            if let number { return DurabilityTicket(number: number, era: era) }
            MonotonicClock.sleep(microseconds: 100)
        }
        return DurabilityTicket(number: .max, era: era)
    }

    /// Says that somebody waits for a ticket.
    func commit(_ ticket: DurabilityTicket) {
        if ticket.number < .max { journal.commit(through: ticket.number) }
    }

    /// Has the records from here on say that they are learned under other settings; returns when that is durable. In the turn, so
    /// that nobody appends meanwhile. Throws where the disk is sick; nothing has changed then.
    func change(configuration: [UInt8]) throws(PersistenceError) {
        var rounds = 0
        while !journal.says(configuration: configuration) {
            if case .degraded(let error) = journal.health {
                journal.withdrawConfiguration()
                // It may have come the moment before.
                if journal.says(configuration: configuration) { return }
                throw error
            }
            // Again, for a disk that failed and healed between two looks has forgotten it.
            if rounds % 200 == 0 { journal.beginSegment(configuration: configuration) }
            rounds += 1
            MonotonicClock.sleep(microseconds: 500)
        }
    }

    // MARK: For anyone

    /// Whether nothing can be made durable now.
    var isDegraded: Bool { degraded.load(ordering: .acquiring) || journal.health != .good }

    /// Why, in words; nil in good health.
    var fault: String? {
        guard case .degraded(let error) = journal.health else { return nil }
        return "\(error)"
    }

    enum TicketState { case durable, pending, lost }

    /// Whether what a ticket stands for is durable, can still become so, or, for now, cannot.
    func state(of ticket: DurabilityTicket) -> TicketState {
        if ticket.number == 0 || ticket.era < coveredEra.load(ordering: .acquiring) { return .durable }
        if ticket.number < .max, journal.isDurable(ticket.number) { return .durable }
        let isPast = ticket.era < era.load(ordering: .acquiring)
        return ticket.number == .max || isPast || isDegraded ? .lost : .pending
    }

    /// Every event up to this position is durable, save those that a disk fault took.
    var durablePosition: UInt64 { max(recovered, journal.durablePosition) }

    // MARK: Snapshots

    /// Where the journal stands while nobody has the turn: what a snapshot of this moment holds of it.
    struct Place: Sendable {
        /// The last record whose events are in the state.
        var number: UInt64
        fileprivate var era: UInt64
        fileprivate var isDegraded: Bool
    }

    var place: Place {
        let isDegraded = isDegraded
        // Records that the disk lost give their numbers to others after a restart.
        let number = isDegraded ? journal.durableNumber : journal.appendedNumber
        return Place(number: number, era: era.load(ordering: .acquiring), isDegraded: isDegraded)
    }

    /// Makes the journal durable up to a place: before a snapshot of it gets its name. Degraded storage is passed over, for a
    /// snapshot is then the only thing that lasts.
    func makeDurable(_ place: Place) throws(PersistenceError) {
        guard !place.isDegraded else { return }
        journal.commit(through: place.number)
        while !journal.isDurable(place.number), place.number > 0 {
            if place.era < era.load(ordering: .acquiring) { return }
            if case .degraded(let error) = journal.health { throw error }
            MonotonicClock.sleep(microseconds: 500)
        }
    }

    /// A snapshot of that place stands, and no retained one begins before `position`: what the journal holds up to there may go.
    func snapshotStands(_ place: Place, retainedFrom position: UInt64) {
        if !place.isDegraded { _ = coveredEra.max(place.era, ordering: .acquiringAndReleasing) }
        do throws(PersistenceError) {
            try journal.retire(through: position)
        } catch {
            log.error("old journal segments could not be removed and take space; it is tried again with the next snapshot: see to what the error names", metadata: ["error": "\(error)"])
        }
    }

    /// Whether something was learned that only a snapshot can make durable.
    var needsSnapshot: Bool { coveredEra.load(ordering: .acquiring) < era.load(ordering: .acquiring) && !isDegraded }

    // MARK: Service

    func start() throws {
        journal.addListener(watcher.wakeUp)
        let writing = try SystemThread(name: "journal", pulse: Pulse { [journal] in journal.rouse() }) { [journal] in journal.run() }
        writer.withLock { $0 = writing }
        try watcher.start("journal watch") { [self] in watch() }
    }

    /// Syncs and closes the journal; nobody may append any more.
    func stop() {
        watcher.stop()
        journal.stop()
        writer.withLock { $0 }?.join()
        if !journal.close() { log.error("the journal could not be closed in order; the next start checks all of it: see to its disk before", metadata: ["error": "\(fault ?? "")"]) }
    }

    /// Looks after the journal's health. A thread of its own, for the journal's may be held up by a sick disk.
    private func watch() {
        var retry = Int64.max
        while !watcher.isStopping {
            let rest = retry == .max ? 1000 : max(0, (retry - MonotonicClock.nanoseconds) / 1_000_000 + 1)
            watcher.sleep(milliseconds: Int(min(1000, rest)))
            let wasDegraded = degraded.load(ordering: .acquiring)
            if case .degraded(let error) = journal.health {
                if !wasDegraded {
                    degraded.store(true, ordering: .releasing)
                    failures.add(1, ordering: .relaxed)
                    log.error("degraded: storage; acknowledged and pull streams wait until it takes writes again: free space or mend the disk, no restart is needed", metadata: ["error": "\(error)"])
                    retry = MonotonicClock.nanoseconds + JournalKeeper.retryNanoseconds
                } else if MonotonicClock.nanoseconds >= retry {
                    retry = MonotonicClock.nanoseconds + JournalKeeper.retryNanoseconds
                    journal.tryToHeal()
                }
            } else if wasDegraded {
                // First the era, so that no ticket of the new health counts as one of the old.
                era.add(1, ordering: .acquiringAndReleasing)
                degraded.store(false, ordering: .releasing)
                retry = .max
                log.notice(
                    "the storage has healed; a snapshot is taken at once, and nothing is left to do",
                    metadata: ["holes": "\(journal.holes.map(\.description).joined(separator: "; "))"])
                snapshotRequest.withLock { $0 }?()
            }
        }
    }
}
