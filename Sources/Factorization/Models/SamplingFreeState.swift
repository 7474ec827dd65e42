import CKernels
import Synchronization

/// What a model without sampled negatives keeps beside its rows: G = Σ_j q_j q_jᵀ over the item rows as they are stored,
/// C, the running mean of p pᵀ over events, and for each item the position at which it was last settled.
///
/// G is kept by rank-two changes, which gather rounding errors, so it is also computed anew all the time: a sweep walks the
/// catalogue, settles each item on its way (no row sleeps longer than one round) and sums `next`; at the end of a round
/// `next` takes the place of G.
///
/// Thread safety: the floats are raced on purpose, through the kernels, like rows; with one trainer everything is exact.
/// `makeReady` belongs to the sequencer.
final class SamplingFreeState: @unchecked Sendable {
    let width: Int
    /// width × width each.
    let gram: UnsafeMutablePointer<Float>
    let next: UnsafeMutablePointer<Float>
    let users: UnsafeMutablePointer<Float>
    /// Position of the last settling, by item: 8 bytes, raced like the row beside it.
    let settled = SlabStore(rowBytes: 8)
    /// The item that the sweep visits next.
    let cursor = Atomic<UInt32>(0)

    init(width: Int) {
        self.width = width
        func matrix() -> UnsafeMutablePointer<Float> {
            let memory = UnsafeMutableRawPointer.allocate(byteCount: width * width * 4, alignment: 64)
            let floats = memory.bindMemory(to: Float.self, capacity: width * width)
            floats.initialize(repeating: 0, count: width * width)
            return floats
        }
        gram = matrix()
        next = matrix()
        users = matrix()
    }

    deinit {
        gram.deallocate()
        next.deallocate()
        users.deallocate()
    }

    var matrices: [UnsafeMutablePointer<Float>] { [gram, next, users] }

    /// A new item of the catalogue; its first factors enter G when it is first visited.
    func makeReady(_ ordinal: UInt32, factors: UnsafePointer<Float>, kernels: Kernels) { settled.ensure(ordinal) }

    /// Position of the item's last settling; 0 for an item that was never visited.
    @inline(__always)
    func settledAt(_ ordinal: UInt32) -> UnsafeMutablePointer<Atomic<UInt64>> {
        settled.address(ordinal).assumingMemoryBound(to: Atomic<UInt64>.self)
    }
}
