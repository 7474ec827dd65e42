import CKernels

/// Memory that one piece of the state is copied into during a pause, and written out of afterwards. Used again and again.
///
/// Its pages are there before the pause: to copy into fresh ones takes nine times as long.
///
/// Thread safety: one thread, that of the capture.
public final class CaptureBuffer {
    /// Bytes of an ordinary piece at most.
    public static let pieceBytes = 1 << 20

    private(set) var memory: UnsafeMutableRawPointer
    /// Bytes that fit; grows where one user's lists, or one block of very long rows, are larger.
    public private(set) var capacity: Int
    /// Bytes of the piece.
    public private(set) var used = 0
    /// What lies in it; nil before the first copy.
    var piece: Piece?
    /// What is to be undone in a copy of ids.
    var changes = IdUndo.Chain.none
    /// Whether the memory is this buffer's, and not a part of a pool.
    private(set) var isOwner = true

    /// Makes a buffer whose pages are all there.
    public init(bytes: Int = CaptureBuffer.pieceBytes) {
        capacity = bytes
        memory = CaptureBuffer.map(bytes)
    }

    /// Takes memory that somebody else keeps, for as long as the piece fits.
    public init(_ part: UnsafeMutableRawBufferPointer) {
        memory = part.baseAddress!
        capacity = part.count
        isOwner = false
    }

    deinit { if isOwner { fk_unmap(memory, capacity) } }

    private static func map(_ bytes: Int) -> UnsafeMutableRawPointer {
        let memory = mapMemory(bytes)
        for page in stride(from: 0, to: bytes, by: 4096) { memory.storeBytes(of: 1, toByteOffset: page, as: UInt8.self) }
        return memory
    }

    func begin(_ piece: Piece) {
        self.piece = piece
        changes = .none
        used = 0
    }

    func clear() { used = 0 }

    var start: UnsafeMutableRawPointer { memory }
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: used) }

    /// Space for `count` more bytes.
    func space(_ count: Int) -> UnsafeMutableRawPointer {
        if used + count > capacity { grow(to: used + count) }
        defer { used += count }
        return memory + used
    }

    /// Where the next bytes go, with room for so many; `advance` says how many there were.
    @inline(__always)
    func room(_ count: Int) -> UnsafeMutableRawPointer {
        if used + count > capacity { grow(to: used + count) }
        return memory + used
    }
    @inline(__always)
    func advance(_ count: Int) { used += count }

    /// Makes room before a pause, so that it needs none.
    public func reserve(_ count: Int) { if count > capacity { grow(to: count) } }

    private func grow(to needed: Int) {
        let bytes = (needed + needed / 4 + 4095) & ~4095, larger = CaptureBuffer.map(bytes)
        larger.copyMemory(from: memory, byteCount: used)
        if isOwner { fk_unmap(memory, capacity) }
        isOwner = true
        memory = larger
        capacity = bytes
    }

    func put(_ source: UnsafeRawPointer, _ count: Int) { space(count).copyMemory(from: source, byteCount: count) }
    func put<Value: BitwiseCopyable>(_ value: Value) {
        space(MemoryLayout<Value>.size).storeBytes(of: value, as: Value.self)
    }
}

/// A piece of the state, as a capture goes through them.
enum Piece: Equatable {
    /// What is small, and what never changes once it is held.
    case head
    /// Bands of a side's ids.
    case ids(side: Int, bands: Range<Int>)
    /// Bytes of the sketch of sightings.
    case sightings(Range<Int>)
    /// Histories and seen sets of users.
    case lists(Range<Int>)
    /// Attribute lists of users (0) or items (1).
    case attributes(side: Int, Range<Int>)
    /// One shard of the replay reservoir.
    case replay(shard: Int)
    /// Blocks of rows of one group of a model, with all their stores.
    case rows(model: Int, group: Int, blocks: Range<Int>)
    /// What a model has once.
    case globals(model: Int)
}
