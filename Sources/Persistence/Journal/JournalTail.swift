internal import Synchronization

/// The records between appender and file: a ring of bytes in which each record lies in one piece.
///
/// Threads: one appender (`place`, `publish`), one drainer (the journal thread: all else). `used` and `unwritten` may be asked by both.
/// Nothing is allocated after `init`.
final class JournalTail: @unchecked Sendable {
    // Sendable by hand: bytes between the two counters are the drainer's, all others the appender's.
    private let bytes: UnsafeMutableRawBufferPointer
    let capacity: Int
    /// Bytes ever appended, gaps at the ring's end included. Appender stores.
    private let head = Atomic<UInt64>(0)
    /// Bytes ever given back. Drainer stores.
    private let freed = Atomic<UInt64>(0)
    /// Bytes ever written to the file. Drainer stores.
    private let written = Atomic<UInt64>(0)

    /// In place of a payload's length, before the ring's end: the next record lies at the ring's beginning.
    private static let wrapMark: UInt32 = .max

    init(capacity: Int) {
        self.capacity = capacity
        bytes = .allocate(byteCount: capacity, alignment: 64)
        // Touched now, so that no append waits for a page.
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { bytes.deallocate() }

    /// Bytes that hold records.
    var used: Int { Int(head.load(ordering: .acquiring) - freed.load(ordering: .acquiring)) }

    /// Those that the file does not have yet.
    var unwritten: Int { Int(head.load(ordering: .acquiring) - written.load(ordering: .acquiring)) }

    /// Where the next record of `size` bytes (a multiple of 8, at most half the capacity) goes; nil while there is no room.
    func place(_ size: Int) -> UnsafeMutableRawPointer? {
        let start = head.load(ordering: .relaxed)
        let offset = Int(start % UInt64(capacity))
        let skip = capacity - offset < size ? capacity - offset : 0
        guard skip + size <= capacity - Int(start - freed.load(ordering: .acquiring)) else { return nil }
        if skip > 0 { bytes.storeBytes(of: Self.wrapMark, toByteOffset: offset + 4, as: UInt32.self) }
        return bytes.baseAddress! + (skip > 0 ? 0 : offset)
    }

    /// Hands the record that was written to `place(size)` to the drainer.
    func publish(_ size: Int) {
        let start = head.load(ordering: .relaxed)
        let room = capacity - Int(start % UInt64(capacity))
        head.store(start + UInt64(size + (room < size ? room : 0)), ordering: .releasing)
    }

    /// Bytes ever appended.
    var end: UInt64 { head.load(ordering: .acquiring) }

    /// Bytes ever given back: where the oldest record that is still held begins.
    var start: UInt64 { freed.load(ordering: .relaxed) }

    /// The record at `counter`, before `end`; `counter` is moved to it where a gap lies between. Nil where no record is.
    func record(at counter: inout UInt64, end: UInt64) -> UnsafeMutableRawPointer? {
        guard counter < end else { return nil }
        let offset = Int(counter % UInt64(capacity))
        if bytes.load(fromByteOffset: offset + 4, as: UInt32.self) == Self.wrapMark { counter += UInt64(capacity - offset) }
        return bytes.baseAddress! + Int(counter % UInt64(capacity))
    }

    /// Says that the file has everything before `counter`; going back where a file was lost.
    func noteWritten(through counter: UInt64) { written.store(counter, ordering: .releasing) }

    /// Gives everything before `counter` back to the appender.
    func free(through counter: UInt64) { freed.store(counter, ordering: .releasing) }
}
