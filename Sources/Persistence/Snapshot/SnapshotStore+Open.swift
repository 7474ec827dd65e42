internal import LinuxSystem

/// A snapshot that could not be used, and what became of it: one line for the log.
public struct SkippedSnapshot: Sendable, CustomStringConvertible {
    /// Its name in the store.
    public let name: SnapshotName
    /// What was wrong with it.
    public let error: PersistenceError
    /// Where it was moved, nil where it was left in place.
    public let quarantinedAs: String?
    /// Why a damaged one could not be moved.
    public let quarantineFailure: PersistenceError?

    public var description: String {
        if let quarantinedAs { return "skipped \(error); moved to \(quarantinedAs)" }
        if let quarantineFailure { return "skipped \(error); could not be set aside: \(quarantineFailure)" }
        return "skipped \(error); left in place"
    }
}

/// What a store found at start.
public struct NewestSnapshot {
    /// The newest good snapshot, fully verified; nil where there is none.
    public let reader: SnapshotReader?
    /// The newer ones that were skipped, newest first. Each deserves a line in the log.
    public let skipped: [SkippedSnapshot]
}

extension SnapshotStore {
    /// Opens and verifies the newest snapshot; where it is not good, the one before, and so on. Damaged ones are moved
    /// to `quarantine/`. One by a newer program, or one that the system could not read just now, is skipped but left.
    /// Throws only where the directory cannot be listed.
    public func openNewestValid() throws(PersistenceError) -> NewestSnapshot {
        var skipped: [SkippedSnapshot] = []
        for name in try list() {
            do throws(PersistenceError) {
                let reader = try SnapshotReader(path(of: name), fileSystem: fileSystem)
                guard reader.header.position == name.position else {
                    throw .damaged(
                        file: path(of: name), offset: 16, what: "holds position \(reader.header.position), not its name's")
                }
                try reader.verifyAll()
                return NewestSnapshot(reader: reader, skipped: skipped)
            } catch {
                skipped.append(setAside(name, because: error))
            }
        }
        return NewestSnapshot(reader: nil, skipped: skipped)
    }

    /// Sets a snapshot aside that verified but whose content the caller could not use; then `openNewestValid` finds
    /// the one before.
    public func quarantine(_ name: SnapshotName, because error: PersistenceError) -> SkippedSnapshot {
        do throws(PersistenceError) {
            let place = try moveToQuarantine(name)
            return SkippedSnapshot(name: name, error: error, quarantinedAs: place, quarantineFailure: nil)
        } catch let failure {
            return SkippedSnapshot(name: name, error: error, quarantinedAs: nil, quarantineFailure: failure)
        }
    }

    private func setAside(_ name: SnapshotName, because error: PersistenceError) -> SkippedSnapshot {
        guard case .damaged = error else {
            return SkippedSnapshot(name: name, error: error, quarantinedAs: nil, quarantineFailure: nil)
        }
        return quarantine(name, because: error)
    }

    private func moveToQuarantine(_ name: SnapshotName) throws(PersistenceError) -> String {
        let quarantine = path("quarantine")
        try fileSystem.createDurably(directory: quarantine)
        return try system { () throws(SystemError) in
            let taken = Set(try fileSystem.list(quarantine))
            let candidates = [name.fileName] + (2...).lazy.prefix(taken.count + 1).map { "\(name.fileName).\($0)" }
            let place = "\(quarantine)/\(candidates.first { !taken.contains($0) } ?? name.fileName)"
            try fileSystem.renameExclusive(path(of: name), to: place)
            // First the new name, then the loss of the old one: a power cut between leaves both, never neither.
            try fileSystem.syncDirectory(quarantine)
            try fileSystem.syncDirectory(directory)
            return place
        }
    }
}
