internal import Glibc
internal import LinuxSystem

/// A segment file whose header was read and holds.
struct JournalSegment: Sendable {
    let path: String
    let header: JournalSegmentHeader
    /// The file's size when it was listed.
    let size: UInt64

    /// Where records begin.
    var start: UInt64 { UInt64(JournalFormat.headerSize(configuration: header.configuration.count)) }

    /// Reads and checks the header; its number and id must be those of the name.
    init(_ path: String, name: String, fileSystem: any FileSystem) throws(PersistenceError) {
        let file = try system { () throws(SystemError) in try fileSystem.openFile(path) }
        size = try system { () throws(SystemError) in try file.size() }
        self.path = path
        let first = try Self.bytes(of: file, count: min(Int(clamping: size), JournalFormat.headerUnit))
        let length = try JournalSegmentHeader.claimedSize(first, file: path, size: size)
        header = try JournalSegmentHeader(length == first.count ? first : try Self.bytes(of: file, count: length), file: path)
        guard let named = JournalName.parseSegment(name), named == (header.firstNumber, header.id) else {
            throw .damaged(file: path, offset: 20, what: "holds segment \(header.id) from record \(header.firstNumber), not its name's")
        }
    }

    /// A segment that was just made.
    init(path: String, header: JournalSegmentHeader, size: UInt64) {
        self.path = path
        self.header = header
        self.size = size
    }

    private static func bytes(of file: any OpenFile, count: Int) throws(PersistenceError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let read = try bytes.withUnsafeMutableBufferPointer { buffer throws(PersistenceError) in
            try system { () throws(SystemError) in try file.readAll(into: UnsafeMutableRawBufferPointer(buffer), at: 0) }
        }
        guard read == count else { throw .damaged(file: file.path, offset: UInt64(read), what: "the file is cut off") }
        return bytes
    }
}

/// Walks the records of one segment, checking each. One thread.
final class JournalSegmentCursor {
    enum Step {
        /// A whole record; the buffer is valid until the next step.
        case record(JournalRecordHeader, payload: UnsafeRawBufferPointer)
        /// The journal was closed here.
        case seal
        /// No record, and nothing that looks like one: zeros, or the end of the file.
        case end
        /// Something that is no record.
        case bad(String)
    }

    let segment: JournalSegment
    /// Where the next record begins.
    private(set) var offset: UInt64
    /// The number that the next record must have.
    private(set) var nextNumber: UInt64
    /// The least position that the next record may begin with.
    private(set) var nextPosition: UInt64
    /// The last record's claim of what was durable when it was written.
    private(set) var isSealed = false

    private let file: any OpenFile
    private var buffer: UnsafeMutableRawBufferPointer
    /// What of the file lies in `buffer`.
    private var held: Range<UInt64> = 0..<0

    /// Bytes that are read at once.
    private static let readSize = 1 << 20

    init(_ segment: JournalSegment, fileSystem: any FileSystem) throws(PersistenceError) {
        self.segment = segment
        offset = segment.start
        nextNumber = segment.header.firstNumber
        nextPosition = segment.header.firstPosition
        file = try system { () throws(SystemError) in try fileSystem.openFile(segment.path) }
        let room = segment.size > segment.start ? segment.size - segment.start : 0
        buffer = .allocate(byteCount: max(64, min(Self.readSize, Int(clamping: room))), alignment: 64)
    }

    deinit { buffer.deallocate() }

    /// Reads on. After `end` or `bad` it stays where it is.
    func next() throws(PersistenceError) -> Step {
        guard let head = try bytes(at: offset, count: JournalFormat.recordHeaderSize) else {
            return try isZero(from: offset) ? .end : .bad("the file is cut off")
        }
        var record = JournalRecordFields(head)
        if record.isBlank { return .end }
        guard let whole = try bytes(at: offset, count: record.size) else { return .bad("a record longer than the file") }
        record = JournalRecordFields(whole)
        guard record.checksum == record.computedChecksum(segment: segment.header.id) else {
            return .bad("the record fails its checksum")
        }
        if record.isSeal {
            guard record.number == nextNumber - 1, record.payloadLength == 0 else { return .bad("a seal out of its place") }
            offset += UInt64(record.size)
            isSealed = true
            return .seal
        }
        guard record.number == nextNumber else { return .bad("holds record \(record.number)") }
        guard record.firstPosition >= nextPosition, record.syncedThrough < record.number else {
            return .bad("the record contradicts the one before")
        }
        offset += UInt64(record.size)
        nextNumber += 1
        nextPosition = record.lastPosition + 1
        isSealed = false
        let payload = UnsafeRawBufferPointer(start: whole + JournalFormat.recordHeaderSize, count: record.payloadLength)
        return .record(record.header, payload: payload)
    }

    /// Whether the file holds nothing but zeros from `start` on.
    func isZero(from start: UInt64) throws(PersistenceError) -> Bool {
        var place = start
        while place < segment.size {
            let count = Int(min(UInt64(Self.readSize), segment.size - place))
            guard let here = try bytes(at: place, count: count) else { return true }
            guard fileBytesAreZero(UnsafeRawBufferPointer(start: here, count: count)) else { return false }
            place += UInt64(count)
        }
        return true
    }

    /// What lies after a place that holds no record.
    struct Rest {
        /// The greatest number that some valid record calls durable; 0 for none.
        var durableThrough: UInt64 = 0
        /// The greatest number and position of valid records.
        var lastNumber: UInt64 = 0
        var lastPosition: UInt64 = 0
    }

    /// Searches valid records after `offset`, where none is. They may follow anywhere: the one at `offset` may have lied
    /// about its length. A whole segment is read into memory; this happens after a crash or damage only.
    func searchRest() throws(PersistenceError) -> Rest {
        var rest = Rest()
        let count = Int(segment.size - min(offset, segment.size))
        guard count >= JournalFormat.recordHeaderSize, let base = try bytes(at: offset, count: count) else { return rest }
        let numbers = nextNumber - 1...nextNumber + UInt64(count / JournalFormat.recordHeaderSize)
        var place = 0
        while place + JournalFormat.recordHeaderSize <= count {
            let record = JournalRecordFields(base + place)
            if numbers.contains(record.number), record.number >= nextNumber || record.isSeal, record.size <= count - place,
                record.checksum == record.computedChecksum(segment: segment.header.id)
            {
                rest.durableThrough = max(rest.durableThrough, record.syncedThrough)
                rest.lastNumber = max(rest.lastNumber, record.number)
                rest.lastPosition = max(rest.lastPosition, record.lastPosition)
                place += record.size
            } else {
                place += 8
            }
        }
        return rest
    }

    /// `count` bytes of the file at `place`, in the buffer until the next call; nil where the file is shorter.
    private func bytes(at place: UInt64, count: Int) throws(PersistenceError) -> UnsafeRawPointer? {
        let end = place + UInt64(count)
        if place >= held.lowerBound, end <= held.upperBound {
            return UnsafeRawPointer(buffer.baseAddress! + Int(place - held.lowerBound))
        }
        guard end <= segment.size else { return nil }
        if count > buffer.count {
            buffer.deallocate()
            buffer = .allocate(byteCount: count, alignment: 64)
        }
        held = 0..<0
        let read = try system { () throws(SystemError) in try file.readAll(into: buffer, at: place) }
        held = place..<place + UInt64(read)
        return end <= held.upperBound ? UnsafeRawPointer(buffer.baseAddress!) : nil
    }
}

/// Each byte is like the one before, and the first is zero.
private func fileBytesAreZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return true }
    return bytes[0] == 0 && memcmp(base, base + 1, bytes.count - 1) == 0
}
