import CKernels

/// Memory for the copies of all pieces of a state at once, kept from one capture to the next so that its pages are there, and
/// large ones where the system has them.
///
/// Thread safety: whoever holds the snapshot store. Buffers may be filled on several threads.
public final class CapturePool: @unchecked Sendable {
    private static let chunkBytes = 64 << 20, hugeBytes = 2 << 20
    private var chunks: [UnsafeMutableRawBufferPointer] = []
    /// Where the next buffer begins.
    private var chunk = 0, offset = 0
    /// Bytes that the last buffer was promised.
    private var promised = 0
    /// Buffers given out since `prepare`.
    public private(set) var buffers: [CaptureBuffer] = []

    public init() {}

    deinit { for chunk in chunks { fk_unmap(chunk.baseAddress!, chunk.count) } }

    /// Makes room for about so many bytes, before anybody has to wait; earlier buffers are of no use then.
    public func prepare(_ bytes: Int) {
        buffers = []
        (chunk, offset, promised) = (0, 0, 0)
        // The end of a chunk that is too short for a piece is left.
        let usable = CapturePool.chunkBytes - CaptureBuffer.pieceBytes
        while chunks.count * usable < bytes + 2 * CaptureBuffer.pieceBytes { addChunk(CapturePool.chunkBytes) }
    }

    private func addChunk(_ bytes: Int) {
        guard let memory = fk_map(bytes) else { preconditionFailure("the system refused to map \(bytes) bytes") }
        for piece in 0..<bytes / CapturePool.hugeBytes { fk_gather(memory, bytes, piece) }
        for page in stride(from: 0, to: bytes, by: 4096) { memory.storeBytes(of: 0, toByteOffset: page, as: UInt8.self) }
        chunks.append(UnsafeMutableRawBufferPointer(start: memory, count: bytes))
    }

    /// A buffer with room for so many bytes. What the one before it does not need by now is free again, unless it is still empty:
    /// then it is filled later.
    public func next(_ bytes: Int) -> CaptureBuffer {
        if let last = buffers.last, !last.isOwner {
            offset += ((last.used > 0 ? last.used : promised) + 63) & ~63
        }
        if chunk < chunks.count, offset + bytes > chunks[chunk].count {
            chunk += 1
            offset = 0
        }
        if chunk == chunks.count { addChunk(max(CapturePool.chunkBytes, (bytes + CapturePool.hugeBytes - 1) & ~(CapturePool.hugeBytes - 1))) }
        guard bytes <= chunks[chunk].count else {
            buffers.append(CaptureBuffer(bytes: bytes))
            return buffers[buffers.count - 1]
        }
        promised = bytes
        buffers.append(CaptureBuffer(UnsafeMutableRawBufferPointer(rebasing: chunks[chunk][offset..<offset + bytes])))
        return buffers[buffers.count - 1]
    }
}
