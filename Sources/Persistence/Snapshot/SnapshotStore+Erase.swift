internal import LinuxSystem

extension SnapshotStore {
    /// Removes every snapshot but the newest, and what was set aside, and makes that durable: for what must be forgotten.
    /// - Returns: how many files went.
    public func removeAllButNewest() throws(PersistenceError) -> Int {
        let older = try list().dropFirst()
        return try system { () throws(SystemError) in
            for name in older { try fileSystem.remove(path(of: name)) }
            if !older.isEmpty { try fileSystem.syncDirectory(directory) }
            return older.count + (try fileSystem.removeAll(in: path("quarantine")))
        }
    }
}

extension FileSystem {
    /// Removes all files of a directory, durably; none where there is no such directory.
    func removeAll(in directory: String) throws(SystemError) -> Int {
        do throws(SystemError) {
            let names = try list(directory)
            for name in names { try remove("\(directory)/\(name)") }
            if !names.isEmpty { try syncDirectory(directory) }
            return names.count
        } catch where error.code == missingErrorCode {
            return 0
        }
    }
}

extension Journal {
    /// Removes what `repair` has cut out: for what must be forgotten.
    /// - Returns: how many files went.
    public func removeQuarantine() throws(PersistenceError) -> Int {
        try system { () throws(SystemError) in try fileSystem.removeAll(in: "\(directory)/quarantine") }
    }
}
