import Glibc
import LinuxSystem
import Testing

@testable import Persistence

@Suite("Snapshot store")
struct SnapshotStoreTests {
    /// Content that follows from the position, so that a reader can tell whether it is what was written.
    static func content(_ position: UInt64) -> [UInt8] {
        var random = SeededRandom(position)
        return random.bytes(3000)
    }

    @discardableResult
    static func write(
        _ store: SnapshotStore, _ position: UInt64, expectedSize: UInt64 = 0
    ) throws(PersistenceError) -> StoredSnapshot {
        try store.write(SnapshotHeader(position: position), expectedSize: expectedSize) { writer throws(PersistenceError) in
            try writer.section("rows", content(position))
            try writer.section("empty", [])
        }
    }

    /// The position of the newest good snapshot, nil for none; its content must be what was written there.
    static func newest(_ store: SnapshotStore) throws -> (position: UInt64?, skipped: [SkippedSnapshot]) {
        let found = try store.openNewestValid()
        guard let reader = found.reader else { return (nil, found.skipped) }
        #expect(try reader.bytes("rows") == content(reader.header.position))
        return (reader.header.position, found.skipped)
    }

    @Test("on a real disk: modes, names, retention, a second snapshot of a position, a new start")
    func realDisk() throws {
        try withScratchDirectory { scratch in
            let directory = "\(scratch)/a/b/snapshots"
            do {
                let store = try SnapshotStore(directory: directory, retained: 2)
                #expect(try Self.newest(store).position == nil)
                #expect(try Self.write(store, 5, expectedSize: 1 << 20).name.fileName == "snapshot-00000000000000000005-1.factord")
                #expect(try Self.write(store, 5).name.number == 2)
                let third = try Self.write(store, 40)
                #expect(third.removed == [SnapshotName(position: 5, number: 1)] && third.removalFailure == nil)
                var status = stat()
                #expect(stat(third.path, &status) == 0 && status.st_mode & 0o777 == 0o600 && UInt64(status.st_size) == third.size)
                #expect(stat(directory, &status) == 0 && status.st_mode & 0o777 == 0o700)
            }
            try File("\(directory)/.snap-77.tmp", .createExclusive).close()
            let store = try SnapshotStore(directory: directory, retained: 2)
            #expect(try Set(Directory.list(directory)) == [
                ".lock", "snapshot-00000000000000000005-2.factord", "snapshot-00000000000000000040-1.factord",
            ])
            #expect(try Self.newest(store).position == 40)
        }
    }

    @Test("two stores never share a directory; the refusal names the process, and the lock goes with its owner")
    func locked() throws {
        try withScratchDirectory { scratch in
            let first = try SnapshotStore(directory: scratch)
            let refused = failure { () throws(PersistenceError) in _ = try SnapshotStore(directory: scratch) }
            #expect(refused == .directoryInUse(directory: scratch, process: getpid()))
            withExtendedLifetime(first) {}
        }
        try withScratchDirectory { scratch in
            _ = try SnapshotStore(directory: scratch)
            _ = try SnapshotStore(directory: scratch)
        }
    }

    @Test("a damaged snapshot is set aside with a report, the one before is used; newer formats stay in place")
    func fallback() throws {
        try withScratchDirectory { scratch in
            let store = try SnapshotStore(directory: scratch, retained: 5)
            for position in [UInt64(1), 2, 3] { try Self.write(store, position) }
            let third = store.path(of: SnapshotName(position: 3, number: 1))
            let size = try SnapshotReader(third).size
            try File(third, .append).truncate(to: size - 1)
            let newer = SnapshotFormat.encode(SnapshotHeader(position: 9), version: 2)
            try File("\(scratch)/snapshot-00000000000000000009-1.factord", .createExclusive).writeAll(newer)
            let found = try Self.newest(store)
            #expect(found.position == 2)
            #expect(found.skipped.map(\.name.position) == [9, 3])
            #expect(found.skipped.first?.quarantinedAs == nil)
            let place = "\(scratch)/quarantine/snapshot-00000000000000000003-1.factord"
            #expect(found.skipped.last?.quarantinedAs == place)
            #expect(found.skipped.last?.description.contains(place) == true)
            #expect(try store.list().map(\.position) == [9, 2, 1])
            // The same name may be damaged again, after another start.
            try Self.write(store, 3)
            try File(third, .append).truncate(to: 100)
            #expect(try Self.newest(store).skipped.last?.quarantinedAs == place + ".2")
        }
    }

    @Test("a file under another's name is damage; strange names are left alone")
    func names() throws {
        try withScratchDirectory { scratch in
            let store = try SnapshotStore(directory: scratch)
            let good = try Self.write(store, 4)
            try Directory.renameExclusive(good.path, to: store.path(of: SnapshotName(position: 6, number: 1)))
            for name in ["snapshot-5-1.factord", "snapshot-00000000000000000005-01.factord", "notes", "snapshot-.factord"] {
                try File("\(scratch)/\(name)", .createExclusive).close()
            }
            #expect(try store.list() == [SnapshotName(position: 6, number: 1)])
            #expect(try Self.newest(store).position == nil)
        }
    }

    @Test("retention counts good snapshots only, and spares those of a newer program")
    func retention() throws {
        let disk = MemoryFileSystem()
        let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: disk)
        try Self.write(store, 1)
        try Self.write(store, 2)
        disk.setContent("d/snapshot-00000000000000000003-1.factord", [1, 2, 3])
        disk.setContent(
            "d/snapshot-00000000000000000009-1.factord", SnapshotFormat.encode(SnapshotHeader(position: 9), version: 2))
        #expect(try Self.write(store, 4).removed == [SnapshotName(position: 1, number: 1)])
        #expect(try Self.newest(store).position == 4)
        #expect(try Self.write(store, 5).removed.map(\.position) == [3, 2])
        #expect(try store.list().map(\.position) == [9, 5, 4])
    }

    @Test("content that the caller refuses, or a journal that is not durable, leaves no trace")
    func refused() throws {
        let disk = MemoryFileSystem()
        let store = try SnapshotStore(directory: "d", fileSystem: disk)
        try Self.write(store, 1)
        let before = disk.names
        let refusal = PersistenceError.contentRefused(file: "d", reason: "not finite")
        #expect(failure { () throws(PersistenceError) in
            try store.write(SnapshotHeader(position: 2)) { writer throws(PersistenceError) in
                try writer.begin("rows")
                throw refusal
            }
        } == refusal)
        var sawWholeFile = false
        #expect(failure { () throws(PersistenceError) in
            try store.write(
                SnapshotHeader(position: 2),
                beforeRename: { () throws(PersistenceError) in
                    sawWholeFile = disk.names.contains("d/.snap-2.tmp")
                    throw refusal
                }, body: { writer throws(PersistenceError) in try writer.section("rows", [1]) })
        } == refusal)
        #expect(sawWholeFile && disk.names == before)
    }

    @Test("a writer whose caller swallowed an error cannot be finished")
    func swallowed() throws {
        let disk = MemoryFileSystem()
        let store = try SnapshotStore(directory: "d", fileSystem: disk)
        disk.setFaults(.init(capacity: 8000))
        #expect(throws: PersistenceError.self) {
            try store.write(SnapshotHeader(position: 2)) { writer throws(PersistenceError) in
                do throws(PersistenceError) { try writer.section("rows", [UInt8](repeating: 1, count: 9000)) } catch {}
            }
        }
        disk.setFaults(.init())
        #expect(try store.list().isEmpty)
    }
}
