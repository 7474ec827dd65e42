public import Synchronization
import CKernels

/// Where a row lies: rows are numbered in order of admission (the ordinal), the low bits of the ordinal name the shard,
/// the rest the place within it.
///
/// Dense ordinals make the catalogue a plain range (a uniform negative is one multiplication) and keep the shards equally
/// full whatever the ids look like; nothing about placement depends on a hash.
public enum Placement {
    /// 64 shards: more than any machine's trainers, few enough that a small table stays small.
    public static let shardBits: UInt32 = 6
    public static let shardCount = 1 << Int(shardBits)
    /// 4,096 rows a slab.
    public static let slabBits: UInt32 = 12
    public static let rowsPerSlab = 1 << Int(slabBits)
    /// No row. Also bounds ordinals: the last one is never given out.
    public static let none = UInt32.max

    @inlinable @inline(__always)
    public static func shard(_ ordinal: UInt32) -> Int { Int(ordinal & ((1 << shardBits) - 1)) }
    /// The row's number within its shard.
    @inlinable @inline(__always)
    public static func local(_ ordinal: UInt32) -> UInt32 { ordinal >> shardBits }
    @inlinable @inline(__always)
    public static func ordinal(shard: Int, local: Int) -> UInt32 { UInt32(local) << shardBits | UInt32(shard) }
    /// Rows of `shard` when `count` rows were admitted in all.
    @inlinable
    public static func rows(in shard: Int, of count: Int) -> Int {
        count <= shard ? 0 : (count - shard - 1) >> Int(shardBits) + 1
    }
}

/// Rows of a fixed size, in slabs that are mapped once, zeroed, 64-byte aligned, and never move: a reader may hold a
/// pointer for as long as the store lives.
///
/// Thread safety: `ensure` belongs to one thread (the sequencer). `address` is safe from any thread for an ordinal that
/// it learned through an acquiring load after `ensure` (an index entry, a queue).
public final class SlabStore: @unchecked Sendable {
    /// Bytes of a row; a multiple of its type's alignment.
    public let rowBytes: Int
    /// One pointer a slab, mapped lazily for the whole range of ordinals; written by the sequencer, released to readers.
    @usableFromInline let directory: UnsafeMutablePointer<Atomic<UInt>>
    /// Bytes of mapped slabs, for reports; atomic.
    public let mappedBytes = Atomic<Int>(0)

    static let slabCount = 1 << Int(32 - Placement.slabBits)
    static let directoryBytes = slabCount * MemoryLayout<Atomic<UInt>>.stride

    public init(rowBytes: Int) {
        precondition(rowBytes > 0)
        self.rowBytes = rowBytes
        directory = SlabStore.map(SlabStore.directoryBytes).bindMemory(
            to: Atomic<UInt>.self, capacity: SlabStore.slabCount)
    }

    deinit {
        // Ordinals are dense: after the last slab of all shards nothing follows.
        var index = 0
        while index < SlabStore.slabCount, index % Placement.shardCount != 0 || directory[index].load(ordering: .relaxed) != 0 {
            if let slab = UnsafeMutableRawPointer(bitPattern: directory[index].load(ordering: .relaxed)) { fk_unmap(slab, slabBytes) }
            index += 1
        }
        fk_unmap(directory, SlabStore.directoryBytes)
    }

    private var slabBytes: Int { rowBytes << Int(Placement.slabBits) }

    /// Memory that the system cannot give is no operating state that the daemon could go on in.
    private static func map(_ bytes: Int) -> UnsafeMutableRawPointer {
        guard let memory = fk_map(bytes) else { preconditionFailure("the system refused to map \(bytes) bytes") }
        return memory
    }

    /// The same slab of all shards stands side by side, so that the directory's part in use lies in few lines.
    @inlinable @inline(__always)
    static func slabIndex(_ ordinal: UInt32) -> Int {
        Int(ordinal >> (Placement.shardBits + Placement.slabBits)) << Int(Placement.shardBits) | Placement.shard(ordinal)
    }

    /// Makes room for `ordinal`; ordinals come in order from 0. Sequencer only.
    public func ensure(_ ordinal: UInt32) {
        let index = SlabStore.slabIndex(ordinal)
        guard directory[index].load(ordering: .relaxed) == 0 else { return }
        let slab = SlabStore.map(slabBytes)
        directory[index].store(UInt(bitPattern: slab), ordering: .releasing)
        mappedBytes.add(slabBytes, ordering: .relaxed)
    }

    /// The row of an ordinal for which `ensure` was called.
    @inlinable @inline(__always)
    public func address(_ ordinal: UInt32) -> UnsafeMutableRawPointer {
        View(directory: directory, rowBytes: rowBytes).address(ordinal)
    }

    /// The store as the hot path holds it: plain words without reference counting. Valid while the store lives.
    @usableFromInline
    struct View: @unchecked Sendable {
        @usableFromInline let directory: UnsafeMutablePointer<Atomic<UInt>>
        @usableFromInline let rowBytes: Int

        /// As the store's `address`.
        @inlinable @inline(__always)
        func address(_ ordinal: UInt32) -> UnsafeMutableRawPointer {
            let slab = directory[SlabStore.slabIndex(ordinal)].load(ordering: .acquiring)
            let row = Int(Placement.local(ordinal)) & (Placement.rowsPerSlab - 1)
            return UnsafeMutableRawPointer(bitPattern: slab).unsafelyUnwrapped + row &* rowBytes
        }

        @usableFromInline init(directory: UnsafeMutablePointer<Atomic<UInt>>, rowBytes: Int) {
            self.directory = directory
            self.rowBytes = rowBytes
        }
    }

    var view: View { View(directory: directory, rowBytes: rowBytes) }

    /// The rows of one shard from `local` on that lie in one piece: their address and how many of `limit` they are.
    @inlinable
    public func run(shard: Int, from local: Int, limit: Int) -> (address: UnsafeMutableRawPointer, count: Int) {
        let within = local & (Placement.rowsPerSlab - 1)
        return (address(Placement.ordinal(shard: shard, local: local)), min(limit, Placement.rowsPerSlab - within))
    }
}
