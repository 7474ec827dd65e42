/// The journal's segment files, format version 1. Numbers are little-endian; sizes and offsets are in bytes.
///
/// A segment's name is `journal-<first record number, 20 digits>-<segment id, 10 digits>.factord`. It begins with a
/// header of H bytes, a multiple of 4,096:
///
/// | where | bytes | what |
/// |---|---|---|
/// | 0 | 8 | magic `FACTJRN` and a zero byte |
/// | 8 | 4 | format version |
/// | 12 | 4 | endian tag 0x01020304 (so 04 03 02 01 in the file) |
/// | 16 | 4 | H |
/// | 20 | 4 | segment id, from 1, greater in every later segment |
/// | 24 | 8 | number of the first record |
/// | 32 | 8 | first position: 1 + the greatest position of any record before |
/// | 40 | 8 | all records through this number were durable when the segment was made |
/// | 48 | 4 | length of the configuration |
/// | 52 | that many | configuration, the caller's: what the records were learned under; then zeros up to byte H - 4 |
/// | H - 4 | 4 | CRC-32C of bytes 0 ..< H - 4 |
///
/// Records follow, one after the other, each at a multiple of 8:
///
/// | where | bytes | what |
/// |---|---|---|
/// | 0 | 4 | CRC-32C, begun with the segment id, of all that follows in the record, padding included |
/// | 4 | 4 | P, length of the payload |
/// | 8 | 8 | number: 1 + that of the record before |
/// | 16 | 8 | first position |
/// | 24 | 8 | all records through this number were durable when this one was written |
/// | 32 | 4 | how many positions the record takes, 0 for none |
/// | 36 | 1 | kind, the caller's |
/// | 37 | 1 | 0; 1 for a seal |
/// | 38 | 2 | zeros |
/// | 40 | P | payload, the caller's; then zeros up to a multiple of 8 |
///
/// A seal has no payload and repeats the number of the last record: the journal was closed, and all of it is durable.
/// After the last record come zeros or the file's end. Space is reserved ahead, so a tail of zeros is no damage.
///
/// **Where records end.** Records of a segment count up to, not including, the next segment's first number. A gap
/// before that number is a known hole (a disk failed, and the journal went on in a new file) if all that the next header calls
/// durable is there; otherwise it is damage. In the last segment a record that does not hold ends the journal: a torn
/// tail, cut off, unless something after it says that it was durable; then it is damage. A disk may write later
/// records and lose earlier ones at a power cut, so that valid records follow alone proves nothing.
///
/// Every format version keeps the first 20 bytes and the checksum at H - 4, so that an older program can tell a newer file
/// from a damaged one.
enum JournalFormat {
    static let version: UInt32 = 1
    static let magic: [UInt8] = Array("FACTJRN\0".utf8)
    static let endianTag: UInt32 = 0x0102_0304
    static let headerUnit = 4096
    /// The fixed part of a segment's header.
    static let headerFields = 52
    /// No header is longer: what says otherwise is damage.
    static let headerLimit = 16 << 20
    static let recordHeaderSize = 40

    /// The bytes of a whole record.
    static func recordSize(payload: Int) -> Int { (recordHeaderSize + payload + 7) & ~7 }

    /// Bytes of the header of a segment with a configuration of that length.
    static func headerSize(configuration: Int) -> Int {
        (headerFields + configuration + 4 + headerUnit - 1) / headerUnit * headerUnit
    }
}

/// What the header of a segment says.
struct JournalSegmentHeader: Equatable, Sendable {
    var id: UInt32
    var firstNumber: UInt64
    var firstPosition: UInt64
    var durableThrough: UInt64
    var configuration: [UInt8]

    func encoded(version: UInt32 = JournalFormat.version) -> [UInt8] {
        let size = JournalFormat.headerSize(configuration: configuration.count)
        var bytes = JournalFormat.magic
        bytes.reserveCapacity(size)
        bytes.appendLittleEndian(version)
        bytes.appendLittleEndian(JournalFormat.endianTag)
        bytes.appendLittleEndian(UInt32(size))
        bytes.appendLittleEndian(id)
        bytes.appendLittleEndian(firstNumber)
        bytes.appendLittleEndian(firstPosition)
        bytes.appendLittleEndian(durableThrough)
        bytes.appendLittleEndian(UInt32(configuration.count))
        bytes += configuration
        bytes += [UInt8](repeating: 0, count: size - 4 - bytes.count)
        bytes.appendLittleEndian(crc32c(bytes[...]))
        return bytes
    }

    /// The length that the first 20 bytes claim for the whole header, once magic and length make sense.
    static func claimedSize(_ bytes: [UInt8], file: String, size: UInt64) throws(PersistenceError) -> Int {
        guard bytes.count >= 20, bytes[..<8] == JournalFormat.magic[...] else {
            throw .damaged(file: file, offset: 0, what: "does not begin like a journal segment")
        }
        var cursor = ByteCursor(bytes[16..<20])
        guard let length = cursor.number(UInt32.self), length > 0, length <= JournalFormat.headerLimit,
            Int(length) % JournalFormat.headerUnit == 0, UInt64(length) <= size
        else { throw .damaged(file: file, offset: 16, what: "the header's length is not one that a segment can have") }
        return Int(length)
    }

    /// Checks and reads a whole header.
    init(_ bytes: [UInt8], file: String) throws(PersistenceError) {
        func damaged(_ offset: UInt64, _ what: String) -> PersistenceError {
            .damaged(file: file, offset: offset, what: what)
        }
        let end = bytes.count - 4
        var sum = ByteCursor(bytes[end...])
        guard sum.number(UInt32.self) == crc32c(bytes[..<end]) else { throw damaged(0, "the header's checksum does not hold") }
        var cursor = ByteCursor(bytes[8..<end])
        guard let found = cursor.number(UInt32.self), found > 0 else { throw damaged(8, "format version 0") }
        guard found <= JournalFormat.version else {
            throw .newerVersion(file: file, found: found, supported: JournalFormat.version)
        }
        guard cursor.number(UInt32.self) == JournalFormat.endianTag else { throw damaged(12, "wrong byte order tag") }
        guard cursor.number(UInt32.self) != nil, let id = cursor.number(UInt32.self), let first = cursor.number(UInt64.self),
            let position = cursor.number(UInt64.self), let durable = cursor.number(UInt64.self),
            let length = cursor.number(UInt32.self), let configuration = cursor.bytes(Int(length))
        else { throw damaged(48, "configuration longer than the header") }
        guard id > 0, first > 0, position > 0, durable < first else { throw damaged(20, "the header contradicts itself") }
        self.init(
            id: id, firstNumber: first, firstPosition: position, durableThrough: durable, configuration: Array(configuration))
    }

    init(id: UInt32, firstNumber: UInt64, firstPosition: UInt64, durableThrough: UInt64, configuration: [UInt8]) {
        self.id = id
        self.firstNumber = firstNumber
        self.firstPosition = firstPosition
        self.durableThrough = durableThrough
        self.configuration = configuration
    }
}

/// The names of a journal's directory.
enum JournalName {
    static let prefix = "journal-"
    static let suffix = ".factord"
    static let ceilingPrefix = "ceiling-"

    static func segment(number: UInt64, id: UInt32) -> String {
        "\(prefix)\(padded(number, 20))-\(padded(UInt64(id), 10))\(suffix)"
    }

    /// Nil where `name` is not exactly what `segment` gives for some values.
    static func parseSegment(_ name: String) -> (number: UInt64, id: UInt32)? {
        guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return nil }
        let parts = name.dropFirst(prefix.count).dropLast(suffix.count).split(separator: "-")
        guard parts.count == 2, let number = UInt64(parts[0]), let id = UInt32(parts[1]),
            segment(number: number, id: id) == name
        else { return nil }
        return (number, id)
    }

    /// The name under which a segment is made before it is whole.
    static func temporary(id: UInt32) -> String { ".journal-\(id).tmp" }
    static func isTemporary(_ name: String) -> Bool { name.hasPrefix(".journal-") && name.hasSuffix(".tmp") }

    static func ceiling(_ position: UInt64) -> String { ceilingPrefix + padded(position, 20) }
    static func parseCeiling(_ name: String) -> UInt64? {
        guard name.hasPrefix(ceilingPrefix), let position = UInt64(name.dropFirst(ceilingPrefix.count)),
            ceiling(position) == name
        else { return nil }
        return position
    }

    private static func padded(_ number: UInt64, _ digits: Int) -> String {
        let decimal = String(number)
        return String(repeating: "0", count: max(0, digits - decimal.count)) + decimal
    }
}
