internal import LinuxSystem

/// What lies in a journal's directory, segments oldest first. Used to open, to read, and to repair.
struct JournalInventory {
    /// The segments up to the first one whose header does not hold.
    private(set) var segments: [JournalSegment] = []
    /// From that one on; empty where all is well.
    private(set) var unread: [String] = []
    private(set) var headerFault: PersistenceError?
    /// The durable ceiling of positions, 0 where there is none.
    private(set) var ceiling: UInt64 = 0
    /// What an attempt to make a segment left.
    private(set) var temporaries: [String] = []
    private(set) var greatestID: UInt32 = 0

    init(_ directory: String, fileSystem: any FileSystem) throws(PersistenceError) {
        var found: [(id: UInt32, name: String)] = []
        for name in try system({ () throws(SystemError) in try fileSystem.list(directory) }) {
            if let parsed = JournalName.parseSegment(name) { found.append((parsed.id, name)) }
            if JournalName.isTemporary(name) { temporaries.append(name) }
            if let position = JournalName.parseCeiling(name) { ceiling = max(ceiling, position) }
        }
        found.sort { $0.id < $1.id }
        greatestID = found.last?.id ?? 0
        for (index, entry) in found.enumerated() {
            do throws(PersistenceError) {
                segments.append(try JournalSegment("\(directory)/\(entry.name)", name: entry.name, fileSystem: fileSystem))
            } catch .damaged(let file, let offset, let what) {
                headerFault = .damaged(file: file, offset: offset, what: "\(what). \(JournalDamage.advice(directory))")
                unread = found[index...].map(\.name)
                return
            }
        }
    }
}

/// Reads through a journal's segments, and tells a torn tail and a known hole from damage by `JournalFormat`'s rules.
struct JournalScanner {
    /// How a segment that was read ends.
    struct End {
        /// Behind the last record.
        var offset: UInt64
        /// Whether it has records.
        var hasRecords: Bool
    }

    private(set) var scan = JournalScan()
    /// Of each segment; nil for those whose records were not read.
    private(set) var ends: [End?] = []
    private(set) var damage: JournalDamage?

    /// The last record so far that counts, and the greatest position.
    private var reached: (number: UInt64, position: UInt64) = (0, 0)
    private let fileSystem: any FileSystem
    private let progress: ReadProgress
    private let total: UInt64
    /// In the segments before the one that is being read.
    private var passed: UInt64 = 0

    /// Reads all segments from the one on that may hold records after `position`; of those before only headers count.
    init(
        _ inventory: JournalInventory, after position: UInt64, fileSystem: any FileSystem, progress: @escaping ReadProgress = { _, _ in }
    ) throws(PersistenceError) {
        self.fileSystem = fileSystem
        self.progress = progress
        total = inventory.segments.reduce(0) { $0 + $1.size }
        scan.reservedCeiling = inventory.ceiling
        scan.segments = inventory.segments.count
        if let first = inventory.segments.first?.header {
            scan.firstNumber = first.firstNumber
            scan.firstPosition = first.firstPosition
            reached = (first.firstNumber - 1, first.firstPosition - 1)
        }
        for (index, segment) in inventory.segments.enumerated() where damage == nil {
            let next = index + 1 < inventory.segments.count ? inventory.segments[index + 1].header : nil
            try enter(segment)
            if damage != nil { break }
            if let next, next.firstPosition <= position {
                reached = (next.firstNumber - 1, next.firstPosition - 1)
                ends.append(nil)
            } else {
                try read(segment, before: next)
            }
            passed += segment.size
        }
        scan.lastNumber = reached.number
        scan.lastPosition = reached.position
    }

    private mutating func enter(_ segment: JournalSegment) throws(PersistenceError) {
        let header = segment.header
        scan.configuration = header.configuration
        guard header.firstNumber > reached.number, header.firstPosition > reached.position else {
            damage = JournalDamage(
                segment: segment, offset: 0, what: "the segment begins before the one before it ends",
                lastNumber: reached.number, lastPosition: reached.position)
            return
        }
        if let hole = JournalHole(after: reached, until: (header.firstNumber, header.firstPosition)) { scan.holes.append(hole) }
        reached = (header.firstNumber - 1, header.firstPosition - 1)
    }

    private mutating func read(_ segment: JournalSegment, before next: JournalSegmentHeader?) throws(PersistenceError) {
        let cursor = try JournalSegmentCursor(segment, fileSystem: fileSystem)
        var flaw: String?
        reading: while cursor.nextNumber < next?.firstNumber ?? .max {
            switch try cursor.next() {
            case .record(let record, _):
                reached = (record.number, record.lastPosition)
                progress(passed + cursor.offset, total)
            case .seal: break
            case .end:
                // A blank where a record should be, and something after it: the disk lost a write and kept a later one.
                if try !cursor.isZero(from: cursor.offset) { flaw = "nothing lies" }
                break reading
            case .bad(let reason):
                flaw = reason
                break reading
            }
        }
        scan.bytes += cursor.offset - segment.start
        ends.append(End(offset: cursor.offset, hasRecords: cursor.nextNumber > segment.header.firstNumber))
        let rest = flaw == nil ? 0 : try cursor.searchRest().durableThrough
        if max(rest, next?.durableThrough ?? 0) > reached.number {
            damage = JournalDamage(
                segment: segment, offset: cursor.offset, what: flaw ?? "the segment ends", lastNumber: reached.number,
                lastPosition: reached.position)
        } else if next == nil {
            scan.tornTail = flaw.map { JournalTornTail(file: segment.path, offset: cursor.offset, what: $0) }
            scan.wasClosed = cursor.isSealed && flaw == nil
        }
    }
}

/// Why a journal cannot be used as it is: where it must be cut.
struct JournalDamage {
    var segment: JournalSegment
    /// 0 where the whole segment is to go.
    var offset: UInt64
    var what: String
    /// The last record before, and the greatest position.
    var lastNumber: UInt64
    var lastPosition: UInt64

    func error(directory: String) -> PersistenceError {
        .damaged(
            file: segment.path, offset: offset,
            what: "\(what) where record \(lastNumber + 1) was, from position \(lastPosition + 1) on, which had been durable. "
                + Self.advice(directory))
    }

    static func advice(_ directory: String) -> String {
        "Run `factorctl journal repair \(directory)`: it cuts the journal there, keeps what it cuts in \(directory)/quarantine, "
            + "and says which positions are lost"
    }
}
