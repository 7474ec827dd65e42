internal import LinuxSystem

/// Reads records in order, across segments, each one checked. It reads what was there when it was made: for recovery,
/// after `Journal.open`, or for a look from another process. It changes nothing and takes no lock.
///
/// Memory: 1 MiB, or the longest record. Threads: one at a time.
public final class JournalReader {
    /// Bytes that there are to read, reserved space included, and how many of them were read or passed over.
    public let totalBytes: UInt64
    public var readBytes: UInt64 { passedBytes + (cursor.map { min($0.offset, $0.segment.size) } ?? 0) }
    /// What the record that `next` returned was learned under; the caller's.
    public private(set) var configuration: [UInt8] = []
    /// Holes that were passed so far.
    public private(set) var holes: [JournalHole] = []

    private let directory: String
    private let fileSystem: any FileSystem
    private let position: UInt64
    private let firstNumber: UInt64
    private var segments: ArraySlice<JournalSegment>
    private var passedBytes: UInt64 = 0
    private var cursor: JournalSegmentCursor?
    private var reached: (number: UInt64, position: UInt64)

    /// Reads the records with a position after `position`, and those without positions at or after it, as far as their
    /// number is `number` or more.
    /// - Throws: `damaged` where a segment's header does not hold, `newerVersion`, `system`.
    public init(
        directory: String, after position: UInt64 = 0, from number: UInt64 = 0, fileSystem: any FileSystem = LinuxFileSystem()
    ) throws(PersistenceError) {
        let inventory = try JournalInventory(directory, fileSystem: fileSystem)
        if let fault = inventory.headerFault { throw fault }
        self.directory = directory
        self.fileSystem = fileSystem
        self.position = position
        firstNumber = number
        let all = inventory.segments
        // A segment is passed over when the one behind it begins where reading begins, or before.
        let skipped = zip(all, all.dropFirst()).prefix {
            $0.1.header.firstPosition <= position || $0.1.header.firstNumber <= number
        }.count
        segments = all[skipped...]
        totalBytes = segments.reduce(0) { $0 + $1.size }
        reached = segments.first.map { ($0.header.firstNumber - 1, $0.header.firstPosition - 1) } ?? (0, 0)
    }

    /// The next record, nil at the end. Throws `damaged` where a record that had been durable does not hold.
    public func next() throws(PersistenceError) -> JournalRecord? {
        while true {
            guard let cursor = try current() else { return nil }
            let limit = segments.dropFirst().first?.header.firstNumber ?? .max
            if cursor.nextNumber < limit {
                switch try cursor.next() {
                case .record(let header, let payload):
                    reached = (header.number, header.lastPosition)
                    if isWanted(header) { return JournalRecord(header: header, payload: payload) }
                    continue
                case .seal: continue
                case .end: try leave(cursor, flaw: nil)
                case .bad(let what): try leave(cursor, flaw: what)
                }
            } else {
                try leave(cursor, flaw: nil)
            }
        }
    }

    /// Hands each record that is left to `body`.
    public func forEach(
        _ body: (JournalRecord) throws(PersistenceError) -> Void
    ) throws(PersistenceError) {
        while let record = try next() { try body(record) }
    }

    private func isWanted(_ record: JournalRecordHeader) -> Bool {
        guard record.number >= firstNumber else { return false }
        // A record without positions stands between two events: whether a snapshot knows of it only the caller can say.
        return record.lastPosition < record.firstPosition ? record.lastPosition >= position : record.lastPosition > position
    }

    private func current() throws(PersistenceError) -> JournalSegmentCursor? {
        if let cursor { return cursor }
        guard let segment = segments.first else { return nil }
        let header = segment.header
        if let hole = JournalHole(after: reached, until: (header.firstNumber, header.firstPosition)) { holes.append(hole) }
        reached = (header.firstNumber - 1, header.firstPosition - 1)
        configuration = header.configuration
        cursor = try JournalSegmentCursor(segment, fileSystem: fileSystem)
        return cursor
    }

    /// Goes on to the next segment, if that is all right.
    private func leave(_ cursor: JournalSegmentCursor, flaw: String?) throws(PersistenceError) {
        let next = segments.dropFirst().first?.header
        let rest = flaw == nil ? 0 : try cursor.searchRest().durableThrough
        if max(rest, next?.durableThrough ?? 0) > reached.number {
            throw JournalDamage(
                segment: cursor.segment, offset: cursor.offset, what: flaw ?? "the segment ends", lastNumber: reached.number,
                lastPosition: reached.position
            ).error(directory: directory)
        }
        passedBytes += cursor.segment.size
        segments = segments.dropFirst()
        self.cursor = nil
    }
}
