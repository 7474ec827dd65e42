import LinuxSystem
import Testing

@testable import Persistence

@Suite("Journal format")
struct JournalFormatTests {
    private static let name = "j/journal-00000000000000000001-0000000001.factord"

    /// Segment 1 from record 1, configuration "hi"; record 1 of kind 7 with positions 1 and 2 and payload "hello"; a seal.
    /// Computed from the byte table by another program. It must stay readable for ever.
    static let golden: [UInt8] = {
        let header =
            "464143544a524e00010000000403020100100000010000000100000000000000010000000000000000000000"
            + "00000000020000006869"
        let record =
            "15006f6705000000010000000000000001000000000000000000000000000000020000000700000068656c6c6f000000"
        let seal = "46e33d68000000000100000000000000030000000000000001000000000000000000000000010000"
        let padding = [UInt8](repeating: 0, count: 4092 - header.utf8.count / 2)
        return SnapshotFormatTests.bytes(header) + padding + SnapshotFormatTests.bytes("d8f3c15a")
            + SnapshotFormatTests.bytes(record) + SnapshotFormatTests.bytes(seal)
    }()

    @Test("writes the golden bytes")
    func writes() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk, configuration: "hi")
        let hello = Array("hello".utf8)
        #expect(bench.journal.append(kind: 7, firstPosition: 1, lastPosition: 2, payloadBytes: 5) { $0.copyBytes(from: hello) } == 1)
        #expect(bench.journal.close())
        #expect(disk.content(Self.name) == Self.golden)
        #expect(disk.names == [Self.name, "j/ceiling-00000000000000000002"])
    }

    @Test("reads the golden bytes")
    func reads() throws {
        let disk = MemoryFileSystem()
        disk.setContent(Self.name, Self.golden)
        let reader = try JournalReader(directory: "j", fileSystem: disk)
        let record = try #require(try reader.next())
        #expect(record.header == JournalRecordHeader(number: 1, firstPosition: 1, lastPosition: 2, kind: 7))
        #expect(record.payload.elementsEqual("hello".utf8) && reader.configuration == Array("hi".utf8))
        #expect(try reader.next() == nil)
        let scan = try JournalBench(disk).scan
        #expect(scan.wasClosed && scan.lastNumber == 1 && scan.lastPosition == 2 && scan.configuration == Array("hi".utf8))
    }

    @Test("refuses a newer format, names both versions, and changes nothing; repair leaves it too")
    func newerVersion() throws {
        let disk = MemoryFileSystem()
        let header = JournalSegmentHeader(id: 1, firstNumber: 1, firstPosition: 1, durableThrough: 0, configuration: [])
        let newer = header.encoded(version: 9) + Self.golden[4096...]
        disk.setContent(Self.name, newer)
        let refusal = PersistenceError.newerVersion(file: Self.name, found: 9, supported: 1)
        #expect(failure { () throws(PersistenceError) in _ = try JournalBench(disk) } == refusal)
        #expect(failure { () throws(PersistenceError) in _ = try Journal.repair(directory: "j", fileSystem: disk) } == refusal)
        #expect(failure { () throws(PersistenceError) in _ = try JournalReader(directory: "j", fileSystem: disk) } == refusal)
        #expect(disk.content(Self.name) == newer && disk.names == [Self.name])
    }

    @Test("a segment under another's name is damage; strange names are left alone")
    func names() throws {
        let disk = MemoryFileSystem()
        disk.setContent("j/journal-00000000000000000001-0000000002.factord", Self.golden)
        #expect(throws: PersistenceError.self) { _ = try JournalBench(disk) }
        let strange = MemoryFileSystem()
        let files = ["j/journal-1-1.factord", "j/notes", "j/ceiling-7", "j/ceiling-x", "j/journal-00000000000000000001-0000000001.factord.bak"]
        for file in files { strange.setContent(file, [1]) }
        let bench = try JournalBench(strange)
        #expect(bench.scan == JournalScan() && strange.names.isSuperset(of: files))
    }

    @Test("a long configuration takes a longer header and comes back")
    func longConfiguration() throws {
        for length in [0, 1, 4040, 4041, 20_000] {
            let disk = MemoryFileSystem()
            let text = String(repeating: "x", count: length)
            let bench = try JournalBench(disk, settings: JournalSettings(segmentBytes: 64 << 10, tailBytes: 8 << 10), configuration: text)
            bench.append(20)
            bench.journal.close()
            #expect(try journalRecords(disk).count == 20)
            #expect(try JournalBench(disk).scan.configuration == Array(text.utf8))
        }
    }

    @Test("bytes made up at random never crash a reader, a start or a repair")
    func garbage() throws {
        var random = FaultRandom(seed: 9)
        for round in 0..<2000 {
            var bytes = Self.golden
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                let place = Int.random(in: round % 2 == 0 ? 0..<60 : 4096..<bytes.count, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            // With checksums that hold, so that the fields themselves are believed.
            let sum = crc32c(bytes[..<4092])
            withUnsafeBytes(of: sum.littleEndian) { bytes.replaceSubrange(4092..<4096, with: $0) }
            let record = bytes[4100..<4144]
            let recordSum = record.withUnsafeBytes { crc32c($0, from: 1) }
            withUnsafeBytes(of: recordSum.littleEndian) { bytes.replaceSubrange(4096..<4100, with: $0) }
            let disk = MemoryFileSystem()
            disk.setContent(Self.name, bytes)
            _ = failure { () throws(PersistenceError) in
                let reader = try JournalReader(directory: "j", fileSystem: disk)
                while try reader.next() != nil {}
            }
            _ = failure { () throws(PersistenceError) in _ = try Journal.repair(directory: "j", fileSystem: disk) }
            _ = failure { () throws(PersistenceError) in try JournalBench(disk).append(3) }
        }
    }
}
