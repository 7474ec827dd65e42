import LinuxSystem
import Synchronization
import Testing

@testable import Persistence

@Suite("Journal")
struct JournalTests {
    @Test("what was committed is durable, and comes back in order after a clean close, across segments")
    func comesBack() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk)
        #expect(bench.scan == JournalScan())
        bench.append(1000)
        #expect(bench.journal.durableNumber == 1000 && bench.journal.isDurable(1000) && !bench.journal.isDurable(1001))
        #expect(bench.journal.durablePosition == bench.position && bench.journal.segmentCount > 3)
        #expect(bench.journal.close())
        let found = try journalRecords(disk)
        #expect(found.map(\.number) == Array(1...1000))
        #expect(found.last?.lastPosition == bench.position && found[4].kind == 5)
        let again = try JournalBench(disk)
        #expect(again.scan.lastNumber == 1000 && again.scan.lastPosition == bench.position && again.scan.wasClosed)
        #expect(again.scan.tornTail == nil && again.scan.holes.isEmpty && again.scan.configuration == Array("rank: 8".utf8))
        again.append(10)
        #expect(again.journal.durableNumber == 1010)
        #expect(try journalRecords(disk).map(\.number) == Array(1...1010))
    }

    @Test("group commit: nothing is synced before its time, one sync serves all who wait, and nobody waits longer")
    func groupCommit() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk)
        bench.append()
        bench.journal.commit(through: 1)
        bench.turn()
        #expect(bench.journal.durableNumber == 0)
        bench.append()
        bench.journal.commit(through: 2)
        bench.turn(after: 4_999_999)
        #expect(bench.journal.durableNumber == 0)
        bench.turn(after: 1)
        #expect(bench.journal.durableNumber == 2)
        #expect(disk.log.filter { $0.hasPrefix("syncdata") }.count == 1)
        // Nobody waits: the interval decides.
        bench.append()
        bench.turn(after: 500_000_000)
        #expect(bench.journal.durableNumber == 2)
        bench.turn(after: 500_000_000)
        #expect(bench.journal.durableNumber == 3)
    }

    @Test("at once: a group-commit time of nothing and `always` sync at the next turn; `never` writes and does not sync")
    func modes() throws {
        var settings = JournalBench.settings
        settings.groupCommitNanoseconds = 0
        settings.sync = .always
        let always = try JournalBench(MemoryFileSystem(), settings: settings)
        always.append()
        always.turn()
        #expect(always.journal.durableNumber == 1)
        settings.sync = .never
        let never = try JournalBench(MemoryFileSystem(), settings: settings)
        never.append()
        never.turn()
        never.turn(after: 1_000_000_000)
        #expect(never.journal.writtenNumber == 1 && never.journal.durableNumber == 0)
        never.journal.commit(through: 1)
        never.turn()
        #expect(never.journal.durableNumber == 1)
    }

    @Test("memory that is full refuses, asks for room, and takes again after a turn; the longest record fits")
    func backPressure() throws {
        let bench = try JournalBench(MemoryFileSystem())
        let listener = try EventDescriptor()
        bench.journal.addListener(listener)
        while bench.append() != nil {}
        let number = bench.journal.appendedNumber
        #expect(number > 50 && !listener.drain())
        bench.turn()
        #expect(listener.drain())
        #expect(bench.append() == number + 1)
        let limit = bench.journal.settings.payloadLimit
        for _ in 0..<20 {
            let payload = [UInt8](repeating: 7, count: limit)
            let place = bench.journal.append(
                kind: 0, firstPosition: bench.position + 1, lastPosition: bench.position, payloadBytes: limit) { $0.copyBytes(from: payload) }
            if place == nil { bench.turn() }
        }
        bench.turn(after: 1_000_000_000)
        #expect(bench.journal.durableNumber == bench.journal.appendedNumber)
    }

    @Test("the thread is woken for what the file lacks, once, and not for what memory keeps until it is durable")
    func wakes() throws {
        let settings = JournalSettings(segmentBytes: 16 << 10, tailBytes: 8 << 10, reservationBlock: 1 << 20)
        let bench = try JournalBench(MemoryFileSystem(), settings: settings)
        let journal = bench.journal, threshold = settings.writeThreshold
        /// Appends that wake a thread asleep, and the bytes that the file lacked then.
        func append(_ count: Int) -> [Int] {
            (0..<count).compactMap { _ in
                bench.append()
                return journal.wake.drain() ? journal.tail.unwritten : nil
            }
        }
        func sleep() { journal.isAsleep.store(true, ordering: .sequentiallyConsistent) }
        /// Asleep, it is woken once in 20 records, and then makes its turn.
        func fillUp() throws {
            sleep()
            let wakeUps = append(20)
            #expect(wakeUps.count == 1)
            #expect(try #require(wakeUps.first) >= threshold)
            bench.turn()
            #expect(journal.tail.unwritten == 0)
        }
        try fillUp()
        // Written, as it filled up, and not synced before its time: memory keeps it.
        #expect(journal.writtenNumber == 20 && journal.durableNumber == 0 && journal.tail.used >= threshold)
        sleep()
        #expect(append(5) == [])
        try fillUp()
    }

    @Test("a full segment leaves the page cache, once all of it is durable; the one that is written stays")
    func fullSegmentsLeaveTheCache() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk)
        bench.append(1000)
        // A segment gets its name once it has its header: what follows is logged under the name it was made with.
        let dropped = disk.log.filter { $0.hasPrefix("dropcache") }
        #expect(dropped.count == bench.journal.segmentCount - 1 && dropped.count > 2 && Set(dropped).count == dropped.count)
        for drop in dropped {
            let calls = disk.log.filter { $0.hasSuffix(drop.dropFirst("dropcache".count)) }
            #expect(calls.suffix(3).map { $0.prefix { $0 != " " } } == ["syncdata", "dropcache", "close"])
        }
    }

    @Test("of a long segment, all leaves the page cache that the kernel was told to write a step earlier")
    func writtenPiecesLeaveTheCache() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk, settings: JournalSettings(segmentBytes: 32 << 20, tailBytes: 1 << 20))
        bench.append(200_000, commit: false)
        let calls = disk.log.filter { $0.hasPrefix("writeback") || $0.hasPrefix("dropcache") }.map { $0.split(separator: " ") }
        let dropped = calls.filter { $0[0] == "dropcache" }.compactMap { $0.last.flatMap { Int($0) } }
        #expect(calls.count == 2 * dropped.count && dropped.count > 2 && bench.journal.segmentCount == 1)
        // Told to write up to here, and the next time dropped up to here: the first time there is nothing but a header.
        #expect(stride(from: 0, to: calls.count, by: 2).allSatisfy { calls[$0][0] == "writeback" && calls[$0 + 1][0] == "dropcache" })
        let first = try #require(dropped.first), last = try #require(dropped.last)
        #expect(first < 64 << 10)
        #expect(zip(dropped, dropped.dropFirst()).allSatisfy { (4 << 20..<5 << 20).contains($1 - $0) })
        #expect(try #require(disk.content(disk.segments[0])).dropFirst(last + 4 << 20).contains { $0 != 0 })
    }

    @Test("a record longer than a segment gets one of its own")
    func longRecords() throws {
        let disk = MemoryFileSystem()
        let settings = JournalSettings(segmentBytes: 5000, tailBytes: 16 << 10)
        let bench = try JournalBench(disk, settings: settings)
        let big = [UInt8](repeating: 3, count: 7000)
        for number in 1...6 as ClosedRange<UInt64> {
            let given = bench.journal.append(kind: 1, firstPosition: number, lastPosition: number, payloadBytes: 7000) { $0.copyBytes(from: big) }
            #expect(given == number)
            bench.commit()
        }
        let reader = try JournalReader(directory: "j", fileSystem: disk)
        var count = 0
        try reader.forEach { record in
            count += 1
            #expect(record.payload.elementsEqual(big))
        }
        #expect(count == 6 && bench.journal.segmentCount == 6)
    }

    @Test("reading begins at a position or a number, says how far it is, and keeps records without positions")
    func reading() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk)
        bench.append(900)
        #expect(bench.journal.close())
        let all = try journalRecords(disk)
        for position in [0, 1, 5, 77, bench.position - 3, bench.position, bench.position + 9] as [UInt64] {
            let expected = all.filter { $0.lastPosition > position || ($0.lastPosition < $0.firstPosition && $0.lastPosition == position) }
            #expect(try journalRecords(disk, after: position) == expected)
        }
        for number in [1, 2, 400, 900, 901] as [UInt64] {
            #expect(try journalRecords(disk, from: number) == all.filter { $0.number >= number })
        }
        let reader = try JournalReader(directory: "j", after: bench.position / 2, fileSystem: disk)
        var before: UInt64 = 0
        while try reader.next() != nil {
            #expect(reader.readBytes >= before && reader.readBytes <= reader.totalBytes)
            before = reader.readBytes
        }
        #expect(reader.readBytes == reader.totalBytes && reader.configuration == Array("rank: 8".utf8))
    }

    @Test("retired segments go oldest first, and only those that nobody needs; numbers and positions go on")
    func retire() throws {
        let disk = MemoryFileSystem()
        var bench = try JournalBench(disk)
        bench.append(900)
        let all = try journalRecords(disk)
        let middle = bench.position / 2
        #expect(try bench.journal.retire(through: middle) > 0)
        let left = try journalRecords(disk)
        #expect(left.count < all.count && left == Array(all.suffix(left.count)))
        #expect(try #require(left.first).firstPosition <= middle + 1)
        #expect(try journalRecords(disk, after: middle) == all.filter { $0.lastPosition > middle || $0.lastPosition < $0.firstPosition && $0.lastPosition == middle })
        #expect(try bench.journal.retire(through: .max) > 0)
        #expect(bench.journal.segmentCount == 1 && disk.segments.count == 1)
        let position = bench.position
        bench = try {
            bench.journal.close()
            return try JournalBench(disk)
        }()
        #expect(bench.scan.lastNumber == 900 && bench.scan.lastPosition == position)
        bench.append(1)
        #expect(bench.journal.durableNumber == 901)
    }

    @Test("a start after a crash cuts the torn tail and gives reserved space back")
    func reservedSpace() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk)
        bench.append(20)
        bench.append(20, commit: false)
        bench.turn(after: 1_000_000_000)
        let name = try #require(disk.segments.first)
        var content = try #require(disk.content(name))
        #expect(content.count == JournalBench.settings.segmentBytes)
        let end = try #require(content.lastIndex { $0 != 0 })
        content[end] ^= 1
        disk.setContent(name, content)
        let after = disk.afterKill()
        let again = try JournalBench(after)
        #expect(again.scan.lastNumber == 39 && again.scan.tornTail?.file == name)
        let cut = try #require(after.content(name))
        #expect(UInt64(cut.count) == again.scan.tornTail?.offset && cut == Array(content[..<cut.count]))
        withExtendedLifetime(bench) {}
    }

    @Test("empty starts leave no segments behind")
    func emptyStarts() throws {
        let disk = MemoryFileSystem()
        for _ in 0..<5 { try JournalBench(disk).journal.close() }
        for _ in 0..<5 { _ = try JournalBench(disk) }
        #expect(disk.segments.count == 1)
        let bench = try JournalBench(disk)
        bench.append(3)
        #expect(try journalRecords(disk).map(\.number) == [1, 2, 3])
    }

    @Test("a block of positions that is used up within half a second is followed by one twice as large, up to a limit, and a lasting one by one half as large")
    func adaptedBlocks() throws {
        let settings = JournalSettings(segmentBytes: 16 << 10, tailBytes: 8 << 10, reservationBlock: 100, reservationLimit: 350)
        let bench = try JournalBench(MemoryFileSystem(), settings: settings)
        var now: Int64 = 0
        func blockAfter(milliseconds: Int64) -> UInt64 {
            now += milliseconds * 1_000_000
            let used = bench.journal.reservedCeiling
            bench.journal.reserve(aheadOf: used)
            bench.journal.step(now: now)
            return bench.journal.reservedCeiling - used
        }
        #expect(blockAfter(milliseconds: 1) == 100)
        #expect([499, 499, 499, 499].map(blockAfter) == [200, 350, 350, 350])
        #expect([500, 4000, 4001, 4001, 4001].map(blockAfter) == [350, 350, 175, 100, 100])
    }

    @Test("positions are reserved ahead: after a crash the next one is above all that could be used; a clean close gives the rest back")
    func ceiling() throws {
        let disk = MemoryFileSystem()
        let block = JournalBench.settings.reservationBlock
        do {
            let bench = try JournalBench(disk)
            #expect(bench.journal.reservedCeiling == block)
            bench.journal.reserve(aheadOf: block / 2 + 1)
            bench.turn()
            #expect(bench.journal.reservedCeiling == block / 2 + 1 + block)
            bench.journal.reserve(aheadOf: 5 * block)
            #expect(bench.journal.reservedCeiling < 5 * block)
            bench.turn()
            #expect(bench.journal.reservedCeiling == 6 * block)
        }
        do {
            let bench = try JournalBench(disk)
            #expect(bench.scan.reservedCeiling == 6 * block && bench.scan.positionFloor == 6 * block)
            #expect(bench.journal.reservedCeiling == 7 * block)
            bench.append(10)
            #expect(bench.journal.close(lastPosition: 6 * block + 100))
        }
        let bench = try JournalBench(disk)
        #expect(bench.scan.positionFloor == 6 * block + 100)
        #expect(disk.names.filter { $0.contains("ceiling-") }.count == 1)
    }

    @Test("a disk that fails: nothing is reported durable, nothing more is taken; healed, all that memory holds is there")
    func heals() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk)
        bench.append(100)
        disk.setFaults(.failingSyncs)
        bench.append(30)
        #expect(bench.journal.durableNumber == 100)
        guard case .degraded(.system(let error)) = bench.journal.health else {
            Issue.record("a failed sync went unnoticed")
            return
        }
        #expect(error.call == "syncdata" && bench.append() == nil)
        bench.journal.tryToHeal()
        bench.turn()
        #expect(bench.journal.health != .good && bench.journal.durableNumber == 100)
        disk.setFaults(.init())
        bench.journal.tryToHeal()
        bench.turn()
        #expect(bench.journal.health == .good && bench.journal.durableNumber == 130 && bench.journal.holes.isEmpty)
        bench.append(70)
        #expect(bench.journal.durableNumber == 200 && !disk.syncedAfterFailure)
        #expect(try journalRecords(disk).map(\.number) == Array(1...200))
        let again = try { bench.journal.close(); return try JournalBench(disk) }()
        #expect(again.scan.holes.isEmpty && again.scan.lastNumber == 200)
    }

    @Test("what memory gave back before the disk failed is a hole: not durable, reported now and at every start")
    func hole() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk)
        bench.append(10)
        disk.setFaults(.failingSyncs)
        let before = bench.position
        for _ in 0..<300 where bench.append() == nil { bench.turn() }
        bench.commit()
        #expect(bench.journal.health != .good)
        disk.setFaults(.init())
        bench.journal.tryToHeal()
        bench.turn()
        let hole = try #require(bench.journal.holes.first)
        #expect(bench.journal.health == .good && hole.numbers.lowerBound == 11 && hole.positions?.lowerBound == before + 1)
        #expect(!bench.journal.isDurable(11) && !bench.journal.isDurable(hole.numbers.upperBound))
        #expect(bench.journal.isDurable(10) && bench.journal.isDurable(hole.numbers.upperBound + 1))
        let after = disk.withoutUnsynced()
        let again = try JournalBench(after)
        #expect(again.scan.holes == [hole])
        let numbers = try journalRecords(after).map(\.number)
        #expect(numbers == Array(1...10) + Array(hole.numbers.upperBound + 1...bench.journal.durableNumber))
    }

    @Test("two journals never share a directory")
    func locked() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk)
        #expect(failure { () throws(PersistenceError) in _ = try JournalBench(disk) } == .directoryInUse(directory: "j", process: 1))
        withExtendedLifetime(bench) {}
    }

    @Test("on a real disk, with its thread: many appends, waits for durability, a new start")
    func realDisk() throws {
        try withScratchDirectory { scratch in
            let directory = "\(scratch)/journal"
            let settings = JournalSettings(sync: .interval(nanoseconds: 20_000_000), groupCommitNanoseconds: 1_000_000, segmentBytes: 1 << 20, tailBytes: 64 << 10)
            let bench = try JournalBench(LinuxFileSystem(), directory: directory, settings: settings)
            let journal = bench.journal
            let thread = try SystemThread(name: "journal") { journal.run() }
            let progress = try EventDescriptor()
            journal.addListener(progress)
            let poller = DescriptorPoller([progress.descriptor])
            var appended: UInt64 = 0
            while appended < 30_000 {
                if let number = bench.append() { appended = number } else {
                    try poller.wait(timeoutMilliseconds: 10_000)
                    progress.drain()
                }
                if appended % 1000 == 0 {
                    journal.commit(through: appended)
                    while !journal.isDurable(appended) {
                        #expect(try poller.wait(timeoutMilliseconds: 10_000) == 1)
                        progress.drain()
                    }
                }
            }
            journal.stop()
            thread.join()
            #expect(journal.close())
            #expect(try journalRecords(LinuxFileSystem(), directory: directory).count == 30_000)
        }
    }
}
