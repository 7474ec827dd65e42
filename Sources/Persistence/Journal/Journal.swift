public import LinuxSystem
internal import Synchronization

/// Whether what is appended can still become durable.
public enum JournalHealth: Equatable, Sendable {
    case good
    /// The disk refused something. The file that was being written is given up for good (a second fsync of a file whose
    /// first one failed may lie), nothing more becomes durable, and `append` takes nothing, until `tryToHeal` succeeds.
    case degraded(PersistenceError)
}

/// Appends records to segment files, in groups, and says how far they are durable. `JournalFormat` has the files' form.
///
/// `append` copies a record into memory (bounded: `JournalSettings.tailBytes`) and wakes nobody; one journal thread, which belongs to
/// the caller and runs `run()` (or, in tests, `step`), writes and syncs. `commit` asks for a record to become durable
/// within the group-commit time.
///
/// Threads: `append` by one at a time, the sequencer's turn; `run`, `step` and `close` by one at a time, the journal
/// thread; all else by any thread. Nothing is allocated per record.
/// One process: the journal holds an advisory lock on `<directory>/.lock` as long as it lives.
public final class Journal: @unchecked Sendable {
    // Sendable by hand: each field below says who may touch it.

    /// Where the segments lie.
    public let directory: String
    public let settings: JournalSettings
    /// How long fdatasync took.
    public let syncTimes = DurationBuckets()
    let fileSystem: any FileSystem
    /// What the records are learned under; goes into each new segment. Journal thread only.
    var configuration: [UInt8]
    /// Given back by `close`.
    var lock: (any HeldLock)?

    /// Appender and journal thread, each its own end.
    let tail: JournalTail
    /// Appender's turn only: the next record's number, and the least position it may begin with.
    private var nextNumber: UInt64
    private var nextPosition: UInt64
    /// Journal thread only.
    var writer: JournalWriterState

    // Atomics: any thread reads, the named one stores.
    /// Appender.
    private let appended: Atomic<UInt64>
    /// Whoever waits: the greatest number asked for.
    let wanted = Atomic<UInt64>(0)
    /// Journal thread, all of them.
    let written: Atomic<UInt64>
    let durable: Atomic<UInt64>
    let durableLast: Atomic<UInt64>
    let ceiling = Atomic<UInt64>(0)
    /// Positions reserved at a time; journal thread.
    let block: Atomic<UInt64>
    let isDegraded = Atomic<Bool>(false)
    /// Whoever gives positions to events: the greatest one that is about to be used.
    let used: Atomic<UInt64>
    /// Appender sets it when it found no room; journal thread clears it.
    let roomWanted = Atomic<Bool>(false)
    /// Journal thread, before anything behind the first hole counts as durable.
    let hasHoles = Atomic<Bool>(false)
    /// Any thread sets, journal thread clears.
    let healWanted = Atomic<Bool>(false)
    let rotationWanted = Atomic<Bool>(false)
    let stopWanted = Atomic<Bool>(false)
    /// Journal thread: set while it sleeps or is about to. Cleared by who wakes it.
    let isAsleep = Atomic<Bool>(false)

    /// Wakes the journal thread.
    let wake: EventDescriptor
    let shared: Lock<JournalShared>

    init(
        directory: String, settings: JournalSettings, configuration: [UInt8], fileSystem: any FileSystem, lock: any HeldLock,
        scan: JournalScan, inventory: JournalInventory
    ) throws(PersistenceError) {
        self.directory = directory
        self.settings = settings
        self.configuration = configuration
        self.fileSystem = fileSystem
        self.lock = lock
        wake = try system { () throws(SystemError) in try EventDescriptor() }
        tail = JournalTail(capacity: settings.tailBytes)
        nextNumber = scan.lastNumber + 1
        nextPosition = scan.lastPosition + 1
        appended = Atomic(scan.lastNumber)
        written = Atomic(scan.lastNumber)
        durable = Atomic(scan.lastNumber)
        durableLast = Atomic(scan.lastPosition)
        used = Atomic(scan.positionFloor)
        block = Atomic(settings.reservationBlock)
        writer = JournalWriterState(
            last: JournalMark(number: scan.lastNumber, position: scan.lastPosition, counter: 0), nextID: inventory.greatestID + 1)
        shared = Lock(JournalShared(segments: inventory.segments, saidConfiguration: configuration))
    }

    /// Adds a record. `fill` writes exactly `payloadBytes` bytes (at most `settings.payloadLimit`) into the memory it is given.
    ///
    /// Positions go up: `firstPosition` (from 1) is above every position of earlier records; `lastPosition` is
    /// `firstPosition - 1` where the record takes none.
    /// - Returns: the record's number; nil when memory is full or storage is degraded. Then nothing was added; a
    ///   progress listener is signalled when it may be tried again.
    public func append(
        kind: UInt8, firstPosition: UInt64, lastPosition: UInt64, payloadBytes: Int, fill: (UnsafeMutableRawBufferPointer) -> Void
    ) -> UInt64? {
        precondition(payloadBytes >= 0 && payloadBytes <= settings.payloadLimit, "a journal record longer than half the journal's memory")
        precondition(firstPosition >= nextPosition && lastPosition >= firstPosition - 1, "journal positions that go back")
        precondition(lastPosition - (firstPosition - 1) <= UInt64(UInt32.max), "a journal record of too many positions")
        let size = JournalFormat.recordSize(payload: payloadBytes)
        guard !isDegraded.load(ordering: .relaxed), let place = placeOrAskForRoom(size) else { return nil }
        let number = nextNumber
        JournalRecordFields.begin(
            place, payloadLength: payloadBytes, number: number, firstPosition: firstPosition,
            positions: UInt32(lastPosition - (firstPosition - 1)), kind: kind)
        fill(UnsafeMutableRawBufferPointer(start: place + JournalFormat.recordHeaderSize, count: payloadBytes))
        tail.publish(size)
        nextNumber = number + 1
        nextPosition = lastPosition + 1
        appended.store(number, ordering: .releasing)
        if settings.sync == .always {
            commit(through: number)
        } else if tail.unwritten >= settings.writeThreshold {
            // Not by what memory holds: that is kept long after it was written, and each append would wake the thread for nothing.
            wakeIfAsleep()
        }
        return number
    }

    private func placeOrAskForRoom(_ size: Int) -> UnsafeMutableRawPointer? {
        if let place = tail.place(size) { return place }
        // Asked for before the second look: room that is made after it is announced.
        roomWanted.store(true, ordering: .sequentiallyConsistent)
        wakeIfAsleep()
        return tail.place(size)
    }

    /// Says that somebody waits for the record of that number: it becomes durable within the group-commit time and the
    /// disk's own. Returns at once; `isDurable` tells.
    public func commit(through number: UInt64) {
        let number = min(number, appended.load(ordering: .acquiring))
        let before = wanted.max(number, ordering: .sequentiallyConsistent).oldValue
        if before < number { wakeIfAsleep() }
    }

    /// The number of the last record that was appended.
    public var appendedNumber: UInt64 { appended.load(ordering: .acquiring) }
    /// The last record that was handed to the operating system: safe from a crash of the process, not of the machine.
    public var writtenNumber: UInt64 { written.load(ordering: .acquiring) }
    /// The last record that is durable. After a fault that was healed, records in `holes` are not, though below it: ask `isDurable`.
    public var durableNumber: UInt64 { durable.load(ordering: .acquiring) }
    /// The greatest position of durable records; read after `durableNumber` it is at least that record's.
    public var durablePosition: UInt64 { durableLast.load(ordering: .acquiring) }

    /// Whether that record is durable.
    public func isDurable(_ number: UInt64) -> Bool {
        guard durable.load(ordering: .acquiring) >= number else { return false }
        guard hasHoles.load(ordering: .acquiring) else { return true }
        return !shared.withLock { state in state.holes.contains { $0.numbers.contains(number) } }
    }

    /// What disk faults took since the journal was opened, oldest first. Complete when `health` is good.
    public var holes: [JournalHole] { shared.withLock { $0.holes } }

    /// Whether records can become durable, and if not, why.
    public var health: JournalHealth {
        guard isDegraded.load(ordering: .acquiring) else { return .good }
        return shared.withLock { $0.failure.map { .degraded($0) } ?? .good }
    }

    /// Signals `listener` whenever more is durable, health changes, the ceiling rises, or there is room after `append` found none.
    public func addListener(_ listener: EventDescriptor) { shared.withLock { $0.listeners.append(listener) } }

    /// Ends what `addListener` began.
    public func removeListener(_ listener: EventDescriptor) { shared.withLock { $0.listeners.removeAll { $0 === listener } } }

    func notify() { shared.withLock { for listener in $0.listeners { listener.signal() } } }

    func wakeIfAsleep() {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        // Once: until it runs it need not be told again.
        if isAsleep.load(ordering: .sequentiallyConsistent), isAsleep.exchange(false, ordering: .sequentiallyConsistent) { wake.signal() }
    }
}

/// What several threads see of a journal, under a lock; never on the path of a record.
struct JournalShared {
    /// All segments, the current one last.
    var segments: [JournalSegment]
    var failure: PersistenceError?
    var holes: [JournalHole] = []
    var listeners: [EventDescriptor] = []
    /// What the next segment is to say, once that was asked for; and what the newest says.
    var wantedConfiguration: [UInt8]?
    var saidConfiguration: [UInt8]
}

/// A place between two records.
struct JournalMark {
    /// The last record before, and the greatest position.
    var number: UInt64
    var position: UInt64
    /// Where the next record begins, in `JournalTail`'s count.
    var counter: UInt64
}
