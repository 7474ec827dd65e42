import CKernels
import Synchronization

/// What a model with the interaction regulariser keeps beside its rows: G = Σ_j z_j z_jᵀ over the items' vectors as they
/// stand, C, the running mean of query queryᵀ over events, and for each item the position at which it was last settled.
///
/// G is kept by rank-two changes, which gather rounding errors, so it is also computed anew all the time: a sweep walks the
/// catalogue, settles each item on its way (no row sleeps longer than one round) and sums `next`; at the end of a round
/// `next` takes the place of G.
///
/// Thread safety: the floats are raced on purpose, through the kernels, like rows, and two trainers may lose a part of each
/// other's changes of a matrix until the next round; with one trainer everything is exact. The rest are atomics. `makeReady`
/// belongs to the sequencer.
final class GramState: @unchecked Sendable {
    let width: Int
    /// G, width × width like the others.
    let items: UnsafeMutablePointer<Float>
    /// The sum of the sweep's round so far.
    let next: UnsafeMutablePointer<Float>
    /// C.
    let queries: UnsafeMutablePointer<Float>
    /// Position of the last settling, by item: an atomic of 8 bytes.
    let settled = SlabStore(rowBytes: MemoryLayout<Atomic<UInt64>>.stride)
    /// The item that the sweep visits next; `GramState.turning` while a round is being closed.
    let cursor = Atomic<UInt32>(0)
    /// The largest catalogue that a trainer has seen. A round of several trainers goes as far as this.
    let reach = Atomic<UInt32>(0)

    /// Whether C is left alone, since it has the event already (`ReplayWindow`, under its lock).
    let isHeld: UnsafeMutablePointer<Bool>

    static let turning = UInt32.max

    init(width: Int) {
        self.width = width
        isHeld = .allocate(capacity: 1)
        isHeld.initialize(to: false)
        items = Parameters.floats(width * width)
        next = Parameters.floats(width * width)
        queries = Parameters.floats(width * width)
    }

    deinit {
        isHeld.deallocate()
        items.deallocate()
        next.deallocate()
        queries.deallocate()
    }

    /// As a snapshot holds them.
    var matrices: [UnsafeMutablePointer<Float>] { [items, next, queries] }
    var bytes: Int { 3 * width * width * MemoryLayout<Float>.stride }

    /// A new item of the catalogue; its first vector enters G when it is first visited.
    func makeReady(_ ordinal: UInt32) { settled.ensure(ordinal) }

    /// Position of the item's last settling; 0 for an item that was never visited.
    @inline(__always)
    func settledAt(_ ordinal: UInt32) -> UnsafeMutablePointer<Atomic<UInt64>> {
        settled.address(ordinal).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Takes a model up that learned without the regulariser until `position`: G from its rows, every item settled there.
    /// Before any thread starts.
    func begin(_ model: Model, itemCount: Int, position: UInt64) {
        for matrix in matrices { matrix.update(repeating: 0, count: width * width) }
        cursor.store(0, ordering: .relaxed)
        let z = Parameters.floats(width)
        defer { z.deallocate() }
        for item in 0..<UInt32(itemCount) {
            ItemSide.vector(model, item, into: z)
            model.kernels.rankOne(items, 1, z, 1, width)
            settledAt(item).pointee.store(position, ordering: .relaxed)
        }
    }

    /// Computes G, and the sum of the sweep as far as it has come, from the rows. While trainers stand.
    func rebuild(_ model: Model, itemCount: Int) {
        for matrix in [items, next] { fk_first_factors(matrix, 0, width * width, 0, 0) }
        let z = Parameters.floats(width), passed = cursor.load(ordering: .relaxed)
        defer { z.deallocate() }
        for item in 0..<UInt32(itemCount) where settledAt(item).pointee.load(ordering: .relaxed) != 0 {
            ItemSide.vector(model, item, into: z)
            guard model.kernels.dot(z, z, width).isFinite else { continue }
            model.kernels.rankOne(items, 1, z, 1, width)
            if item < passed { model.kernels.rankOne(next, 1, z, 1, width) }
        }
    }

    /// Cursor, then the matrices row after row.
    func write(_ writer: inout ByteWriter) {
        writer.put(cursor.load(ordering: .relaxed))
        for matrix in matrices { for index in 0..<width * width { writer.put(matrix[index]) } }
    }

    /// Before any thread starts.
    func read(_ reader: inout ByteReader) throws(StateError) {
        cursor.store(try reader.get(UInt32.self), ordering: .relaxed)
        for matrix in matrices { for index in 0..<width * width { matrix[index] = try reader.getFloat() } }
    }
}
