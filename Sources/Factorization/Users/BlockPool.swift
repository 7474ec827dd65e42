import CKernels
import Synchronization

/// Memory for the small growing arrays of users (history, seen items): blocks of 16·2ⁿ bytes, carved from chunks of a common
/// memory, reused through free lists after every reader has left.
///
/// Thread safety: one thread at a time, the trainer that owns the shard. `bytes` and `held` are for anyone.
final class BlockPool: @unchecked Sendable {
    private static let classes = 24
    private static let lineBytes = 64
    private let epochs: ReaderEpochs
    private let memory: BlockMemory
    private var free = [[UnsafeMutableRawPointer]](repeating: [], count: BlockPool.classes)
    /// Blocks as large as a chunk, each mapped by itself.
    private var large: [(memory: UnsafeMutableRawPointer, bytes: Int)] = []
    private var next: UnsafeMutableRawPointer?
    private var left = 0
    /// Unlinked blocks, and those that were unlinked in that epoch or before, which readers may still hold.
    private var retired: [Retired] = []
    private var leaving: [Retired] = []
    private var leavingEpoch: UInt64 = 0
    private typealias Retired = (block: UnsafeMutableRawPointer, sizeClass: Int)
    /// Blocks that share an epoch: to open one waits until all that was stored before can be seen, the new block's lines first of all.
    private static let groupSize = 64
    private let mapped = Atomic<Int>(0)
    /// Bytes of blocks given out and not given back. Stored by the owner.
    private let inUse = Atomic<Int>(0)

    /// - Parameter memory: shared by pools whose readers are the same.
    init(epochs: ReaderEpochs, memory: BlockMemory = BlockMemory()) {
        self.epochs = epochs
        self.memory = memory
    }

    deinit { for block in large { fk_unmap(block.memory, block.bytes) } }

    /// A pool for each shard, of one memory.
    static func forShards(epochs: ReaderEpochs, memory: BlockMemory = BlockMemory()) -> [BlockPool] {
        (0..<Placement.shardCount).map { _ in BlockPool(epochs: epochs, memory: memory) }
    }

    /// Bytes of the chunks and large blocks taken.
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
        if size >= BlockMemory.chunkBytes {
            let block = mapMemory(size)
            large.append((block, size))
            mapped.add(size, ordering: .relaxed)
            return block
        }
        align(min(size, BlockPool.lineBytes))
        if left < size {
            next = memory.chunk()
            left = BlockMemory.chunkBytes
            mapped.add(left, ordering: .relaxed)
        }
        return carve(size)
    }

    private func carve(_ size: Int) -> UnsafeMutableRawPointer {
        defer {
            next = next.unsafelyUnwrapped + size
            left -= size
        }
        return next.unsafelyUnwrapped
    }

    /// No block begins within a line that it would share: what is passed over serves as smaller blocks.
    private func align(_ bytes: Int) {
        for sizeClass in 0..<2 where left & (bytes - 1) & (16 << sizeClass) != 0 { free[sizeClass].append(carve(16 << sizeClass)) }
    }

    /// Gives back a block that is no longer linked anywhere.
    func retire(_ block: UnsafeMutableRawPointer, bytes: Int) {
        inUse.store(held - BlockPool.size(bytes), ordering: .relaxed)
        retired.append((block, BlockPool.sizeClass(bytes)))
        if retired.count >= BlockPool.groupSize, leaving.isEmpty || epochs.isPast(leavingEpoch) { beginGroup() }
    }

    /// Takes back the blocks that every reader has left; those unlinked since wait for the readers of now.
    @inline(never)
    private func beginGroup() {
        for old in leaving { free[old.sizeClass].append(old.block) }
        leaving.removeAll(keepingCapacity: true)
        swap(&leaving, &retired)
        leavingEpoch = epochs.advance()
    }
}
