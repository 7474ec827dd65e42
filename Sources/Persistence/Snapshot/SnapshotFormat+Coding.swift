internal import CKernels

/// CRC-32C of a buffer, going on from `sum`.
func crc32c(_ bytes: UnsafeRawBufferPointer, from sum: UInt32 = 0) -> UInt32 {
    fk_crc32c(sum, bytes.baseAddress, bytes.count)
}

/// CRC-32C of bytes with the sum `first`, followed by `count` bytes with the sum `second`.
func crc32c(_ first: UInt32, followedBy second: UInt32, of count: Int) -> UInt32 { fk_crc32c_join(first, second, UInt64(count)) }

func crc32c(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    bytes.withUnsafeBytes { crc32c($0) }
}

extension [UInt8] {
    mutating func appendLittleEndian<Number: FixedWidthInteger>(_ number: Number) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }
}

/// Takes little-endian numbers off the front of bytes; nil once they run out, whatever the bytes claim.
struct ByteCursor {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// How many bytes have not been taken.
    var left: Int { rest.count }

    mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
        guard count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func number<Number: FixedWidthInteger>(_: Number.Type = Number.self) -> Number? {
        guard let taken = bytes(MemoryLayout<Number>.size) else { return nil }
        return taken.reversed().reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }
}

extension SnapshotFormat {
    /// The 4 KiB at the start of a file.
    static func encode(_ header: SnapshotHeader, version: UInt32 = version) -> [UInt8] {
        var bytes = magic
        bytes.reserveCapacity(headerSize)
        bytes.appendLittleEndian(version)
        bytes.appendLittleEndian(endianTag)
        bytes.appendLittleEndian(header.position)
        bytes.appendLittleEndian(header.flags)
        bytes.appendLittleEndian(UInt32(header.creationInfo.count))
        bytes += header.creationInfo
        bytes += [UInt8](repeating: 0, count: headerSize - 4 - bytes.count)
        bytes.appendLittleEndian(crc32c(bytes[...]))
        return bytes
    }

    /// Checks and reads the 4 KiB at the start of `file`.
    static func decodeHeader(_ bytes: [UInt8], file: String) throws(PersistenceError) -> SnapshotHeader {
        func damaged(_ offset: UInt64, _ what: String) -> PersistenceError {
            .damaged(file: file, offset: offset, what: what)
        }
        guard bytes[..<8] == magic[...] else { throw damaged(0, "does not begin like a snapshot") }
        var sum = ByteCursor(bytes[(headerSize - 4)...])
        guard sum.number(UInt32.self) == crc32c(bytes[..<(headerSize - 4)]) else {
            throw damaged(0, "the header's checksum does not hold")
        }
        var cursor = ByteCursor(bytes[8..<(headerSize - 4)])
        guard let found = cursor.number(UInt32.self), found > 0 else { throw damaged(8, "format version 0") }
        guard found <= version else { throw .newerVersion(file: file, found: found, supported: version) }
        guard cursor.number(UInt32.self) == endianTag else { throw damaged(12, "wrong byte order tag") }
        guard let position = cursor.number(UInt64.self), let flags = cursor.number(UInt32.self),
            let length = cursor.number(UInt32.self), let info = cursor.bytes(Int(length))
        else { throw damaged(28, "creation information longer than the header") }
        return SnapshotHeader(position: position, flags: flags, creationInfo: Array(info))
    }

    static func encodeIndex(_ sections: [SnapshotSection]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(UInt32(sections.count))
        bytes.appendLittleEndian(UInt32(blockSize))
        for section in sections {
            bytes.appendLittleEndian(UInt16(section.name.utf8.count))
            bytes += section.name.utf8
            bytes.appendLittleEndian(section.offset)
            bytes.appendLittleEndian(section.length)
            bytes.appendLittleEndian(UInt32(section.blockChecksums.count))
            for sum in section.blockChecksums { bytes.appendLittleEndian(sum) }
        }
        return bytes
    }

    /// Reads the index that lies at `offset` of `file`, and checks that its sections fill the file up to there.
    static func decodeIndex(
        _ bytes: [UInt8], file: String, offset: UInt64
    ) throws(PersistenceError) -> [SnapshotSection] {
        let broken = PersistenceError.damaged(file: file, offset: offset, what: "the index contradicts itself")
        var cursor = ByteCursor(bytes[...])
        guard let count = cursor.number(UInt32.self), cursor.number(UInt32.self) == UInt32(blockSize) else { throw broken }
        var sections: [SnapshotSection] = []
        var names: Set<String> = []
        var end = UInt64(headerSize)
        for _ in 0..<count {
            guard let section = cursor.section(), section.offset == end, section.length <= offset - end,
                names.insert(section.name).inserted
            else { throw broken }
            end += section.length
            sections.append(section)
        }
        guard cursor.left == 0, end == offset else { throw broken }
        return sections
    }
}

extension ByteCursor {
    /// One entry of the index; nil where it is cut off or its block count does not follow from its length.
    fileprivate mutating func section() -> SnapshotSection? {
        guard let nameLength = number(UInt16.self), nameLength <= SnapshotSection.nameLimit,
            let nameBytes = bytes(Int(nameLength)), let name = String(validating: nameBytes, as: UTF8.self),
            let offset = number(UInt64.self), let length = number(UInt64.self), let blocks = number(UInt32.self)
        else { return nil }
        let size = UInt64(SnapshotFormat.blockSize)
        guard UInt64(blocks) == length / size + (length % size == 0 ? 0 : 1), Int(blocks) <= left / 4 else { return nil }
        var sums: [UInt32] = []
        sums.reserveCapacity(Int(blocks))
        for _ in 0..<blocks {
            guard let sum = number(UInt32.self) else { return nil }
            sums.append(sum)
        }
        return SnapshotSection(name: name, offset: offset, length: length, blockChecksums: sums)
    }
}

/// The last 36 bytes of a file.
struct SnapshotTrailer {
    var indexOffset: UInt64
    var indexLength: UInt64
    var indexChecksum: UInt32
    var fileChecksum: UInt32

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(indexOffset)
        bytes.appendLittleEndian(indexLength)
        bytes.appendLittleEndian(indexChecksum)
        bytes.appendLittleEndian(fileChecksum)
        bytes += SnapshotFormat.endMagic
        bytes.appendLittleEndian(crc32c(bytes[...]))
        return bytes
    }

    /// Checks and reads the last 36 bytes of a file of `size` bytes.
    init(_ bytes: [UInt8], file: String, size: UInt64) throws(PersistenceError) {
        let offset = size - UInt64(SnapshotFormat.trailerSize)
        var cursor = ByteCursor(bytes[...])
        guard let indexOffset = cursor.number(UInt64.self), let indexLength = cursor.number(UInt64.self),
            let indexChecksum = cursor.number(UInt32.self), let fileChecksum = cursor.number(UInt32.self),
            cursor.bytes(8) == SnapshotFormat.endMagic[...], cursor.number(UInt32.self) == crc32c(bytes.prefix(32))
        else { throw .damaged(file: file, offset: offset, what: "the end is missing or damaged") }
        guard indexOffset >= UInt64(SnapshotFormat.headerSize), indexOffset <= offset, indexLength == offset - indexOffset
        else { throw .damaged(file: file, offset: offset, what: "the index does not lie where the file's end says") }
        self.init(indexOffset: indexOffset, indexLength: indexLength, indexChecksum: indexChecksum, fileChecksum: fileChecksum)
    }

    init(indexOffset: UInt64, indexLength: UInt64, indexChecksum: UInt32, fileChecksum: UInt32) {
        self.indexOffset = indexOffset
        self.indexLength = indexLength
        self.indexChecksum = indexChecksum
        self.fileChecksum = fileChecksum
    }
}
