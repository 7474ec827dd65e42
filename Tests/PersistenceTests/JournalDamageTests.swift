import LinuxSystem
import Testing

@testable import Persistence

/// Promises 8 and 9: a torn tail is cut to the exact prefix; damage in what had been durable is refused and can be repaired.
@Suite("Journal damage")
struct JournalDamageTests {
    /// A journal whose program was killed: three segments, the last 5 records not synced. Files by name.
    struct Sample {
        var files: [String: [UInt8]] = [:]
        var segments: [String] = []
        var lastNumber: UInt64 = 0
        /// Of each record: its file, where it lies, and what was durable when it was written.
        var records: [UInt64: (file: String, range: Range<Int>, synced: UInt64)] = [:]
        /// Of each segment: what its header says was durable.
        var durableThrough: [UInt64] = []

        init() throws {
            let disk = MemoryFileSystem()
            let bench = try JournalBench(disk, settings: JournalSettings(segmentBytes: 8 << 10, tailBytes: 4 << 10, reservationBlock: 1 << 20))
            while bench.journal.segmentCount < 3 { bench.append(6) }
            bench.append(6)
            bench.append(5, commit: false)
            bench.turn()
            bench.turn(after: 500_000_000)
            // Written for want of room, not because anybody waits.
            while bench.journal.writtenNumber < bench.journal.appendedNumber { bench.append(1, commit: false); bench.turn() }
            lastNumber = bench.journal.appendedNumber
            segments = disk.segments
            for name in disk.names { files[name] = disk.content(name) }
            for name in segments {
                let segment = try JournalSegment(name, name: String(name.dropFirst(2)), fileSystem: disk)
                durableThrough.append(segment.header.durableThrough)
                let cursor = try JournalSegmentCursor(segment, fileSystem: disk)
                while true {
                    let start = Int(cursor.offset)
                    guard case .record(let header, _) = try cursor.next() else { break }
                    let bytes = Array(files[name]![start..<Int(cursor.offset)])
                    let synced = bytes.withUnsafeBytes { JournalRecordFields($0.baseAddress!).syncedThrough }
                    records[header.number] = (name, start..<Int(cursor.offset), synced)
                }
            }
        }

        /// The disk with one file changed.
        func disk(_ file: String, _ change: (inout [UInt8]) -> Void) -> MemoryFileSystem {
            let disk = MemoryFileSystem()
            for (name, content) in files {
                var content = content
                if name == file { change(&content) }
                disk.setContent(name, content)
            }
            return disk
        }

        /// What later records of the same file and later headers say was durable, where `number` is the first bad record of `file`.
        func evidence(from number: UInt64, in file: String, behind offset: Int) -> UInt64 {
            let records = records.values.filter { $0.file == file && $0.range.lowerBound > offset }.map(\.synced)
            let headers = zip(segments, durableThrough).drop { $0.0 != file }.dropFirst().map(\.1)
            return max(records.max() ?? 0, headers.max() ?? 0)
        }
    }

    /// Opens, and compares with what must come: all records through `last`, or a refusal for nil.
    static func expect(_ disk: MemoryFileSystem, _ last: UInt64?, _ what: @autoclosure () -> String) throws {
        var found: JournalScan?
        let error = failure { () throws(PersistenceError) in found = try JournalBench(disk).scan }
        guard let last else {
            guard case .damaged(let file, _, let text) = error else {
                Issue.record("\(what()): opened, up to record \(found?.lastNumber ?? 0)")
                return
            }
            if !text.contains("factorctl journal repair j") || !file.hasPrefix("j/journal-") { Issue.record("\(what()): says \(text)") }
            return
        }
        if let error {
            Issue.record("\(what()): refused, \(error)")
            return
        }
        let numbers = try journalRecords(disk).map(\.number)
        if numbers != Array(1..<last + 1) || found?.lastNumber != last { Issue.record("\(what()): \(numbers.count) records, not \(last)") }
    }

    /// The same for one changed byte; the outcome follows from where it lies.
    static func flip(_ sample: Sample, _ file: String, _ offset: Int, _ mask: UInt8) throws {
        let disk = sample.disk(file) { $0[offset] ^= mask }
        let what = "byte \(offset) of \(file) changed by \(mask)"
        if offset < 4096 { return try expect(disk, nil, what) }
        guard let (number, record) = sample.records.first(where: { $0.value.file == file && $0.value.range.contains(offset) }) else {
            // Behind the last record.
            return try expect(disk, sample.lastNumber, what)
        }
        let durable = sample.evidence(from: number, in: file, behind: record.range.lowerBound)
        try expect(disk, durable >= number ? nil : number - 1, what)
    }

    @Test("every truncation of the last three records gives the exact prefix")
    func truncations() throws {
        let sample = try Sample()
        let last = sample.segments[2]
        for number in sample.lastNumber - 2...sample.lastNumber {
            let record = try #require(sample.records[number])
            for length in record.range { try Self.expect(sample.disk(last) { $0.removeLast($0.count - length) }, number - 1, "cut to \(length)") }
        }
        let end = try #require(sample.records[sample.lastNumber]).range.upperBound
        try Self.expect(sample.disk(last) { $0.removeLast($0.count - end) }, sample.lastNumber, "cut to \(end)")
    }

    @Test("every byte of every segment's header changed is refused; so is a header without its end", arguments: 0..<3)
    func headers(segment: Int) throws {
        let sample = try Sample()
        var random = FaultRandom(seed: UInt64(segment))
        for offset in 0..<4096 { try Self.flip(sample, sample.segments[segment], offset, 1 << UInt8.random(in: 0..<8, using: &random)) }
        for length in [0, 1, 19, 20, 100, 4095] {
            try Self.expect(sample.disk(sample.segments[segment]) { $0.removeLast($0.count - length) }, nil, "cut to \(length)")
        }
    }

    @Test("one bit in every record: cut where nothing says that it was durable, refused otherwise")
    func oneBit() throws {
        let sample = try Sample()
        var random = FaultRandom(seed: 1)
        var refused = 0
        for (number, record) in sample.records {
            try Self.flip(sample, record.file, Int.random(in: record.range, using: &random), 1 << UInt8.random(in: 0..<8, using: &random))
            if sample.evidence(from: number, in: record.file, behind: record.range.lowerBound) >= number { refused += 1 }
        }
        #expect(refused > 100 && UInt64(refused) < sample.lastNumber)
    }

    @Test("10,000 random changes have the right outcome", arguments: 0..<20 as Range<UInt64>)
    func random(seed: UInt64) throws {
        let sample = try Sample()
        var random = FaultRandom(seed: 100 + seed)
        for _ in 0..<500 {
            let file = try #require(sample.segments.randomElement(using: &random))
            try Self.flip(sample, file, Int.random(in: 0..<sample.files[file]!.count, using: &random), .random(in: 1...255, using: &random))
        }
    }

    @Test("a segment that is missing is refused, an older one retired is not")
    func missing() throws {
        let sample = try Sample()
        for (index, name) in sample.segments.enumerated() where index < 2 {
            let disk = sample.disk("") { _ in }
            try disk.remove(name)
            let error = failure { () throws(PersistenceError) in _ = try JournalBench(disk) }
            #expect((error == nil) == (index == 0))
        }
    }

    @Test("a closed journal knows its end: damage in the last record is refused too")
    func sealed() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk)
        bench.append(20)
        #expect(bench.journal.close())
        let name = try #require(disk.segments.first)
        let content = try #require(disk.content(name))
        let seal = content.count - JournalFormat.recordHeaderSize
        for offset in seal - 50..<seal {
            var damaged = content
            damaged[offset] ^= 4
            let broken = MemoryFileSystem()
            broken.setContent(name, damaged)
            #expect(throws: PersistenceError.self) { _ = try JournalBench(broken) }
        }
    }

    @Test("repair cuts at the damage, keeps what it cuts, says what is lost, and nothing lost is named again")
    func repair() throws {
        let sample = try Sample()
        let name = sample.segments[1]
        let number = try #require(sample.records.filter { $0.value.file == name }.keys.sorted().dropFirst(3).first)
        let bad = try #require(sample.records[number])
        let disk = sample.disk(name) { $0[bad.range.lowerBound + 9] ^= 1 }
        let before = try #require(sample.files[name])
        var read: [UInt64] = [], sizes: Set<UInt64> = []
        let repaired = try Journal.repair(directory: "j", fileSystem: disk) { bytes, total in
            read.append(bytes)
            sizes.insert(total)
        }
        let done = try #require(repaired)
        // Each record that holds is told of, as bytes of all segments.
        #expect(read.count == Int(number) - 1 && read == read.sorted())
        #expect(sizes == [sample.segments.reduce(0) { $0 + UInt64(sample.files[$1]?.count ?? 0) }])
        #expect(done.lastNumber == number - 1 && done.lostNumbers == number...sample.lastNumber)
        #expect(done.lostPositions?.lowerBound == done.lastPosition + 1 && done.quarantined.count == 2)
        var kept = try #require(disk.content(done.quarantined[0]))
        kept[9] ^= 1
        #expect(kept == Array(before[bad.range.lowerBound...]))
        #expect(disk.content(done.quarantined[1]) == sample.files[sample.segments[2]])
        #expect(try Journal.repair(directory: "j", fileSystem: disk) == nil)
        let bench = try JournalBench(disk)
        #expect(bench.scan.holes.map(\.numbers) == [number...sample.lastNumber] && bench.scan.holes.first?.positions == done.lostPositions)
        #expect(bench.scan.lastNumber == sample.lastNumber && bench.scan.lastPosition == done.lostPositions?.upperBound)
        bench.append(5)
        #expect(try journalRecords(disk).map(\.number) == Array(1..<number) + Array(sample.lastNumber + 1...sample.lastNumber + 5))
        bench.journal.close()
        #expect(try JournalBench(disk).scan.holes.map(\.numbers) == [number...sample.lastNumber])
    }

    @Test("repair of a bad header moves the segment and all behind it; a crash in the middle is repaired again")
    func repairHeaders() throws {
        let sample = try Sample()
        for segment in 0..<3 {
            for failing in 1...60 {
                let disk = sample.disk(sample.segments[segment]) { $0[30] ^= 1 }
                disk.setFaults(.init(failAt: failing, stopThere: true))
                let first = failure { () throws(PersistenceError) in _ = try Journal.repair(directory: "j", fileSystem: disk) }
                let after = disk.afterKill()
                _ = try Journal.repair(directory: "j", fileSystem: after)
                let bench = try JournalBench(after)
                let numbers = try journalRecords(after).map(\.number)
                let good = sample.records.filter { record in sample.segments[..<segment].contains(record.value.file) }.keys.sorted()
                if numbers != good { Issue.record("segment \(segment), call \(failing): \(numbers)") }
                bench.append(3)
                if first == nil { break }
                #expect(failing < 60)
            }
        }
    }
}
