import CKernels
import Synchronization

/// Which interactions were applied to which rows, as sums: the proof that none was lost and none applied twice.
///
/// For each model and each shard there are two sums, of the user parts and of the item parts of its interactions: the 64-bit sum,
/// wrapping, of
///
///     mix(position, ordinal) = finalizer(position · 0x9E3779B97F4A7C15 + ordinal)
///     finalizer(z): z = (z ^ z >> 30) · 0xBF58476D1CE4E5B9; z = (z ^ z >> 27) · 0x94D049BB133111EB; z ^ z >> 31
///
/// over all interactions whose user's (or item's) ordinal lies in the shard and whose part is in the model's rows. The finalizer is
/// SplitMix64's, the shard is ordinal mod 64, and ordinals count ids of a side from 0 in the order in which the stream first named
/// them (as long as none is evicted or forgotten). An interaction counts whatever its weight; what replay teaches again does not. Addition knows no order, so trainers, gates and restarts leave no
/// trace in a sum: whoever has the list of interactions with their positions computes the same.
///
/// One trainer's part, kept by block of rows, so that a capture finds the sum that belongs to the rows that it copies.
///
/// Thread safety: the trainer's; others look while it stands, or see sums that are some events old.
final class Witness: @unchecked Sendable {
    private static let bytes = RowBlock.most * MemoryLayout<UInt64>.stride
    /// By block, mapped lazily: of users, and of items.
    let users: UnsafeMutablePointer<Atomic<UInt64>>
    let items: UnsafeMutablePointer<Atomic<UInt64>>

    init() {
        func map() -> UnsafeMutablePointer<Atomic<UInt64>> {
            let memory = mapMemory(Witness.bytes)
            return memory.bindMemory(to: Atomic<UInt64>.self, capacity: RowBlock.most)
        }
        users = map()
        items = map()
    }

    deinit {
        fk_unmap(users, Witness.bytes)
        fk_unmap(items, Witness.bytes)
    }

    /// What one interaction adds to the sum of a part.
    @inline(__always)
    static func mix(_ position: UInt64, _ ordinal: UInt32) -> UInt64 {
        // `mix64` adds the constant once more before it finalizes.
        mix64((position &- 1) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(ordinal))
    }

    /// Counts the interactions among `count` records: adds `mix` of each to the sums of its blocks.
    @inline(__always)
    func count(_ ring: TrainerQueue.View, from first: Int, count: Int, _ kernels: Kernels) {
        kernels.witness(
            UnsafeMutableRawPointer(users).assumingMemoryBound(to: UInt64.self),
            UnsafeMutableRawPointer(items).assumingMemoryBound(to: UInt64.self),
            UnsafeRawPointer(ring.records).assumingMemoryBound(to: fk_record.self), ring.recordMask, first, count)
    }
}

/// Sums that a model starts with: of the interactions before the state was taken up. By block; absent blocks are 0.
///
/// Thread safety: written before threads start and under the window's lock; read while trainers stand, or approximately.
final class WitnessBase: @unchecked Sendable {
    private(set) var users: [UInt64] = []
    private(set) var items: [UInt64] = []

    func add(_ value: UInt64, user block: Int) { WitnessBase.add(value, to: &users, block) }
    func add(_ value: UInt64, item block: Int) { WitnessBase.add(value, to: &items, block) }

    private static func add(_ value: UInt64, to sums: inout [UInt64], _ block: Int) {
        if sums.count <= block { sums += [UInt64](repeating: 0, count: block + 1 - sums.count) }
        sums[block] &+= value
    }
}

/// The sums of one model, by shard: see `Witness`.
public struct WitnessSums: Sendable, Equatable {
    public var users: [UInt64]
    public var items: [UInt64]
}

extension Engine {
    /// The sum of a model's block, of one part: what it started with and what trainers have added.
    func witness(_ model: Int, _ part: RowSide, block: Int) -> UInt64 {
        let base = part == .users ? witnessBases[model].users : witnessBases[model].items
        return trainers.reduce(block < base.count ? base[block] : 0) {
            $0 &+ (part == .users ? $1.witness.users : $1.witness.items)[block].load(ordering: .relaxed)
        }
    }

    /// Exactly-once sums of a model by shard, 64 of each part. Exact while trainers are idle.
    public func witness(_ model: Int) -> WitnessSums {
        func sums(_ part: RowSide, _ count: Int) -> [UInt64] {
            var sums = [UInt64](repeating: 0, count: Placement.shardCount)
            for block in 0..<RowBlock.count(of: count) { sums[RowBlock.shard(block)] &+= witness(model, part, block: block) }
            return sums
        }
        return WitnessSums(users: sums(.users, users.count), items: sums(.items, items.count))
    }

    /// What one interaction adds to the sums, for programs that compute them from a list: see `WitnessSums`.
    public static func witnessMix(position: UInt64, ordinal: UInt32) -> UInt64 { Witness.mix(position, ordinal) }
}
