import Glibc
import LinuxSystem
import Testing

@testable import Persistence

/// Snapshots that are longer than a buffer: a thread of its own writes them, on a real disk past the page cache.
@Suite("Snapshot output")
struct SnapshotOutputTests {
    /// Sections whose ends lie beside those of blocks and buffers.
    private static func sections(_ seed: UInt64) -> [(String, [UInt8])] {
        var random = SeededRandom(seed)
        return [("small", 77), ("long", 9 << 20 | 5), ("empty", 0), ("block", 1 << 20), ("rest", 3 << 20 - 4096 - 82)].map { ($0, random.bytes($1)) }
    }

    @discardableResult
    private static func write(_ store: SnapshotStore, _ position: UInt64, _ sections: [(String, [UInt8])]) throws(PersistenceError) -> StoredSnapshot {
        try store.write(SnapshotHeader(position: position), expectedSize: 4 << 20) { (writer) throws(PersistenceError) in
            for (name, bytes) in sections { try writer.section(name, bytes) }
        }
    }

    @Test func readsBackWhatWasWritten() throws {
        let sections = Self.sections(1)
        try withScratchDirectory { directory in
            let disks: [any FileSystem] = [LinuxFileSystem(), MemoryFileSystem(), FaultyFileSystem()]
            (disks[2] as? FaultyFileSystem)?.setFaults(.init(shortWriteSeed: 3))
            for (number, disk) in disks.enumerated() {
                let store = try SnapshotStore(directory: "\(directory)/\(number)", fileSystem: disk)
                let stored = try Self.write(store, 3, sections), reader = try SnapshotReader(stored.path, fileSystem: disk)
                try reader.verifyAll()
                #expect(reader.size == stored.size)
                for (name, bytes) in sections { #expect(try reader.bytes(name) == bytes, "\(name) on disk \(number)") }
            }
        }
    }

    @Test func anyCallMayFail() throws {
        let sections = Self.sections(2)
        func prepared() throws -> MemoryFileSystem {
            let disk = MemoryFileSystem()
            try Self.write(try SnapshotStore(directory: "d", retained: 2, fileSystem: disk), 1, [("small", [1, 2, 3])])
            return disk
        }
        let counted = try prepared()
        counted.setFaults(.init())
        try Self.write(try SnapshotStore(directory: "d", retained: 2, fileSystem: counted), 2, sections)
        #expect(counted.log.filter { $0.hasPrefix("write ") }.count >= 4, "more than one buffer")
        for failing in 1...counted.calls {
            let disk = try prepared()
            disk.setFaults(.init(failAt: failing, code: ENOSPC))
            var stored: StoredSnapshot?
            let error = failure { () throws(PersistenceError) in
                stored = try Self.write(try SnapshotStore(directory: "d", retained: 2, fileSystem: disk), 2, sections)
            }
            #expect(error != nil || stored?.removalFailure != nil, "operation \(failing) failed unnoticed")
            disk.setFaults(.init())
            let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: disk)
            #expect(try store.openNewestValid().reader?.header.position == (stored == nil ? 1 : 2), "operation \(failing)")
            #expect(!disk.names.contains { $0.hasSuffix(".tmp") } && !disk.syncedAfterFailure)
        }
    }

    @Test func aWriterThatIsGivenUpLeavesNothing() throws {
        let disk = MemoryFileSystem(), store = try SnapshotStore(directory: "d", fileSystem: disk)
        let error = failure { () throws(PersistenceError) in
            try store.write(SnapshotHeader(position: 1)) { (writer) throws(PersistenceError) in
                try writer.section("long", [UInt8](repeating: 7, count: 6 << 20))
                throw .contentRefused(file: writer.path, reason: "enough")
            }
        }
        #expect(error != nil && disk.names.isEmpty)
    }

    /// The lanes of the instruction, and the joining of sums, against the definition bit by bit.
    @Test func sumsAreThoseOfTheDefinition() {
        func defined(_ bytes: [UInt8], from sum: UInt32) -> UInt32 {
            ~bytes.reduce(~sum) { crc, byte in (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0x82F6_3B78 : 0) } }
        }
        var random = SeededRandom(5)
        for count in [0, 1, 7, 8, 3071, 3072, 3079, 49_151, 49_152, 49_160, 52_300] {
            let bytes = random.bytes(count), start = UInt32(truncatingIfNeeded: random.next()), wanted = defined(bytes, from: start)
            #expect(bytes.withUnsafeBytes { crc32c($0, from: start) } == wanted, "\(count) bytes")
            let cut = count / 3, first = defined(Array(bytes[..<cut]), from: start), second = defined(Array(bytes[cut...]), from: 0)
            #expect(crc32c(first, followedBy: second, of: count - cut) == wanted, "\(cut) and \(count - cut) bytes")
        }
    }
}
