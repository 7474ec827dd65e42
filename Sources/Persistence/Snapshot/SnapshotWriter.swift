internal import LinuxSystem

/// Writes one snapshot file, front to back: `begin`, `append`…, `end` for each section, then the store finishes it.
///
/// Memory: two buffers of 4 MiB (`SnapshotOutput`) and the index, whatever the sections' size. Bytes are copied before they
/// are checksummed, so a checksum never describes memory that changed before it was written. Each is summed once: the sum of
/// the file is joined of those of its blocks.
/// Threads: one. Errors: after the first one the file is worthless; every later call throws the same error again.
public final class SnapshotWriter {
    /// The path of the file, still a temporary name.
    public var path: String { output.file.path }
    /// Bytes written or buffered so far.
    public private(set) var size: UInt64 = 0
    /// How many times as fast as the rate says what is written now may go; nil for as fast as it can: what somebody waits for.
    public var haste: Int? = 1

    private let output: SnapshotOutput
    private var pace: WritePace?
    /// The block that is being filled: bytes so far, and their sum.
    private var filled = 0
    private var blockChecksum: UInt32 = 0
    private var fileChecksum: UInt32 = 0
    private var sections: [SnapshotSection] = []
    private var names: Set<String> = []
    private var sectionIsOpen = false
    private var failure: PersistenceError?

    /// Starts a snapshot in a new, empty file by writing the header. `expectedSize` (bytes, 0 where unknown) is
    /// reserved at once, so that a full disk shows before the work; a wrong guess costs nothing else.
    init(
        file: any OpenFile, header: SnapshotHeader, expectedSize: UInt64 = 0, rate: SnapshotWriteRate? = nil
    ) throws(PersistenceError) {
        output = SnapshotOutput(file)
        pace = rate.map { WritePace($0) }
        if expectedSize > 0 { try system { () throws(SystemError) in try file.allocate(expectedSize) } }
        let headerBytes = SnapshotFormat.encode(header)
        try write(headerBytes)
        fileChecksum = crc32c(headerBytes[..<(SnapshotFormat.headerSize - 4)])
    }

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
            let most = min(rest.count, SnapshotFormat.blockSize - filled)
            let copy = try take(UnsafeRawBufferPointer(rebasing: rest[..<most]))
            blockChecksum = crc32c(copy, from: blockChecksum)
            filled += copy.count
            rest = UnsafeRawBufferPointer(rebasing: rest[copy.count...])
            if filled == SnapshotFormat.blockSize { endBlock() }
        }
    }

    /// Ends the open section.
    public func end() throws(PersistenceError) {
        if let failure { throw failure }
        precondition(sectionIsOpen, "end without begin")
        if filled > 0 { endBlock() }
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
            try output.finish()
            if try output.file.size() != size { try output.file.truncate(to: size) }
        }
    }

    /// Waits until nothing is written any more, before the file goes.
    func abandon() { output.abandon() }

    private func endBlock() {
        sections[sections.count - 1].blockChecksums.append(blockChecksum)
        sections[sections.count - 1].length += UInt64(filled)
        fileChecksum = crc32c(fileChecksum, followedBy: blockChecksum, of: filled)
        if let haste { pace?.wrote(filled / haste) }
        filled = 0
        blockChecksum = 0
    }

    private func write(_ bytes: [UInt8]) throws(PersistenceError) {
        try bytes.withUnsafeBufferPointer { (all) throws(PersistenceError) in
            var rest = UnsafeRawBufferPointer(all)
            while rest.count > 0 {
                let copy = try take(rest)
                fileChecksum = crc32c(copy, from: fileChecksum)
                rest = UnsafeRawBufferPointer(rebasing: rest[copy.count...])
            }
        }
    }

    /// Copies as much as fits in one piece.
    private func take(_ bytes: UnsafeRawBufferPointer) throws(PersistenceError) -> UnsafeRawBufferPointer {
        var copy = bytes
        try guarded { () throws(SystemError) in copy = try output.copy(bytes) }
        size += UInt64(copy.count)
        return copy
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
