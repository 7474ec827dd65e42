/// The snapshot container, format version 1. Numbers are little-endian; sizes and offsets are in bytes.
///
/// | where | bytes | what |
/// |---|---|---|
/// | 0 | 8 | magic `FACTORD` and a zero byte |
/// | 8 | 4 | format version |
/// | 12 | 4 | endian tag 0x01020304 (so 04 03 02 01 in the file) |
/// | 16 | 8 | position: the caller's highest event position |
/// | 24 | 4 | flags, the caller's |
/// | 28 | 4 | length of the creation information |
/// | 32 | that many | creation information, the caller's (4,060 bytes at most), then zeros up to byte 4092 |
/// | 4092 | 4 | CRC-32C of bytes 0 ..< 4092 |
/// | 4096 | | the sections' bytes, one section directly after the other, without padding |
/// | I | L | index: section count u32, block size u32; then per section: name length u16, name (UTF-8), offset u64, length u64, block count u32, one CRC-32C u32 per block (every block but a section's last is full) |
/// | I + L | 8 | I, the index's offset |
/// | I + L + 8 | 8 | L, the index's length |
/// | I + L + 16 | 4 | CRC-32C of the index |
/// | I + L + 20 | 4 | CRC-32C of the whole file before the trailer, bytes 0 ..< I + L, less the four at 4092 |
/// | I + L + 24 | 8 | magic `FACTEND` and a zero byte |
/// | I + L + 32 | 4 | CRC-32C of the trailer's first 32 bytes; the file ends here |
///
/// Every byte is under a checksum, and most under two, so any one changed byte is found. The sum of the whole file
/// leaves the header's own checksum out: a CRC over bytes followed by their CRC is the same for all bytes, and the sum
/// would not notice a header from another snapshot. Every format version keeps
/// the first 16 bytes and the checksum at 4092, so an older program can tell a newer file from a damaged one.
enum SnapshotFormat {
    static let version: UInt32 = 1
    static let magic: [UInt8] = Array("FACTORD\0".utf8)
    static let endMagic: [UInt8] = Array("FACTEND\0".utf8)
    static let endianTag: UInt32 = 0x0102_0304
    static let headerSize = 4096
    static let creationInfoOffset = 32
    static let trailerSize = 36
    /// Bytes of a full block: what is checksummed, buffered and read at once.
    static let blockSize = 1 << 20
    /// The shortest index: no sections.
    static let shortestIndex = 8
}

/// What the header says about the whole snapshot; all of it is the caller's.
public struct SnapshotHeader: Equatable, Sendable {
    /// The most bytes of creation information that the header has room for.
    public static let creationInfoLimit = 4060

    /// The highest event position that the content holds.
    public var position: UInt64
    /// Bits with a meaning to the caller only.
    public var flags: UInt32
    /// Who wrote it, when and how, in the caller's form; at most `creationInfoLimit` bytes.
    public var creationInfo: [UInt8]

    public init(position: UInt64, flags: UInt32 = 0, creationInfo: [UInt8] = []) {
        precondition(creationInfo.count <= Self.creationInfoLimit, "creation information is longer than 4,060 bytes")
        self.position = position
        self.flags = flags
        self.creationInfo = creationInfo
    }
}

/// A named stream of bytes within a snapshot, as the index describes it.
public struct SnapshotSection: Equatable, Sendable {
    /// The longest name, in UTF-8 bytes.
    public static let nameLimit = 128

    public let name: String
    /// Where its bytes begin in the file.
    public let offset: UInt64
    /// How many bytes it has.
    public internal(set) var length: UInt64
    /// CRC-32C of each block of `SnapshotFormat.blockSize` bytes, the last one shorter.
    var blockChecksums: [UInt32]

    /// The bytes of block `index`.
    func blockLength(_ index: Int) -> Int {
        let start = UInt64(index) * UInt64(SnapshotFormat.blockSize)
        return Int(min(UInt64(SnapshotFormat.blockSize), length - start))
    }

    func blockOffset(_ index: Int) -> UInt64 { offset + UInt64(index) * UInt64(SnapshotFormat.blockSize) }
}
