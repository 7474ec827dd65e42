internal import LinuxSystem

/// Reads one snapshot file. Opening checks header, trailer and index (cheap, whatever the file's size); reading a
/// section checks each block before a byte of it is handed out; `verifyAll` checks every byte of the file.
///
/// The layout is `SnapshotFormat`'s table. Memory: one block (1 MiB) and the index.
/// Threads: one at a time; several readers may read one file at once.
public final class SnapshotReader {
    /// The file's path.
    public let path: String
    /// What the header says.
    public let header: SnapshotHeader
    /// The sections in file order.
    public let sections: [SnapshotSection]
    /// The file's size in bytes.
    public let size: UInt64
    /// Called with the length of each block that was read, in bytes: for a progress bar.
    public var afterBlock: ((Int) -> Void)?

    /// Where each section stands among them.
    private let numbers: [String: Int]
    private let file: any OpenFile
    private let trailer: SnapshotTrailer
    private let block: UnsafeMutableRawBufferPointer
    /// Which block lies verified in `block`: section number and block number.
    private var cached: (section: Int, block: Int)?

    /// Opens a snapshot. Throws `damaged`, `newerVersion`, or `system`.
    public init(_ path: String, fileSystem: any FileSystem = LinuxFileSystem()) throws(PersistenceError) {
        let file = try system { () throws(SystemError) in try fileSystem.openFile(path) }
        let size = try system { () throws(SystemError) in try file.size() }
        self.path = path
        self.file = file
        self.size = size
        let shortest = SnapshotFormat.headerSize + SnapshotFormat.shortestIndex + SnapshotFormat.trailerSize
        let headerBytes = try Self.bytes(of: file, at: 0, count: SnapshotFormat.headerSize)
        header = try SnapshotFormat.decodeHeader(headerBytes, file: path)
        guard size >= UInt64(shortest) else { throw .damaged(file: path, offset: size, what: "the file is cut off") }
        let end = size - UInt64(SnapshotFormat.trailerSize)
        let trailerBytes = try Self.bytes(of: file, at: end, count: SnapshotFormat.trailerSize)
        trailer = try SnapshotTrailer(trailerBytes, file: path, size: size)
        let index = try Self.index(of: file, trailer)
        sections = try SnapshotFormat.decodeIndex(index, file: path, offset: trailer.indexOffset)
        numbers = Dictionary(uniqueKeysWithValues: zip(sections.map(\.name), sections.indices))
        block = .allocate(byteCount: SnapshotFormat.blockSize, alignment: 4096)
    }

    deinit { block.deallocate() }

    /// The section of that name, nil where there is none.
    public func section(_ name: String) -> SnapshotSection? { numbers[name].map { sections[$0] } }

    /// Checks every byte of the file: header and index again, each block, and the checksum of the whole.
    /// - Parameter rate: a limit on the speed of reading; nil for none.
    public func verifyAll(rate: SnapshotWriteRate? = nil) throws(PersistenceError) {
        cached = nil
        var pace = rate.map { WritePace($0) }
        let headerBytes = try Self.bytes(of: file, at: 0, count: SnapshotFormat.headerSize)
        guard try SnapshotFormat.decodeHeader(headerBytes, file: path) == header else {
            throw .damaged(file: path, offset: 0, what: "the header changed while the file was read")
        }
        var sum = crc32c(headerBytes[..<(SnapshotFormat.headerSize - 4)])
        for section in sections.indices {
            for index in sections[section].blockChecksums.indices {
                let block = try verifiedBlock(section, index)
                sum = crc32c(sum, followedBy: sections[section].blockChecksums[index], of: block.count)
                pace?.wrote(block.count)
            }
        }
        sum = try Self.index(of: file, trailer).withUnsafeBytes { crc32c($0, from: sum) }
        guard sum == trailer.fileChecksum else {
            throw .damaged(file: path, offset: 0, what: "the checksum of the whole file does not hold")
        }
    }

    /// Hands a section's bytes to `body` in order, at most 1 MiB at a time, each piece verified. The buffer is valid
    /// during the call only.
    public func read(
        _ name: String, _ body: (UnsafeRawBufferPointer) throws(PersistenceError) -> Void
    ) throws(PersistenceError) {
        let section = try number(of: name)
        for index in sections[section].blockChecksums.indices {
            try body(try verifiedBlock(section, index))
        }
    }

    /// Fills `buffer` with a section's bytes from `offset` (bytes within the section) on, verified. Reading on in
    /// small pieces reads and verifies each block once.
    public func read(
        _ name: String, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(PersistenceError) {
        let section = try number(of: name)
        let length = sections[section].length
        guard offset <= length, UInt64(buffer.count) <= length - offset else {
            throw .beyondSection(file: path, section: name, offset: offset, length: buffer.count, size: length)
        }
        var filled = 0
        while filled < buffer.count {
            let at = offset + UInt64(filled)
            let bytes = try verifiedBlock(section, Int(at / UInt64(SnapshotFormat.blockSize)))
            let skip = Int(at % UInt64(SnapshotFormat.blockSize))
            let count = min(bytes.count - skip, buffer.count - filled)
            UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[skip..<skip + count]))
            filled += count
        }
    }

    private func number(of name: String) throws(PersistenceError) -> Int {
        guard let number = numbers[name] else {
            throw .sectionMissing(file: path, section: name)
        }
        return number
    }

    /// Reads a block, unless it is the one at hand, and checks it.
    private func verifiedBlock(_ section: Int, _ index: Int) throws(PersistenceError) -> UnsafeRawBufferPointer {
        let entry = sections[section]
        let bytes = UnsafeMutableRawBufferPointer(rebasing: block[..<entry.blockLength(index)])
        if let cached, cached == (section, index) { return UnsafeRawBufferPointer(bytes) }
        cached = nil
        let offset = entry.blockOffset(index)
        try Self.fill(bytes, from: file, at: offset)
        guard crc32c(UnsafeRawBufferPointer(bytes)) == entry.blockChecksums[index] else {
            throw .damaged(
                file: path, offset: offset, what: "block \(index) of section \"\(entry.name)\" fails its checksum")
        }
        cached = (section, index)
        afterBlock?(bytes.count)
        return UnsafeRawBufferPointer(bytes)
    }

    private static func index(of file: any OpenFile, _ trailer: SnapshotTrailer) throws(PersistenceError) -> [UInt8] {
        let index = try bytes(of: file, at: trailer.indexOffset, count: Int(trailer.indexLength))
        guard crc32c(index[...]) == trailer.indexChecksum else {
            throw .damaged(file: file.path, offset: trailer.indexOffset, what: "the index fails its checksum")
        }
        return index
    }

    private static func bytes(
        of file: any OpenFile, at offset: UInt64, count: Int
    ) throws(PersistenceError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBufferPointer { buffer throws(PersistenceError) in
            try fill(UnsafeMutableRawBufferPointer(buffer), from: file, at: offset)
        }
        return bytes
    }

    private static func fill(
        _ buffer: UnsafeMutableRawBufferPointer, from file: any OpenFile, at offset: UInt64
    ) throws(PersistenceError) {
        let count = try system { () throws(SystemError) in try file.readAll(into: buffer, at: offset) }
        guard count == buffer.count else {
            throw .damaged(file: file.path, offset: offset + UInt64(count), what: "the file is cut off")
        }
    }
}
