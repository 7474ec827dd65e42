import LinuxSystem
import Testing

@testable import Persistence

/// A journal that tests drive step by step, with a clock of their own, and what it was told.
final class JournalBench {
    let journal: Journal
    let scan: JournalScan
    private(set) var now: Int64 = 1_000_000_000
    private(set) var position: UInt64

    static let settings = JournalSettings(segmentBytes: 16 << 10, tailBytes: 8 << 10, reservationBlock: 1 << 20)

    init(
        _ disk: any FileSystem, directory: String = "j", settings: JournalSettings = JournalBench.settings, configuration: String = "rank: 8"
    ) throws(PersistenceError) {
        (journal, scan) = try Journal.open(
            directory: directory, settings: settings, configuration: Array(configuration.utf8), fileSystem: disk)
        position = scan.positionFloor
    }

    /// What record `number` holds: follows from its number, so that a reader can tell.
    static func payload(_ number: UInt64) -> [UInt8] { payloads[Int(number) % payloads.count] }

    private static let payloads: [[UInt8]] = (0..<997).map { number in
        var random = SeededRandom(UInt64(number))
        return random.bytes(number * 7 % 90)
    }

    /// How many positions record `number` takes.
    static func positions(_ number: UInt64) -> UInt64 { number % 4 }

    /// Appends the next record; nil where the journal does not take it.
    @discardableResult
    func append() -> UInt64? {
        let number = journal.appendedNumber + 1
        let bytes = Self.payload(number)
        let last = position + Self.positions(number)
        let given = journal.append(
            kind: UInt8(number % 200), firstPosition: position + 1, lastPosition: last, payloadBytes: bytes.count
        ) { $0.copyBytes(from: bytes) }
        if let given {
            #expect(given == number)
            position = last
        }
        return given
    }

    /// Appends that many, committing at the end, with turns of the journal thread where memory is full.
    func append(_ count: Int, commit: Bool = true) {
        for _ in 0..<count where append() == nil {
            turn()
            append()
        }
        if commit { self.commit() }
    }

    /// Waits for all that was appended: a turn that notices, and one past the group-commit time.
    func commit() {
        journal.commit(through: journal.appendedNumber)
        turn()
        turn(after: journal.settings.groupCommitNanoseconds)
    }

    func turn(after nanoseconds: Int64 = 0) {
        now += nanoseconds
        journal.step(now: now)
    }
}

/// What a journal holds, each record checked against what `JournalBench` wrote. Numbers and positions.
func journalRecords(
    _ disk: any FileSystem, directory: String = "j", after position: UInt64 = 0, from number: UInt64 = 0
) throws(PersistenceError) -> [JournalRecordHeader] {
    let reader = try JournalReader(directory: directory, after: position, from: number, fileSystem: disk)
    var found: [JournalRecordHeader] = []
    while let record = try reader.next() {
        let number = record.header.number
        if Array(record.payload) != JournalBench.payload(number) { Issue.record("record \(number) holds other bytes") }
        if record.header.lastPosition - (record.header.firstPosition - 1) != JournalBench.positions(number) {
            Issue.record("record \(number) has other positions")
        }
        found.append(record.header)
    }
    return found
}

extension MemoryFileSystem {
    /// The journal's segment files, oldest first.
    var segments: [String] { names.filter { $0.hasPrefix("j/journal-") }.sorted { $0.suffix(18) < $1.suffix(18) } }
}
