import LinuxSystem
import Testing

@testable import Persistence

/// Promise 7: whatever byte of a snapshot changes, the start finds it, sets the file aside, and uses the one before.
@Suite("Snapshot damage")
struct SnapshotDamageTests {
    /// The files of a store with snapshots at positions 1 and 2, the second with `content`; and where its index begins.
    private static func sample(_ content: [UInt8]) throws -> (first: [UInt8], second: [UInt8], index: Int) {
        let disk = MemoryFileSystem()
        let store = try SnapshotStore(directory: "d", fileSystem: disk)
        try SnapshotStoreTests.write(store, 1)
        try store.write(SnapshotHeader(position: 2, creationInfo: [1, 2, 3])) { writer throws(PersistenceError) in
            try writer.section("rows", content)
            try writer.section("empty", [])
            try writer.section("more", [9, 9])
        }
        let first = try #require(disk.content(store.path(of: SnapshotName(position: 1, number: 1))))
        let second = try #require(disk.content(store.path(of: SnapshotName(position: 2, number: 1))))
        return (first, second, SnapshotFormat.headerSize + content.count + 2)
    }

    /// A start with the newer snapshot changed: the older must be used, and the newer be set aside and reported.
    private static func expectFallback(_ first: [UInt8], _ second: [UInt8], _ what: @autoclosure () -> String) throws {
        let disk = MemoryFileSystem()
        let names = [1, 2].map { "d/" + SnapshotName(position: $0, number: 1).fileName }
        disk.setContent(names[0], first)
        disk.setContent(names[1], second)
        let store = try SnapshotStore(directory: "d", fileSystem: disk)
        let found = try store.openNewestValid()
        guard found.reader?.header.position == 1, found.skipped.count == 1, found.skipped[0].name.position == 2 else {
            Issue.record("\(what()): found \(found.reader?.header.position ?? 0), skipped \(found.skipped)")
            return
        }
        let place = "d/quarantine/" + SnapshotName(position: 2, number: 1).fileName
        if found.skipped[0].quarantinedAs != place || disk.content(place) != second { Issue.record("\(what()): not set aside") }
        if try found.reader?.bytes("rows") != SnapshotStoreTests.content(1) { Issue.record("\(what()): the older one reads differently") }
    }

    @Test("every byte of header, index and trailer", arguments: 0..<4)
    func everyByteOfTheFrame(part: Int) throws {
        var random = FaultRandom(seed: UInt64(part))
        let (first, second, index) = try Self.sample([5, 6, 7])
        let all = Array(0..<SnapshotFormat.headerSize) + Array(index..<second.count)
        for offset in all where offset % 4 == part {
            var damaged = second
            damaged[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            try Self.expectFallback(first, damaged, "byte \(offset)")
        }
    }

    @Test("one bit in every block")
    func everyBlock() throws {
        var random = FaultRandom(seed: 5)
        let block = SnapshotFormat.blockSize
        let (first, second, _) = try Self.sample([UInt8](repeating: 3, count: 4 * block + 77))
        for number in 0..<5 {
            var damaged = second
            let start = SnapshotFormat.headerSize + number * block
            let offset = Int.random(in: start..<start + (number < 4 ? block : 77), using: &random)
            damaged[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            try Self.expectFallback(first, damaged, "block \(number), byte \(offset)")
        }
    }

    @Test("10,000 random changes", arguments: 0..<20 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var random = FaultRandom(seed: 100 + seed)
        let (first, second, _) = try Self.sample(SnapshotStoreTests.content(seed))
        for _ in 0..<500 {
            var damaged = second
            let offset = Int.random(in: 0..<second.count, using: &random)
            damaged[offset] ^= UInt8.random(in: 1...255, using: &random)
            try Self.expectFallback(first, damaged, "byte \(offset)")
        }
    }

    @Test("every truncation of the end, and some of the rest")
    func truncations() throws {
        let (first, second, index) = try Self.sample([5, 6, 7])
        for length in Array(stride(from: 0, to: index, by: 97)) + Array(index..<second.count) {
            try Self.expectFallback(first, Array(second[..<length]), "cut to \(length)")
        }
    }
}
