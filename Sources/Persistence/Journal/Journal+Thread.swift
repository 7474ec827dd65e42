internal import LinuxSystem
internal import Synchronization

/// What only the journal thread knows.
struct JournalWriterState {
    /// The segment that is being written; nil before the first and after a failure.
    var file: (any OpenFile)?
    /// Its id, its size so far, and where its records begin.
    var id: UInt32 = 0
    var offset: UInt64 = 0
    var start: UInt64 = 0
    /// How far the kernel was told to begin writing back.
    var writebackStart: UInt64 = 0

    /// Up to where records were written, are durable, and were given back to the appender.
    var written: JournalMark
    var durable: JournalMark
    var freed: JournalMark

    var nextID: UInt32
    /// When to sync because somebody waits, and when to write what nobody waits for (nanoseconds).
    var commitDue: Int64?
    var flushDue: Int64?
    /// The greatest `wanted` that a due time was set for.
    var wantedSeen: UInt64 = 0
    /// When the ceiling was raised last because it had come near.
    var ceilingRaised: Int64?

    init(last: JournalMark, nextID: UInt32) {
        written = last
        durable = last
        freed = last
        self.nextID = nextID
    }
}

extension Journal {
    /// The journal thread's work until `stop`: what was appended by then is written and synced before it returns.
    public func run() {
        while true {
            let stopping = stopWanted.load(ordering: .acquiring)
            let due = step(now: MonotonicClock.nanoseconds)
            if stopping {
                flush()
                return
            }
            isAsleep.store(true, ordering: .sequentiallyConsistent)
            atomicMemoryFence(ordering: .sequentiallyConsistent)
            if !hasWork {
                let rest = max(0, due - MonotonicClock.nanoseconds)
                wake.wait(timeoutMilliseconds: Int((rest + 999_999) / 1_000_000))
            }
            isAsleep.store(false, ordering: .sequentiallyConsistent)
            wake.drain()
        }
    }

    /// Ends `run`.
    public func stop() {
        stopWanted.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Has the thread make a turn, if it sleeps: how a watchdog asks whether it is there.
    public func rouse() { wake.signal() }

    /// Whether something came up that the last step did not see.
    private var hasWork: Bool {
        if stopWanted.load(ordering: .acquiring) || healWanted.load(ordering: .acquiring) { return true }
        if rotationWanted.load(ordering: .acquiring) { return true }
        if isDegraded.load(ordering: .acquiring) { return false }
        return wanted.load(ordering: .acquiring) > writer.wantedSeen || isFillingUp || ceilingIsLow
    }

    private var isFillingUp: Bool { tail.unwritten >= settings.writeThreshold }

    /// Does what is due at `now` (nanoseconds of a clock that never goes back): one turn of the journal thread.
    /// - Returns: when the next turn is due at the latest.
    @discardableResult
    public func step(now: Int64) -> Int64 {
        if healWanted.exchange(false, ordering: .acquiringAndReleasing) { heal() }
        if !isDegraded.load(ordering: .acquiring), ceilingIsLow { raiseCeiling(now: now) }
        if rotationWanted.exchange(false, ordering: .acquiringAndReleasing) { rotate() }
        let flushDue = writer.flushDue ?? now + settings.flushNanoseconds
        writer.flushDue = flushDue
        guard !isDegraded.load(ordering: .acquiring) else {
            writer.wantedSeen = wanted.load(ordering: .acquiring)
            return now + settings.flushNanoseconds
        }
        noticeWaiting(now: now)
        let isCommit = writer.commitDue.map { now >= $0 } ?? false
        let isFlush = now >= flushDue
        if isFlush { writer.flushDue = now + settings.flushNanoseconds }
        guard isCommit || isFlush || isFillingUp else { return min(flushDue, writer.commitDue ?? .max) }
        let syncs = isCommit || isFlush && settings.sync != .never
        if isCommit { writer.commitDue = nil }
        do throws(PersistenceError) {
            try writeOut()
            if syncs { try sync() }
        } catch {
            degrade(error)
        }
        if roomWanted.exchange(false, ordering: .acquiringAndReleasing) { notify() }
        // Who came while the disk worked is taken to wait since this turn's beginning.
        noticeWaiting(now: now)
        return min(writer.flushDue ?? .max, writer.commitDue ?? .max)
    }

    /// Sets the time of the next sync once somebody waits for what is not durable yet.
    private func noticeWaiting(now: Int64) {
        writer.wantedSeen = wanted.load(ordering: .sequentiallyConsistent)
        if writer.wantedSeen <= writer.durable.number {
            writer.commitDue = nil
        } else if writer.commitDue == nil {
            writer.commitDue = now + settings.groupCommitNanoseconds
        }
    }

    /// Writes and syncs all that was appended. Journal thread.
    func flush() {
        guard !isDegraded.load(ordering: .acquiring) else { return }
        do throws(PersistenceError) {
            try writeOut()
            try sync()
        } catch {
            degrade(error)
        }
    }

    /// The most bytes of one write: what is written can be given back that much sooner.
    private static let writeLimit = 1 << 20
    /// After how many bytes the kernel is told to begin writing back, so that a sync is short.
    private static let writebackStep: UInt64 = 4 << 20

    /// Hands all records that were appended by now to the file, in pieces of neighbours.
    func writeOut() throws(PersistenceError) {
        let end = tail.end
        while writer.written.counter < end {
            guard let piece = nextPiece(end: end) else {
                try startSegment()
                continue
            }
            guard let file = writer.file else { preconditionFailure("a journal in good health has a segment") }
            try system { () throws(SystemError) in try file.writeAll(piece.bytes) }
            writer.offset += UInt64(piece.bytes.count)
            writer.written = piece.mark
            tail.noteWritten(through: piece.mark.counter)
            written.store(piece.mark.number, ordering: .releasing)
            if writer.offset - writer.writebackStart >= Self.writebackStep {
                let start = writer.writebackStart
                let length = writer.offset - start
                try system { () throws(SystemError) in try file.startWriteback(offset: start, length: length) }
                // Read again at a start at most. Else a stream of a hundred megabytes a second fills the machine's memory with it, and
                // a page that a virtual machine never had costs ten times the copy into it; one just used lies in the processor's cache.
                file.dropCache(before: start)
                writer.writebackStart = writer.offset
            }
            // Kept until it is durable, so that a failing disk takes nothing; unless appenders need the room.
            if tail.used >= tail.capacity / 2 { freeWritten() }
        }
    }

    /// The next records that lie in one piece and fit the segment, made ready to be written. Nil when the first does not fit.
    private func nextPiece(end: UInt64) -> (bytes: UnsafeRawBufferPointer, mark: JournalMark)? {
        var mark = writer.written
        guard let first = tail.record(at: &mark.counter, end: end) else { preconditionFailure("no record before the tail's end") }
        var count = 0
        var place = first
        while true {
            let record = JournalRecordFields(place)
            let size = record.size
            let fits = writer.offset + UInt64(count + size) <= UInt64(settings.segmentBytes)
            // A record longer than a segment gets one of its own.
            guard fits || writer.offset == writer.start && count == 0 else { break }
            JournalRecordFields.finish(place, syncedThrough: writer.durable.number, segment: writer.id)
            mark = JournalMark(number: record.number, position: record.lastPosition, counter: mark.counter + UInt64(size))
            count += size
            guard count < Self.writeLimit, let next = tail.record(at: &mark.counter, end: end), next == first + count else { break }
            place = next
        }
        return count > 0 ? (UnsafeRawBufferPointer(start: first, count: count), mark) : nil
    }

    /// Makes all that was written durable, and says so.
    func sync() throws(PersistenceError) {
        guard let file = writer.file, writer.durable.number < writer.written.number else { return }
        let began = MonotonicClock.nanoseconds
        try system { () throws(SystemError) in try file.syncData() }
        syncTimes.record(microseconds: (MonotonicClock.nanoseconds - began) / 1000)
        writer.durable = writer.written
        freeWritten()
        durableLast.store(writer.durable.position, ordering: .releasing)
        durable.store(writer.durable.number, ordering: .releasing)
        notify()
    }

    private func freeWritten() {
        writer.freed = writer.written
        tail.free(through: writer.freed.counter)
    }
}
