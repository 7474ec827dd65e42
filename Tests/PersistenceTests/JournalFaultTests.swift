import Glibc
import LinuxSystem
import Testing

@testable import Persistence

/// Promises 3–6, 10 and 11 for the journal: every call may fail, power may go at every call, and all that was reported
/// durable is found again, in order, with nothing but a reported hole missing before it.
@Suite("Journal under faults")
struct JournalFaultTests {
    /// What a run was told before it ended.
    struct Told {
        /// The records that `isDurable` answered yes for.
        var durable: Set<UInt64> = []
        /// The greatest position that was used; below the reserved ceiling, as the daemon has it.
        var position: UInt64 = 0
        /// Everything below was retired on purpose.
        var retired: UInt64 = 0
        var closed = false
    }

    /// Opens, appends in groups of several kinds, rotates, retires, reserves, closes.
    static func run(_ disk: any FileSystem, _ told: inout Told, heal: Bool = false) throws(PersistenceError) {
        let settings = JournalSettings(segmentBytes: 6 << 10, tailBytes: 4 << 10, reservationBlock: 100)
        let bench = try JournalBench(disk, settings: settings)
        told.position = max(told.position, bench.position)
        for round in 0..<14 {
            for _ in 0..<9 {
                if bench.append() == nil { bench.turn() }
            }
            told.position = max(told.position, bench.position)
            bench.journal.reserve(aheadOf: bench.position)
            if round % 3 < 2 { bench.commit() } else { bench.turn(after: 1_000_000_000) }
            if heal, bench.journal.health != .good {
                bench.journal.tryToHeal()
                bench.turn()
            }
            for number in 1...bench.journal.appendedNumber where bench.journal.isDurable(number) { told.durable.insert(number) }
            if round == 5 {
                bench.journal.beginSegment(configuration: Array("rank: 9".utf8))
                bench.turn()
            }
            if round == 11 {
                let position = bench.journal.durablePosition / 2
                told.retired = position
                try bench.journal.retire(through: position)
            }
        }
        // Not synced yet when the journal is closed.
        for _ in 0..<5 { bench.append() }
        told.position = max(told.position, bench.position)
        let isClosed = bench.journal.close(lastPosition: told.position)
        told.closed = isClosed
    }

    /// Opens the journal of a machine that stopped, and compares with what was told. Says what is wrong.
    static func check(_ disk: MemoryFileSystem, _ told: Told) throws -> String? {
        let bench: JournalBench
        do { bench = try JournalBench(disk) } catch { return "does not open: \(error)" }
        let records = try journalRecords(disk)
        let numbers = records.map(\.number)
        let missing = bench.scan.holes.flatMap { Array($0.numbers) }
        if let first = numbers.first, let last = numbers.last {
            let expected = Set(first...last).subtracting(missing)
            if numbers != expected.sorted() { return "records \(numbers) with the holes \(missing)" }
            if bench.scan.lastNumber < last { return "ends at \(bench.scan.lastNumber), holds \(last)" }
        }
        let held = Set(numbers)
        for number in told.durable where !held.contains(number) {
            // Retired segments are gone; what they held is below all that is left.
            if let first = numbers.first ?? (bench.scan.firstNumber as UInt64?), number < first, told.retired > 0 { continue }
            return "record \(number) was reported durable and is gone"
        }
        if bench.scan.positionFloor < told.position { return "position \(told.position) was used, goes on after \(bench.scan.positionFloor)" }
        bench.append(12)
        if bench.journal.durableNumber != bench.scan.lastNumber + 12 { return "does not go on" }
        let after = try journalRecords(disk).map(\.number)
        if after != numbers + Array(bench.scan.lastNumber + 1...bench.scan.lastNumber + 12) { return "goes on wrongly: \(after)" }
        return nil
    }

    static func callsOfARun() throws -> Int {
        let disk = MemoryFileSystem()
        var told = Told()
        try run(disk, &told)
        #expect(told.closed && told.durable.count == 126 && disk.log.contains { $0.hasPrefix("unlink j/journal") })
        return disk.calls
    }

    @Test("any one call may fail: no crash, nothing falsely durable, healed in the same run; the next start finds all of it",
        arguments: [EIO, ENOSPC, EROFS])
    func anyCallFails(code: Int32) throws {
        let count = try Self.callsOfARun()
        #expect(count > 100)
        for failing in 1...count {
            for heal in [false, true] {
                let disk = MemoryFileSystem()
                disk.setFaults(.init(failAt: failing, code: code))
                var told = Told()
                let error = failure { () throws(PersistenceError) in try Self.run(disk, &told, heal: heal) }
                #expect(!disk.syncedAfterFailure, "call \(failing): a file was synced again after its sync had failed")
                #expect(error == nil || !told.closed)
                if heal, error == nil, told.durable.count < 70 { Issue.record("call \(failing): did not heal") }
                if let wrong = try Self.check(disk.afterKill(), told) { Issue.record("call \(failing), process killed: \(wrong)") }
                if let wrong = try Self.check(disk.withoutUnsynced(), told) { Issue.record("call \(failing), power cut: \(wrong)") }
            }
        }
    }

    @Test("power may go at any call, and any part of what was not synced with it", arguments: 0..<8 as Range<UInt64>)
    func powerCut(seed: UInt64) throws {
        let count = try Self.callsOfARun()
        var random = FaultRandom(seed: seed)
        for cut in 1...count + 1 {
            let disk = MemoryFileSystem()
            disk.setFaults(.init(failAt: cut, stopThere: true, shortWriteSeed: seed % 2 == 0 ? seed : nil))
            var told = Told()
            _ = failure { () throws(PersistenceError) in try Self.run(disk, &told) }
            if let wrong = try Self.check(disk.afterPowerCut(&random), told) { Issue.record("seed \(seed), cut at call \(cut): \(wrong)") }
            if let wrong = try Self.check(disk.afterKill(), told) { Issue.record("seed \(seed), killed at call \(cut): \(wrong)") }
        }
    }

    @Test("short writes change nothing")
    func shortWrites() throws {
        let whole = MemoryFileSystem()
        let pieces = MemoryFileSystem()
        pieces.setFaults(.init(shortWriteSeed: 3))
        var told = Told()
        try Self.run(whole, &told)
        try Self.run(pieces, &told)
        #expect(whole.names == pieces.names)
        for name in whole.names { #expect(whole.content(name) == pieces.content(name)) }
    }

    @Test("a disk that runs full: the journal is degraded, what was durable stays, and it heals when there is room",
        arguments: [20_000, 30_000, 40_000, 50_000])
    func full(capacity: Int) throws {
        let disk = MemoryFileSystem()
        disk.setFaults(.init(capacity: capacity))
        let bench = try JournalBench(disk)
        while bench.journal.health == .good {
            bench.append(5)
            #expect(bench.journal.appendedNumber < 5000)
        }
        let durable = bench.journal.durableNumber
        #expect(durable > 0 && bench.append() == nil)
        bench.journal.tryToHeal()
        bench.turn()
        #expect(bench.journal.health != .good && bench.journal.durableNumber == durable)
        disk.setFaults(.init())
        bench.journal.tryToHeal()
        bench.turn()
        #expect(bench.journal.health == .good && bench.journal.holes.isEmpty && bench.journal.durableNumber == bench.journal.appendedNumber)
        bench.append(10)
        let numbers = try journalRecords(disk).map(\.number)
        #expect(numbers == Array(1...bench.journal.appendedNumber))
    }

    @Test("a program killed after a failed sync leaves pages that only look stored: the next one does not believe them")
    func stalePages() throws {
        let disk = MemoryFileSystem()
        let bench = try JournalBench(disk)
        bench.append(20)
        disk.setFaults(.failingSyncs)
        bench.append(10)
        let after = disk.afterKill()
        let again = try JournalBench(after)
        #expect(again.scan.lastNumber == 20)
        again.append(1)
        #expect(try journalRecords(after.withoutUnsynced()).map(\.number) == Array(1...21))
        withExtendedLifetime(bench) {}
    }
}
