import Glibc
import LinuxSystem
import Testing

@testable import Persistence

/// A segment says what its records are learned under; that changes between two records, while the journal goes on.
@Suite("Journal: what records are learned under")
struct JournalConfigurationTests {
    private static let new = Array("rank: 9".utf8)

    /// Numbers of records by what they say.
    private static func said(_ disk: MemoryFileSystem) throws -> [String: [UInt64]] {
        let reader = try JournalReader(directory: "j", fileSystem: disk)
        var found: [String: [UInt64]] = [:]
        while let record = try reader.next() { found[String(decoding: reader.configuration, as: UTF8.self), default: []].append(record.header.number) }
        return found
    }

    @Test("Every record stands in a segment that says what it was appended under, also behind a full or an empty one", arguments: [0, 1, 3, 700])
    func change(before: Int) throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk)
        bench.append(before, commit: false)
        #expect(bench.journal.says(configuration: Array("rank: 8".utf8)))
        for round in 0..<2 {
            let wanted = round == 0 ? Self.new : Array("rank: 10".utf8)
            bench.journal.beginSegment(configuration: wanted)
            #expect(!bench.journal.says(configuration: wanted))
            bench.turn()
            #expect(bench.journal.says(configuration: wanted))
        }
        bench.append(5)
        #expect(bench.journal.close())
        let found = try Self.said(disk)
        #expect(found["rank: 8"] ?? [] == (0..<before).map { UInt64($0) + 1 })
        #expect(found["rank: 10"] == (before..<before + 5).map { UInt64($0) + 1 })
        #expect(found["rank: 9"] == nil)
        // It opens again, and goes on.
        let next = try JournalBench(disk, configuration: "rank: 10")
        #expect(next.scan.lastNumber == UInt64(before + 5) && next.scan.holes.isEmpty)
        next.append(2)
        #expect(try Self.said(disk)["rank: 10"]?.count == 7)
    }

    @Test("Where the disk refuses the new segment nothing has changed; taken back, it does not come later")
    func refused() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk)
        bench.append(3)
        disk.setFaults(.init(failAt: 1, code: ENOSPC))
        bench.journal.beginSegment(configuration: Self.new)
        bench.turn()
        #expect(bench.journal.health != .good && !bench.journal.says(configuration: Self.new))
        bench.journal.withdrawConfiguration()
        bench.journal.tryToHeal()
        bench.turn()
        bench.journal.beginSegment()
        bench.append(3)
        #expect(bench.journal.health == .good)
        #expect(!bench.journal.says(configuration: Self.new))
    }
}
