import LinuxSystem
import Testing

@testable import Persistence

/// Promise 4: journal and snapshots together under random cuts, with random subsets of what was not synced.
@Suite("Power cuts")
struct PowerCutTests {
    /// What a program that learns from a journal would be told.
    private struct Told {
        var durable: UInt64 = 0
        var snapshot: UInt64?
        var position: UInt64 = 0
    }

    private static let settings = JournalSettings(segmentBytes: 8 << 10, tailBytes: 4 << 10, reservationBlock: 1 << 10)

    /// Appends and commits at random; takes snapshots under the write-ahead rule, and retires what two of them cover.
    private static func work(
        _ disk: MemoryFileSystem, _ random: inout FaultRandom, _ told: inout Told
    ) throws(PersistenceError) {
        let bench = try JournalBench(disk, settings: settings)
        let store = try SnapshotStore(directory: "s", retained: 2, fileSystem: disk)
        told.position = max(told.position, bench.position)
        for _ in 0..<9 {
            bench.append(Int.random(in: 1...8, using: &random), commit: Bool.random(using: &random))
            told.position = max(told.position, bench.position)
            bench.turn(after: Bool.random(using: &random) ? 1_000_000_000 : 0)
            told.durable = max(told.durable, bench.journal.durableNumber)
            guard bench.journal.health == .good else { return }
            guard Int.random(in: 0..<4, using: &random) == 0 else { continue }
            let number = bench.journal.appendedNumber
            let stored = try store.write(
                SnapshotHeader(position: bench.position),
                beforeRename: { () throws(PersistenceError) in
                    bench.commit()
                    guard bench.journal.isDurable(number) else { throw .contentRefused(file: "j", reason: "not durable") }
                },
                body: { writer throws(PersistenceError) in
                    var bytes: [UInt8] = []
                    bytes.appendLittleEndian(number)
                    try writer.section("through", bytes)
                })
            told.durable = max(told.durable, bench.journal.durableNumber)
            told.snapshot = stored.name.position
            let kept = try store.list().map(\.position)
            if kept.count == 2, let oldest = kept.min() { try bench.journal.retire(through: oldest) }
        }
    }

    /// Recovers as the daemon does: the newest good snapshot, then the journal. Returns what is wrong.
    private static func check(_ disk: MemoryFileSystem, _ told: Told) throws -> String? {
        let store = try SnapshotStore(directory: "s", retained: 2, fileSystem: disk)
        let newest = try store.openNewestValid()
        if let skipped = newest.skipped.first { return "a damaged snapshot: \(skipped)" }
        let watermark = newest.reader?.header.position ?? 0
        if watermark < told.snapshot ?? 0 { return "snapshot \(told.snapshot ?? 0) is lost" }
        var known = ByteCursor(try newest.reader?.bytes("through")[...] ?? [])
        let through = known.number(UInt64.self) ?? 0
        let bench = try JournalBench(disk, settings: settings)
        if bench.scan.lastNumber < through { return "the snapshot knows record \(through), the journal ends at \(bench.scan.lastNumber)" }
        if max(bench.scan.positionFloor, watermark) < told.position { return "position \(told.position) would be given again" }
        let applied = try journalRecords(disk, after: watermark).map(\.number).filter { $0 > through }
        let last = max(bench.scan.lastNumber, through)
        if applied != Array(through..<last).map({ $0 + 1 }) { return "after snapshot \(watermark) (record \(through)): \(applied)" }
        if last < told.durable { return "record \(told.durable) was reported durable, only \(last) is there" }
        return bench.scan.holes.isEmpty ? nil : "holes: \(bench.scan.holes)"
    }

    @Test("10,000 seeds: journal and snapshots survive any subset of unsynced writes, some twice in a row", arguments: 0..<40 as Range<UInt64>)
    func seeds(block: UInt64) throws {
        for seed in block * 250..<(block + 1) * 250 {
            var random = FaultRandom(seed: seed)
            var told = Told()
            var disk = MemoryFileSystem()
            for life in 0..<(seed % 4 == 0 ? 2 : 1) {
                disk.setFaults(.init(failAt: Int.random(in: 1...220, using: &random), stopThere: true))
                _ = failure { () throws(PersistenceError) in try Self.work(disk, &random, &told) }
                disk = disk.afterPowerCut(&random, sectorBytes: Bool.random(using: &random) ? 512 : 4096)
                let looked = disk.afterKill()
                if let wrong = try Self.check(looked, told) {
                    Issue.record("seed \(seed), life \(life): \(wrong)")
                    return
                }
                told.snapshot = nil
            }
        }
    }
}
