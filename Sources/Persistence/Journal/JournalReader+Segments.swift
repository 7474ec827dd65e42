extension JournalReader {
    /// A segment file, for a person to look at.
    public struct Segment: Equatable, Sendable {
        /// The file's name in the journal's directory.
        public let name: String
        /// The number of its first record.
        public let firstNumber: UInt64
        /// The file's size, reserved space included.
        public let bytes: UInt64
    }

    /// The segments of a directory, oldest first. Throws `damaged` for one whose header does not hold, `newerVersion`, `system`.
    public static func segments(
        of directory: String, fileSystem: any FileSystem = LinuxFileSystem()
    ) throws(PersistenceError) -> [Segment] {
        let inventory = try JournalInventory(directory, fileSystem: fileSystem)
        if let fault = inventory.headerFault { throw fault }
        return inventory.segments.map { Segment(name: String($0.path.dropFirst(directory.utf8.count + 1)), firstNumber: $0.header.firstNumber, bytes: $0.size) }
    }
}
