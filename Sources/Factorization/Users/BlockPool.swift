import CKernels
import Synchronization

/// Memory for the small growing arrays of users (history, seen items): blocks of 16·2ⁿ bytes, halved from the chunks of a common
/// memory, reused after every reader has left.
///
/// A block that is free serves smaller ones: it is halved until one fits. Before another chunk is taken, halves that are both free become one
/// again, so that memory follows the blocks in use whatever sizes come and go. Blocks larger than a chunk are mapped each by itself
/// and go back to the system.
///
/// Thread safety: one thread at a time, the trainer that owns the shard. `bytes` and `held` are for anyone.
final class BlockPool: @unchecked Sendable {
    /// The class of a block as large as a chunk; those above it are mapped.
    private static let chunkClass = sizeClass(BlockMemory.chunkBytes)
    private let epochs: ReaderEpochs
    private let memory: BlockMemory
    /// Free blocks by class; each lies at a multiple of its size.
    private var free = [[UnsafeMutableRawPointer]](repeating: [], count: BlockPool.chunkClass + 1)
    /// Blocks that have become free since halves were last looked for.
    private var freed = 0
    /// Blocks larger than a chunk.
    private var large: [(memory: UnsafeMutableRawPointer, bytes: Int)] = []
    /// Unlinked blocks, and those that were unlinked in that epoch or before, which readers may still hold.
    private var retired: [Retired] = []
    private var leaving: [Retired] = []
    private var leavingEpoch: UInt64 = 0
    private var retiredBytes = 0
    private typealias Retired = (block: UnsafeMutableRawPointer, sizeClass: Int)
    /// Blocks that share an epoch, unless they are more than a chunk together: to open one waits until all that was stored before can be
    /// seen, the new block's lines first of all.
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

    /// A zeroed block of at least `bytes`, at a multiple of its size as far as a line.
    func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
        let sizeClass = BlockPool.sizeClass(bytes), size = 16 << sizeClass
        inUse.store(held + size, ordering: .relaxed)
        guard sizeClass <= BlockPool.chunkClass else {
            let block = mapMemory(size)
            large.append((block, size))
            mapped.add(size, ordering: .relaxed)
            return block
        }
        if let block = free[sizeClass].popLast() ?? half(sizeClass) {
            block.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            return block
        }
        free[BlockPool.chunkClass].append(memory.chunk())
        mapped.add(BlockMemory.chunkBytes, ordering: .relaxed)
        return half(sizeClass, isNew: true).unsafelyUnwrapped
    }

    /// A block from the smallest free one that is larger; the rest stays free. Nil where there is none.
    /// - Parameter isNew: whether there was none, and has just been one taken.
    private func half(_ sizeClass: Int, isNew: Bool = false) -> UnsafeMutableRawPointer? {
        var larger = sizeClass
        while larger <= BlockPool.chunkClass, free[larger].isEmpty { larger += 1 }
        guard larger <= BlockPool.chunkClass else { return isNew || !merge() ? nil : half(sizeClass, isNew: true) }
        let block = free[larger].removeLast()
        while larger > sizeClass {
            larger -= 1
            free[larger].append(block + 16 << larger)
        }
        return block
    }

    /// Makes halves that are both free one again; false where too few blocks have become free for it to be worth a sort.
    private func merge() -> Bool {
        guard freed >= BlockPool.groupSize, freed >= free.reduce(0, { $0 + $1.count }) / 4 else { return false }
        freed = 0
        for sizeClass in 0..<BlockPool.chunkClass where free[sizeClass].count > 1 {
            let size = 16 << sizeClass
            var blocks: [UnsafeMutableRawPointer] = [], index = 0
            swap(&blocks, &free[sizeClass])
            blocks.sort()
            while index < blocks.count {
                let block = blocks[index]
                index += 1
                if UInt(bitPattern: block) & UInt(size) == 0, index < blocks.count, blocks[index] == block + size {
                    index += 1
                    free[sizeClass + 1].append(block)
                } else {
                    free[sizeClass].append(block)
                }
            }
        }
        return true
    }

    /// Gives back a block that is no longer linked anywhere.
    func retire(_ block: UnsafeMutableRawPointer, bytes: Int) {
        let size = BlockPool.size(bytes)
        inUse.store(held - size, ordering: .relaxed)
        retired.append((block, BlockPool.sizeClass(bytes)))
        retiredBytes += size
        guard retired.count >= BlockPool.groupSize || retiredBytes >= BlockMemory.chunkBytes else { return }
        if leaving.isEmpty || epochs.isPast(leavingEpoch) { beginGroup() }
    }

    /// Takes back the blocks that every reader has left; those unlinked since wait for the readers of now.
    @inline(never)
    private func beginGroup() {
        for old in leaving {
            if old.sizeClass > BlockPool.chunkClass { unmap(old.block) } else { free[old.sizeClass].append(old.block) }
        }
        freed += leaving.count
        leaving.removeAll(keepingCapacity: true)
        swap(&leaving, &retired)
        retiredBytes = 0
        leavingEpoch = epochs.advance()
    }

    private func unmap(_ block: UnsafeMutableRawPointer) {
        guard let number = large.firstIndex(where: { $0.memory == block }) else { return }
        large.swapAt(number, large.count - 1)
        let last = large.removeLast()
        fk_unmap(last.memory, last.bytes)
        mapped.subtract(last.bytes, ordering: .relaxed)
    }
}
