import CKernels
import Synchronization

/// Memory for the copies of all pieces of a state at once, kept from one capture to the next so that its pages are there, and
/// large ones where the system has them.
///
/// Thread safety: whoever holds the snapshot store; each lane may be used by a thread of its own.
public final class CapturePool: @unchecked Sendable {
    // Sendable by hand: the store's lock says whose turn it is.
    private static let chunkBytes = 64 << 20, hugeBytes = 2 << 20
    private var chunks = Chunks()
    /// Since `prepare`.
    public private(set) var lanes: [Lane] = []

    public init() {}

    /// Makes room for about so many bytes, before anybody has to wait, to be filled by so many threads; earlier buffers are of no use
    /// then.
    public func prepare(_ bytes: Int, lanes count: Int) {
        // The end of a chunk that is too short for a piece is left, and each lane leaves its last chunk half full.
        let usable = CapturePool.chunkBytes - 4 * CaptureBuffer.pieceBytes
        let all = chunks.all + (chunks.all.count..<max(chunks.all.count, bytes / usable + 1 + count)).map { _ in CapturePool.chunk() }
        chunks.all = []
        chunks = Chunks(all)
        lanes = (0..<count).map { _ in Lane(chunks) }
    }

    private static func chunk() -> UnsafeMutableRawBufferPointer {
        let bytes = chunkBytes, memory = mapMemory(bytes)
        for piece in 0..<bytes / hugeBytes { fk_gather(memory, bytes, piece) }
        for page in stride(from: 0, to: bytes, by: 4096) { memory.storeBytes(of: 0, toByteOffset: page, as: UInt8.self) }
        return UnsafeMutableRawBufferPointer(start: memory, count: bytes)
    }

    /// What lanes take from, chunk by chunk.
    fileprivate final class Chunks: @unchecked Sendable {
        // Sendable by hand: while lanes take, only the counter changes.
        var all: [UnsafeMutableRawBufferPointer]
        private let taken = Atomic<Int>(0)

        init(_ all: [UnsafeMutableRawBufferPointer] = []) { self.all = all }

        deinit { for chunk in all { fk_unmap(chunk.baseAddress!, chunk.count) } }

        func next() -> UnsafeMutableRawBufferPointer? {
            let number = taken.add(1, ordering: .relaxed).oldValue
            return number < all.count ? all[number] : nil
        }
    }

    /// Buffers one after the other, for one thread.
    public final class Lane {
        private let chunks: Chunks
        private var free = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        private var last: CaptureBuffer?

        fileprivate init(_ chunks: Chunks) { self.chunks = chunks }

        /// A buffer with room for so many bytes, and more where there is more. The one before it is filled: what it does not need is
        /// free again.
        public func next(_ bytes: Int) -> CaptureBuffer {
            if let last, !last.isOwner {
                free = UnsafeMutableRawBufferPointer(rebasing: free[min(free.count, (last.used + 63) & ~63)...])
            }
            if free.count < bytes { free = chunks.next() ?? UnsafeMutableRawBufferPointer(start: nil, count: 0) }
            let buffer = free.count < bytes ? CaptureBuffer(bytes: bytes) : CaptureBuffer(free)
            last = buffer
            return buffer
        }
    }
}
