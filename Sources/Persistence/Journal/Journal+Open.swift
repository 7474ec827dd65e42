internal import LinuxSystem
internal import Synchronization

extension Journal {
    /// Opens the journal of a directory (created, mode 0700, where missing): locks it, checks all records, cuts a torn
    /// tail, and begins a new segment. Then someone must run the journal thread: `run`, or `step`.
    ///
    /// - Parameters:
    ///   - configuration: what records are learned under from now on, in the caller's form; goes into segment headers.
    ///   - verifyAfter: segments that hold no record after this position are not read through, only their headers: a
    ///     start that has a snapshot need not read what it will not apply. 0 reads everything.
    /// - Throws: `directoryInUse`; `damaged` where a record that had been durable no longer holds, with what to do
    ///   about it; `newerVersion`; `system`. Nothing is lost then.
    public static func open(
        directory: String, settings: JournalSettings = JournalSettings(), configuration: [UInt8] = [], verifyAfter: UInt64 = 0,
        fileSystem: any FileSystem = LinuxFileSystem()
    ) throws(PersistenceError) -> (journal: Journal, scan: JournalScan) {
        precondition(JournalFormat.headerSize(configuration: configuration.count) <= JournalFormat.headerLimit, "configuration too long")
        try fileSystem.createDurably(directory: directory)
        let lock = try lock(directory, fileSystem: fileSystem)
        let inventory = try JournalInventory(directory, fileSystem: fileSystem)
        if let fault = inventory.headerFault { throw fault }
        try settle(inventory.segments.last, fileSystem: fileSystem)
        let scanner = try JournalScanner(inventory, after: verifyAfter, fileSystem: fileSystem)
        if let damage = scanner.damage { throw damage.error(directory: directory) }
        try system { () throws(SystemError) in
            for name in inventory.temporaries { try fileSystem.remove("\(directory)/\(name)") }
        }
        try cut(inventory.segments.last, end: scanner.ends.last ?? nil, fileSystem: fileSystem)

        let journal = try Journal(
            directory: directory, settings: settings, configuration: configuration, fileSystem: fileSystem, lock: lock,
            scan: scanner.scan, inventory: inventory)
        journal.ceiling.store(inventory.ceiling, ordering: .releasing)
        // Segments without records at the end are of starts that came to nothing. The new one takes over what they said
        // about the records before.
        let empty = zip(inventory.segments, scanner.ends).reversed().prefix { $0.1.map { !$0.hasRecords } ?? false }.map(\.0)
        try journal.createSegment(after: journal.writer.written, durableThrough: empty.last?.header.durableThrough)
        try journal.remove(empty)
        if journal.ceilingIsLow { try journal.raiseCeilingOrThrow() }
        return (journal, scanner.scan)
    }

    static func lock(_ directory: String, fileSystem: any FileSystem) throws(PersistenceError) -> any HeldLock {
        do throws(FileLockError) {
            return try fileSystem.lock("\(directory)/.lock")
        } catch {
            switch error {
            case .held(_, let process): throw .directoryInUse(directory: directory, process: process)
            case .system(let cause): throw .system(cause)
            }
        }
    }

    /// Makes what the last user left unsynced durable, and then forgets the cached pages: after an fsync that failed
    /// these may show what the disk does not have, and a record found there would be taken for durable.
    private static func settle(_ last: JournalSegment?, fileSystem: any FileSystem) throws(PersistenceError) {
        guard let last else { return }
        try system { () throws(SystemError) in
            let file = try fileSystem.openAppending(last.path)
            try file.syncData()
            file.dropCache()
            try file.close()
        }
    }

    /// Takes a torn tail, and space that was reserved and not used, off the last segment.
    private static func cut(
        _ last: JournalSegment?, end: JournalScanner.End?, fileSystem: any FileSystem
    ) throws(PersistenceError) {
        guard let last, let end, end.offset < last.size else { return }
        try system { () throws(SystemError) in
            let file = try fileSystem.openAppending(last.path)
            try file.truncate(to: end.offset)
            try file.syncData()
            try file.close()
        }
    }

    /// Newest first, so that what a power cut leaves is still a chain.
    private func remove(_ empty: [JournalSegment]) throws(PersistenceError) {
        for segment in empty {
            try system { () throws(SystemError) in
                try fileSystem.remove(segment.path)
                try fileSystem.syncDirectory(directory)
            }
            shared.withLock { $0.segments.removeAll { $0.path == segment.path } }
        }
    }
}
