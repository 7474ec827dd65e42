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
    /// Rows of a slab of every shard: consecutive ordinals.
    public static let roundBits = shardBits + slabBits
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

/// The memory of rows that are kept in columns: a slab holds `Placement.rowsPerSlab` rows of one shard, first the first
/// column of all of them, then the second, so that one look-up finds all of a row and each column can be read in one piece.
/// The slabs of all shards that begin with the same row are a round. Rounds are mapped once, zeroed, 64-byte aligned, and
/// never move: a reader may hold a pointer for as long as the slabs live.
///
/// Thread safety: `ensure` belongs to one thread (the sequencer). `View.place` is safe from any thread for an ordinal that it
/// learned through an acquiring load after `ensure` (an index entry, a queue).
@usableFromInline
final class Slabs: @unchecked Sendable {
    /// One pointer a round, for the whole range of ordinals; written by the sequencer, released to readers.
    private let directory: UnsafeMutablePointer<Atomic<UInt>>
    /// Bytes of a slab with all its columns.
    private let slabBytes: Int
    /// Rounds mapped; stored by the sequencer, for anyone.
    private let mapped = Atomic<Int>(0)

    private static let roundCount = 1 << (32 - Int(Placement.roundBits))
    private static let directoryBytes = roundCount * MemoryLayout<Atomic<UInt>>.stride
    private var roundBytes: Int { slabBytes << Int(Placement.shardBits) }

    /// - Parameter rowBytes: bytes of a row in all columns together.
    init(rowBytes: Int) {
        // 33 lines more, so that the first rows of all shards, which are the oldest and often the busiest, do not fall into the same
        // sets of the processor's caches: 64 times 33 lines are a second-level cache's sets, once round. One line apart, neighbours
        // still met in what the first level takes for a line's name (rank 8 to 32: a tenth of a step).
        slabBytes = rowBytes << Int(Placement.slabBits) + 33 * 64
        directory = mapMemory(Slabs.directoryBytes).bindMemory(to: Atomic<UInt>.self, capacity: Slabs.roundCount)
    }

    deinit {
        for round in 0..<rounds {
            fk_unmap(UnsafeMutableRawPointer(bitPattern: directory[round].load(ordering: .relaxed)), roundBytes)
        }
        fk_unmap(directory, Slabs.directoryBytes)
    }

    /// Rounds mapped so far: a round of rows for every shard each.
    var rounds: Int { mapped.load(ordering: .relaxed) }

    private static let hugeBytes = 2 << 20
    /// Ordinals between two turns of a round's gathering into huge pages: the last turn comes before the next round's first.
    private static let gatherBits: UInt32 = 10
    /// Rows of a round of which its gathering begins: all, or a quarter. Sequencer only.
    private var gatheredFrom: UInt32 = 1 << Placement.roundBits
    /// Bytes that a round gathered early takes, at most, before it has rows for them.
    var earlyBytes: Int { roundBytes / 4 * 3 }

    /// From here on a round is gathered when a quarter of it is in use. A table that never fills its first round is found a tenth
    /// faster for it where its rows lie beyond the caches, and takes the memory of the whole round. Sequencer only.
    func gatherEarly() { gatheredFrom = 1 << (Placement.roundBits - 2) }

    /// What is gathered before `ordinal` has room: pieces of a round of one huge page each, at each turn as many as let the last
    /// turn, if not an earlier one, have the last piece; nil between turns. Sequencer only.
    func gathering(before ordinal: UInt32) -> (round: Int, pieces: Range<Int>)? {
        guard ordinal >= gatheredFrom && ordinal & (1 << Slabs.gatherBits - 1) == 0 else { return nil }
        let due = ordinal - gatheredFrom, turn = Int(due & (1 << Placement.roundBits - 1)) >> Int(Slabs.gatherBits)
        let count = roundBytes / Slabs.hugeBytes, turns = 1 << Int(Placement.roundBits - Slabs.gatherBits), each = (count + turns - 1) / turns
        return (Int(due >> Placement.roundBits), min(turn * each, count)..<min((turn + 1) * each, count))
    }

    /// Makes room for `ordinal`; ordinals come in order from 0. Sequencer only.
    ///
    /// Rows come to all slabs of a round at the same pace, so a huge page would be filled only with its round: while a round
    /// grows it has pages of the usual size, and once it is full, or full enough, they are gathered, a few pieces now and then.
    func ensure(_ ordinal: UInt32) {
        let round = Int(ordinal >> Placement.roundBits)
        if let (full, pieces) = gathering(before: ordinal) {
            let memory = UnsafeMutableRawPointer(bitPattern: directory[full].load(ordering: .relaxed))
            for piece in pieces { fk_gather(memory, roundBytes, piece) }
        }
        guard directory[round].load(ordering: .relaxed) == 0 else { return }
        directory[round].store(UInt(bitPattern: mapMemory(roundBytes)), ordering: .releasing)
        mapped.add(1, ordering: .relaxed)
    }

    /// The slabs as the hot path holds them: plain words without reference counting. Valid while the slabs live.
    @usableFromInline
    struct View: @unchecked Sendable {
        @usableFromInline let directory: UnsafeMutablePointer<Atomic<UInt>>
        @usableFromInline let slabBytes: Int

        /// The slab of an ordinal for which `ensure` was called, and the number of its row there.
        @inlinable @inline(__always)
        func place(_ ordinal: UInt32) -> (slab: UnsafeMutableRawPointer, row: Int) {
            let round = directory[Int(ordinal >> Placement.roundBits)].load(ordering: .acquiring)
            let row = Int(Placement.local(ordinal)) & (Placement.rowsPerSlab - 1)
            return (UnsafeMutableRawPointer(bitPattern: round).unsafelyUnwrapped + Placement.shard(ordinal) &* slabBytes, row)
        }

        @usableFromInline init(directory: UnsafeMutablePointer<Atomic<UInt>>, slabBytes: Int) {
            self.directory = directory
            self.slabBytes = slabBytes
        }
    }

    var view: View { View(directory: directory, slabBytes: slabBytes) }
}

/// Rows of a fixed size: one column of slabs that it has for itself or shares with others.
///
/// Thread safety: as of the slabs; `ensure` makes room in all columns that share them.
public final class SlabStore: @unchecked Sendable {
    /// Bytes of a row; a multiple of its type's alignment.
    public let rowBytes: Int
    private let slabs: Slabs
    @usableFromInline let view: View

    public convenience init(rowBytes: Int) { self.init(rowBytes: rowBytes, of: Slabs(rowBytes: rowBytes), behind: 0) }

    /// A column of common slabs.
    /// - Parameter preceding: bytes of a row in the columns before this one.
    init(rowBytes: Int, of slabs: Slabs, behind preceding: Int) {
        precondition(rowBytes > 0)
        self.rowBytes = rowBytes
        self.slabs = slabs
        view = View(slabs: slabs.view, rowBytes: rowBytes, offset: preceding << Int(Placement.slabBits))
    }

    /// Bytes of this column in mapped slabs, for reports; for anyone.
    public var mappedBytes: Int { slabs.rounds * (rowBytes << Int(Placement.roundBits)) }

    /// As of the slabs. Sequencer only.
    func gatherEarly() { slabs.gatherEarly() }
    var earlyBytes: Int { slabs.earlyBytes }

    /// Makes room for `ordinal`; ordinals come in order from 0. Sequencer only.
    public func ensure(_ ordinal: UInt32) { slabs.ensure(ordinal) }

    /// The row of an ordinal for which `ensure` was called.
    @inlinable @inline(__always)
    public func address(_ ordinal: UInt32) -> UnsafeMutableRawPointer { view.address(ordinal) }

    /// The store as the hot path holds it: plain words without reference counting. Valid while the store lives.
    @usableFromInline
    struct View: @unchecked Sendable {
        @usableFromInline let slabs: Slabs.View
        @usableFromInline let rowBytes: Int
        /// Where the column begins in a slab.
        @usableFromInline let offset: Int

        /// As the store's `address`.
        @inlinable @inline(__always)
        func address(_ ordinal: UInt32) -> UnsafeMutableRawPointer {
            let (slab, row) = slabs.place(ordinal)
            return slab + (offset &+ row &* rowBytes)
        }

        @usableFromInline init(slabs: Slabs.View, rowBytes: Int, offset: Int) {
            self.slabs = slabs
            self.rowBytes = rowBytes
            self.offset = offset
        }
    }

    /// The rows of one shard from `local` on that lie in one piece: their address and how many of `limit` they are.
    @inlinable
    public func run(shard: Int, from local: Int, limit: Int) -> (address: UnsafeMutableRawPointer, count: Int) {
        let within = local & (Placement.rowsPerSlab - 1)
        return (address(Placement.ordinal(shard: shard, local: local)), min(limit, Placement.rowsPerSlab - within))
    }
}
