internal import LinuxSystem

/// A snapshot that is whole, verified and durable under its final name.
public struct StoredSnapshot: Sendable {
    /// Its name in the store.
    public let name: SnapshotName
    /// Its path.
    public let path: String
    /// Its size in bytes.
    public let size: UInt64
    /// Nanoseconds that reading it back took.
    public let verifyNanoseconds: Int64
    /// Nanoseconds after it stood that removing older ones took.
    public let pruneNanoseconds: Int64
    /// Older snapshots that were removed, because enough good ones are kept.
    public let removed: [SnapshotName]
    /// Why not every old snapshot could be removed; the new one is good all the same.
    public let removalFailure: PersistenceError?
}

extension SnapshotStore {
    /// Writes a snapshot: a temporary file, its sections by `body`, fsync, close, read back and verify, `beforeRename`,
    /// rename to a new name, fsync of the directory. Then removes snapshots beyond the number to keep.
    ///
    /// - Parameters:
    ///   - expectedSize: bytes to reserve first, so that a full disk shows before the work; 0 reserves nothing.
    ///   - rate: a limit on the speed of writing, half of that of reading back; nil for none.
    ///   - beforeRename: called when the file is good; the place to make the journal durable up to the snapshot's
    ///     position (the write-ahead rule). When it throws, there is no snapshot.
    ///   - body: writes the sections. May throw `contentRefused` to give up.
    /// - Throws: the first error. Nothing of the attempt is left then, save what the disk refuses to remove (cleared at
    ///   the next start or attempt), and older snapshots are untouched. A file whose fsync failed is never synced again.
    @discardableResult
    public func write(
        _ header: SnapshotHeader, expectedSize: UInt64 = 0, rate: SnapshotWriteRate? = nil,
        beforeRename: () throws(PersistenceError) -> Void = {},
        body: (SnapshotWriter) throws(PersistenceError) -> Void
    ) throws(PersistenceError) -> StoredSnapshot {
        let temporary = path(SnapshotName.temporary(position: header.position))
        let file = try fileSystem.createTemporary(temporary, isLarge: true)
        let size: UInt64
        let name: SnapshotName
        let verifyNanoseconds: Int64
        var writing: SnapshotWriter?
        do throws(PersistenceError) {
            let writer = try SnapshotWriter(file: file, header: header, expectedSize: expectedSize, rate: rate)
            writing = writer
            try body(writer)
            try writer.finish()
            size = writer.size
            try system { () throws(SystemError) in
                try file.sync()
                file.dropCache()
                try file.close()
            }
            let start = MonotonicClock.nanoseconds
            try verify(temporary, header: header, size: size, rate)
            verifyNanoseconds = MonotonicClock.nanoseconds - start
            try beforeRename()
            name = try rename(temporary, position: header.position)
        } catch {
            writing?.abandon()
            try? file.close()
            try? fileSystem.remove(temporary)
            throw error
        }
        do throws(SystemError) {
            try fileSystem.syncDirectory(directory)
        } catch {
            // The name may or may not outlive a power cut: it must not count as a snapshot that others rely on.
            try? fileSystem.remove(path(of: name))
            throw .system(error)
        }
        let stood = MonotonicClock.nanoseconds, pruned = prune(newest: name)
        return StoredSnapshot(
            name: name, path: path(of: name), size: size, verifyNanoseconds: verifyNanoseconds,
            pruneNanoseconds: MonotonicClock.nanoseconds - stood, removed: pruned.removed, removalFailure: pruned.failure)
    }

    private func verify(
        _ path: String, header: SnapshotHeader, size: UInt64, _ rate: SnapshotWriteRate?
    ) throws(PersistenceError) {
        let reader = try SnapshotReader(path, fileSystem: fileSystem)
        try reader.verifyAll(rate: rate?.times(2))
        guard reader.header == header, reader.size == size else {
            throw .damaged(file: path, offset: 0, what: "reads back differently from what was written")
        }
    }

    /// Gives the finished file the first free number of its position; never replaces a file.
    private func rename(_ temporary: String, position: UInt64) throws(PersistenceError) -> SnapshotName {
        let taken = try list().filter { $0.position == position }.map(\.number).max() ?? 0
        let name = SnapshotName(position: position, number: taken + 1)
        try system { () throws(SystemError) in try fileSystem.renameExclusive(temporary, to: path(of: name)) }
        return name
    }

    /// Removes what is older than the last `retained` good snapshots. A damaged one does not count as kept, and one by
    /// a newer program is neither counted nor removed: its owner may come back for it.
    private func prune(newest: SnapshotName) -> (removed: [SnapshotName], failure: PersistenceError?) {
        var removed: [SnapshotName] = []
        do throws(PersistenceError) {
            var good = 1
            for name in try list() where name != newest {
                do throws(PersistenceError) {
                    _ = try SnapshotReader(path(of: name), fileSystem: fileSystem)
                    good += 1
                    if good <= retained { continue }
                } catch .newerVersion {
                    continue
                } catch .damaged {
                    if good < retained { continue }
                }
                try system { () throws(SystemError) in try fileSystem.remove(path(of: name)) }
                removed.append(name)
            }
            if !removed.isEmpty {
                try system { () throws(SystemError) in try fileSystem.syncDirectory(directory) }
            }
            return (removed, nil)
        } catch {
            return (removed, error)
        }
    }
}
