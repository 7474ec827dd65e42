import Glibc
import LinuxSystem
import Testing

@testable import Persistence

/// Promises 4, 5, 6, 10 and 11 for snapshots: every call may fail, power may go at every call, and a good snapshot of
/// before is always found.
@Suite("Snapshot store under faults")
struct SnapshotFaultTests {
    /// A disk with good snapshots at positions 1 and 2.
    private func prepared() throws -> MemoryFileSystem {
        let disk = MemoryFileSystem()
        let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: disk)
        try SnapshotStoreTests.write(store, 1)
        try SnapshotStoreTests.write(store, 2)
        return disk
    }

    /// How many operations one start and one snapshot make without faults.
    private func operationsOfAWrite() throws -> Int {
        let disk = try prepared()
        disk.setFaults(.init())
        let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: disk)
        try SnapshotStoreTests.write(store, 3, expectedSize: 9000)
        return disk.calls
    }

    @Test("any one call may fail: older snapshots stay, a reported success is a good snapshot, the next attempt works",
        arguments: [EIO, ENOSPC, EROFS, EMFILE])
    func anyCallFails(code: Int32) throws {
        let count = try operationsOfAWrite()
        #expect(count > 15)
        for failing in 1...count {
            let disk = try prepared()
            disk.setFaults(.init(failAt: failing, code: code))
            var stored: StoredSnapshot?
            let error = failure { () throws(PersistenceError) in
                let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: disk)
                stored = try SnapshotStoreTests.write(store, 3, expectedSize: 9000)
            }
            #expect(error != nil || stored?.removalFailure != nil, "operation \(failing) failed unnoticed")
            disk.setFaults(.init())
            let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: disk)
            let found = try SnapshotStoreTests.newest(store)
            #expect(found.skipped.isEmpty)
            #expect(found.position == (stored == nil ? 2 : 3), "operation \(failing)")
            #expect(!disk.names.contains { $0.hasSuffix(".tmp") })
            try SnapshotStoreTests.write(store, 4)
            #expect(try SnapshotStoreTests.newest(store).position == 4)
            #expect(!disk.syncedAfterFailure)
        }
    }

    @Test("power may go at any call: what was reported durable is found, else the one before; nothing is half there",
        arguments: 0..<20 as Range<UInt64>)
    func powerCut(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let count = try operationsOfAWrite()
        for cut in 1...count + 1 {
            let disk = try prepared()
            disk.setFaults(.init(failAt: cut, stopThere: true))
            var stored: StoredSnapshot?
            _ = failure { () throws(PersistenceError) in
                let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: disk)
                stored = try SnapshotStoreTests.write(store, 3, expectedSize: 9000)
            }
            let after = disk.afterPowerCut(&random)
            let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: after)
            let found = try SnapshotStoreTests.newest(store)
            #expect(found.skipped.isEmpty, "cut at \(cut) left a damaged snapshot")
            if stored == nil {
                #expect(found.position == 2 || found.position == 3)
            } else {
                #expect(found.position == 3, "cut at \(cut) lost a snapshot that was reported durable")
            }
        }
    }

    @Test("a process killed at any call leaves the same: everything it did is there, nothing more")
    func killed() throws {
        for kill in 1...(try operationsOfAWrite()) {
            let disk = try prepared()
            disk.setFaults(.init(failAt: kill, stopThere: true))
            _ = failure { () throws(PersistenceError) in
                let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: disk)
                try SnapshotStoreTests.write(store, 3)
            }
            disk.setFaults(.init())
            let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: disk)
            let found = try SnapshotStoreTests.newest(store)
            #expect(found.skipped.isEmpty && (found.position == 2 || found.position == 3))
        }
    }

    @Test("the test disk itself: without the syncs, power cuts do lose snapshots")
    func control() throws {
        var random = SeededRandom(5)
        var bad = 0
        for _ in 0..<50 {
            let disk = MemoryFileSystem()
            try SnapshotFormatTests.snapshot(disk, "d/.snap-3.tmp", [("rows", SnapshotStoreTests.content(3))])
            try disk.renameExclusive("d/.snap-3.tmp", to: "d/snapshot-00000000000000000003-1.factord")
            let store = try SnapshotStore(directory: "d", fileSystem: disk.afterPowerCut(&random))
            if try store.openNewestValid().reader == nil { bad += 1 }
        }
        #expect(bad > 25)
    }

    @Test("a full disk shows when space is reserved, or at the write where it was not; it heals")
    func diskFull() throws {
        for expected in [UInt64(0), 9000] {
            let disk = try prepared()
            let used = disk.names.reduce(0) { $0 + (disk.content($1)?.count ?? 0) }
            for room in stride(from: 0, to: 7000, by: 500) {
                disk.setFaults(.init(longestWrite: 1000, capacity: used + room))
                let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: disk)
                let error = failure { () throws(PersistenceError) in
                    try SnapshotStoreTests.write(store, 3, expectedSize: expected)
                }
                guard case .system(let cause) = error, cause.code == ENOSPC else {
                    Issue.record("room for \(room) bytes: \(String(describing: error))")
                    continue
                }
                #expect(try SnapshotStoreTests.newest(store).position == 2)
                #expect(!disk.names.contains { $0.hasSuffix(".tmp") })
            }
            disk.setFaults(.init())
            let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: disk)
            try SnapshotStoreTests.write(store, 3)
            #expect(try SnapshotStoreTests.newest(store).position == 3)
        }
    }

    @Test("a failed fsync ends the attempt and is never repeated on that file")
    func failedSync() throws {
        let disk = try prepared()
        let store = try SnapshotStore(directory: "d", retained: 2, fileSystem: disk)
        disk.setFaults(.failingSyncs)
        for position in [UInt64(3), 3, 4] {
            #expect(throws: PersistenceError.self) { try SnapshotStoreTests.write(store, position) }
        }
        #expect(!disk.syncedAfterFailure)
        #expect(try SnapshotStoreTests.newest(store).position == 2)
        disk.setFaults(.init())
        try SnapshotStoreTests.write(store, 4)
        #expect(try SnapshotStoreTests.newest(store).position == 4)
    }
}
