import CKernels
import Synchronization

/// Memory for the small growing arrays of users (history, seen items): blocks of 16·2ⁿ bytes, carved from large chunks,
/// reused through free lists after every reader has left.
///
/// Thread safety: one thread at a time, the trainer that owns the shard. `bytes` and `held` are for anyone.
final class BlockPool: @unchecked Sendable {
    private static let classes = 24
    private static let chunkBytes = 1 << 16
    private let epochs: ReaderEpochs
    private var free = [[UnsafeMutableRawPointer]](repeating: [], count: BlockPool.classes)
    private var chunks: [(memory: UnsafeMutableRawPointer, bytes: Int)] = []
    private var next: UnsafeMutableRawPointer?
    private var left = 0
    /// Unlinked blocks that readers may still hold, oldest first.
    private var retired: [(block: UnsafeMutableRawPointer, sizeClass: Int, epoch: UInt64)] = []
    private let mapped = Atomic<Int>(0)
    /// Bytes of blocks given out and not given back. Stored by the owner.
    private let inUse = Atomic<Int>(0)

    init(epochs: ReaderEpochs) { self.epochs = epochs }
    deinit { for chunk in chunks { fk_unmap(chunk.memory, chunk.bytes) } }

    /// Bytes that the system has given.
    var bytes: Int { mapped.load(ordering: .relaxed) }
    /// Bytes of the blocks in use: a function of what was asked for, not of when readers left.
    var held: Int { inUse.load(ordering: .relaxed) }

    /// Bytes of the block that serves for `bytes`; 0 for none.
    static func size(_ bytes: Int) -> Int { bytes == 0 ? 0 : 16 << sizeClass(bytes) }

    private static func sizeClass(_ bytes: Int) -> Int {
        bytes <= 16 ? 0 : Int.bitWidth - (bytes - 1).leadingZeroBitCount - 4
    }

    /// A zeroed block of at least `bytes`.
    func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
        let sizeClass = BlockPool.sizeClass(bytes), size = 16 << sizeClass
        inUse.store(held + size, ordering: .relaxed)
        if let block = free[sizeClass].popLast() {
            block.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            return block
        }
        if size >= BlockPool.chunkBytes { return map(size) }
        if left < size {
            next = map(BlockPool.chunkBytes)
            left = BlockPool.chunkBytes
        }
        defer {
            next = next.unsafelyUnwrapped + size
            left -= size
        }
        return next.unsafelyUnwrapped
    }

    private func map(_ size: Int) -> UnsafeMutableRawPointer {
        guard let memory = fk_map(size) else { preconditionFailure("the system refused to map \(size) bytes") }
        chunks.append((memory, size))
        mapped.add(size, ordering: .relaxed)
        return memory
    }

    /// Gives back a block that is no longer linked anywhere.
    func retire(_ block: UnsafeMutableRawPointer, bytes: Int) {
        inUse.store(held - BlockPool.size(bytes), ordering: .relaxed)
        retired.append((block, BlockPool.sizeClass(bytes), epochs.advance()))
        guard retired.count >= 64 else { return }
        let reusable = retired.prefix { epochs.isPast($0.epoch) }
        for old in reusable { free[old.sizeClass].append(old.block) }
        retired.removeFirst(reusable.count)
    }
}
