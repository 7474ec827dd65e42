import Synchronization

/// Memory for the text of ids: pieces in steps of 16 bytes, cut from large chunks, those given back used again by texts of
/// the same size. What is stored never moves.
///
/// Thread safety: one thread, the sequencer; `bytes` is for anyone.
final class TextArena: @unchecked Sendable {
    private static let chunkBytes = 1 << 18
    private static let step = 16

    private var chunks: [UnsafeMutableRawPointer] = []
    private var used = TextArena.chunkBytes
    /// Pieces given back, by size in steps.
    private var spare = [[UnsafeMutableRawPointer]](repeating: [], count: Key.longestText / TextArena.step + 1)
    private let mapped = Atomic<Int>(0)

    var bytes: Int { mapped.load(ordering: .relaxed) }

    /// Bytes of the piece that holds a text of `count` bytes.
    static func bytes(_ count: Int) -> Int { (count + step - 1) / step * step }

    /// Copies the text and packs address and length into one word.
    func store(_ text: UnsafeRawBufferPointer) -> UInt64 {
        let place = piece(TextArena.bytes(text.count))
        place.copyMemory(from: text.baseAddress!, byteCount: text.count)
        return UInt64(UInt(bitPattern: place)) | UInt64(text.count) << 48
    }

    private func piece(_ bytes: Int) -> UnsafeMutableRawPointer {
        if let place = spare[bytes / TextArena.step].popLast() { return place }
        if used + bytes > TextArena.chunkBytes {
            chunks.append(.allocate(byteCount: TextArena.chunkBytes, alignment: 16))
            used = 0
            mapped.add(TextArena.chunkBytes, ordering: .relaxed)
        }
        defer { used += bytes }
        return chunks[chunks.count - 1] + used
    }

    /// Gives a text's memory back; no reader may still hold it.
    func free(_ text: UnsafeRawBufferPointer) {
        spare[TextArena.bytes(text.count) / TextArena.step].append(UnsafeMutableRawPointer(mutating: text.baseAddress!))
    }

    deinit { for chunk in chunks { chunk.deallocate() } }
}
