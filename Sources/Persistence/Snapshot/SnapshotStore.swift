internal import LinuxSystem

/// The snapshots in one directory: writes new ones so that a crash at any moment leaves the older ones whole, keeps
/// the last few, and finds the newest that is good.
///
/// Threads: one at a time (the snapshot thread; before it starts, the thread that recovers).
/// One process: the store holds an advisory lock on `<directory>/.lock` as long as it lives.
/// Programs that only look may open `SnapshotReader`s on the files without a store.
public final class SnapshotStore {
    /// Where the snapshots lie.
    public let directory: String
    /// How many good snapshots are kept.
    public private(set) var retained: Int

    let fileSystem: any FileSystem
    private let lock: any HeldLock

    /// Opens the directory, creating it (mode 0700) where missing, locks it, and removes what unfinished snapshots left.
    /// `retained` is at least 1. Throws `directoryInUse` or `system`.
    public init(
        directory: String, retained: Int = 3, fileSystem: any FileSystem = LinuxFileSystem()
    ) throws(PersistenceError) {
        precondition(retained >= 1, "a store that keeps no snapshot would delete what it has just written")
        self.directory = directory
        self.retained = retained
        self.fileSystem = fileSystem
        try fileSystem.createDurably(directory: directory)
        do throws(FileLockError) {
            lock = try fileSystem.lock("\(directory)/.lock")
        } catch {
            switch error {
            case .held(_, let process): throw .directoryInUse(directory: directory, process: process)
            case .system(let cause): throw .system(cause)
            }
        }
        try system { () throws(SystemError) in
            for name in try fileSystem.list(directory) where SnapshotName.isTemporary(name) {
                try fileSystem.remove(path(name))
            }
        }
    }

    /// Keeps so many from the next snapshot on, 1 at least.
    public func retain(_ count: Int) {
        precondition(count >= 1, "a store that keeps no snapshot would delete what it has just written")
        retained = count
    }

    /// The snapshots by name, newest first, good or not.
    public func list() throws(PersistenceError) -> [SnapshotName] {
        try system { () throws(SystemError) in try fileSystem.list(directory) }
            .compactMap(SnapshotName.init(fileName:)).sorted(by: >)
    }

    /// The path of a snapshot in this store.
    public func path(of name: SnapshotName) -> String { path(name.fileName) }

    func path(_ fileName: String) -> String { "\(directory)/\(fileName)" }
}

extension FileSystem {
    /// Creates a directory and the missing ones above it; each new name is durable when this returns.
    func createDurably(directory: String) throws(PersistenceError) {
        var parts = directory.split(separator: "/", omittingEmptySubsequences: true)[...]
        let root = directory.hasPrefix("/") ? "/" : ""
        var missing: [Substring] = []
        // From the inside out, so that nothing is asked of parents which only others may read.
        while let last = parts.last {
            let path = root + parts.joined(separator: "/")
            do throws(SystemError) {
                if try createDirectory(path) { try syncDirectory(Self.parent(of: parts, root: root)) }
                break
            } catch {
                guard error.code == missingErrorCode, parts.count > 1 else { throw .system(error) }
                missing.append(last)
                parts.removeLast()
            }
        }
        for name in missing.reversed() {
            let parent = root + parts.joined(separator: "/")
            parts = parts + [name]
            let path = root + parts.joined(separator: "/")
            try system { () throws(SystemError) in
                if try createDirectory(path) { try syncDirectory(parent) }
            }
        }
    }

    private static func parent(of parts: ArraySlice<Substring>, root: String) -> String {
        let above = root + parts.dropLast().joined(separator: "/")
        return above.isEmpty ? "." : above
    }
}
