internal import LinuxSystem

/// Writes one snapshot file, front to back: `begin`, `append`…, `end` for each section, then the store finishes it.
///
/// Memory: one block (1 MiB) and the index, whatever the sections' size. Bytes are copied into the block before they
/// are checksummed, so a checksum never describes memory that changed before it was written.
/// Threads: one. Errors: after the first one the file is worthless; every later call throws the same error again.
public final class SnapshotWriter {
    /// The path of the file, still a temporary name.
    public var path: String { file.path }
    /// Bytes written or buffered so far.
    public private(set) var size: UInt64 = 0
    /// Whether the rate holds for what is written now; what somebody waits for can go without.
    public var isPaced = true

    private let file: any OpenFile
    private let block: UnsafeMutableRawBufferPointer
    private var pace: WritePace?
    private var filled = 0
    private var fileChecksum: UInt32 = 0
    private var sections: [SnapshotSection] = []
    private var names: Set<String> = []
    private var sectionIsOpen = false
    private var writebackStart: UInt64 = 0
    private var failure: PersistenceError?

    /// After how many bytes the kernel is told to begin writing, so that the final sync is short.
    private static let writebackStep: UInt64 = 16 << 20

    /// Starts a snapshot in a new, empty file by writing the header. `expectedSize` (bytes, 0 where unknown) is
    /// reserved at once, so that a full disk shows before the work; a wrong guess costs nothing else.
    init(
        file: any OpenFile, header: SnapshotHeader, expectedSize: UInt64 = 0, rate: SnapshotWriteRate? = nil
    ) throws(PersistenceError) {
        self.file = file
        pace = rate.map { WritePace($0) }
        block = .allocate(byteCount: SnapshotFormat.blockSize, alignment: 4096)
        if expectedSize > 0 { try system { () throws(SystemError) in try file.allocate(expectedSize) } }
        let headerBytes = SnapshotFormat.encode(header)
        try write(headerBytes)
        fileChecksum = crc32c(headerBytes[..<(SnapshotFormat.headerSize - 4)])
    }

    deinit { block.deallocate() }

    /// Starts a section. Its name (1 to `SnapshotSection.nameLimit` bytes of UTF-8) must be new in this snapshot, and no section be open.
    public func begin(_ name: String) throws(PersistenceError) {
        if let failure { throw failure }
        precondition(!sectionIsOpen, "begin(\(name)) inside another section")
        precondition((1...SnapshotSection.nameLimit).contains(name.utf8.count), "section name \(name) is empty or too long")
        precondition(names.insert(name).inserted, "section \(name) written twice")
        sections.append(SnapshotSection(name: name, offset: size, length: 0, blockChecksums: []))
        sectionIsOpen = true
    }

    /// Adds bytes to the open section.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(PersistenceError) {
        if let failure { throw failure }
        precondition(sectionIsOpen, "append outside a section")
        var rest = bytes
        while rest.count > 0 {
            let count = min(rest.count, SnapshotFormat.blockSize - filled)
            UnsafeMutableRawBufferPointer(rebasing: block[filled..<filled + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            filled += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            if filled == SnapshotFormat.blockSize { try flushBlock() }
        }
    }

    /// Ends the open section.
    public func end() throws(PersistenceError) {
        if let failure { throw failure }
        precondition(sectionIsOpen, "end without begin")
        if filled > 0 { try flushBlock() }
        sectionIsOpen = false
    }

    /// Writes index and trailer and cuts what was reserved too much. Nothing is durable yet: the store syncs.
    func finish() throws(PersistenceError) {
        if let failure { throw failure }
        precondition(!sectionIsOpen, "a section was not ended")
        let index = SnapshotFormat.encodeIndex(sections)
        let indexOffset = size
        try write(index)
        let trailer = SnapshotTrailer(
            indexOffset: indexOffset, indexLength: UInt64(index.count), indexChecksum: crc32c(index[...]),
            fileChecksum: fileChecksum)
        try write(trailer.encoded())
        try guarded { () throws(SystemError) in
            if try file.size() != size { try file.truncate(to: size) }
        }
    }

    private func flushBlock() throws(PersistenceError) {
        let bytes = UnsafeRawBufferPointer(rebasing: block[..<filled])
        sections[sections.count - 1].blockChecksums.append(crc32c(bytes))
        sections[sections.count - 1].length += UInt64(filled)
        filled = 0
        try write(bytes)
        if isPaced { pace?.wrote(bytes.count) }
        if size - writebackStart >= Self.writebackStep {
            try guarded { () throws(SystemError) in
                try file.startWriteback(offset: writebackStart, length: size - writebackStart)
            }
            writebackStart = size
        }
    }

    private func write(_ bytes: [UInt8]) throws(PersistenceError) {
        try bytes.withUnsafeBufferPointer { buffer throws(PersistenceError) in
            try write(UnsafeRawBufferPointer(buffer))
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(PersistenceError) {
        try guarded { () throws(SystemError) in try file.writeAll(bytes) }
        fileChecksum = crc32c(bytes, from: fileChecksum)
        size += UInt64(bytes.count)
    }

    /// Remembers the first failure, so that a caller who swallows it cannot finish the file.
    private func guarded(_ body: () throws(SystemError) -> Void) throws(PersistenceError) {
        do throws(SystemError) {
            try body()
        } catch {
            failure = .system(error)
            throw .system(error)
        }
    }
}
