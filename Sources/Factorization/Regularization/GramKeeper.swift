import CKernels
import Synchronization

/// One learner's hands on a `GramState`: brings items up to date, lets G follow what moves, walks the sweep.
///
/// A vector that is not finite never enters a matrix: its row is mended elsewhere, and G has what the row was before until
/// the round ends.
///
/// Scratch of one learner; a trainer's thread.
final class GramKeeper {
    private let model: Model
    private let kernels: Kernels
    let state: GramState
    let width: Int
    private let z: UnsafeMutablePointer<Float>
    private let before: UnsafeMutablePointer<Float>
    /// The item's vector before it is settled.
    private let faded: UnsafeMutablePointer<Float>
    private let scratch: UnsafeMutablePointer<Float>

    /// Weight β of a new event in C.
    private static let meanWeight: Float = 1e-3
    /// Products with a matrix in one solve at most.
    static let steps: CInt = 6
    /// Squared residual at which a solve for a row is good enough, relative to the row's square.
    static let enough: Float = 1e-6
    /// Events in which the sweep walks the whole catalogue at most, and events for one item of it at most.
    private static let longestRound: UInt64 = 100_000
    private static let eventsPerItem: UInt64 = 4

    /// Ordinals without an item: the sweep passes them over.
    private(set) var holes = HoleMap.View()

    init(model: Model, state: GramState) {
        self.model = model
        kernels = model.kernels
        self.state = state
        width = state.width
        z = Parameters.floats(width)
        before = Parameters.floats(width)
        faded = Parameters.floats(width)
        scratch = Parameters.floats(3 * width)
    }

    deinit {
        z.deallocate()
        before.deallocate()
        faded.deallocate()
        scratch.deallocate()
    }

    /// x ← (I + a G)⁻¹ x.
    /// - Parameter enough: squared residual, relative to x's.
    @inline(__always)
    func solveItems(_ x: UnsafeMutablePointer<Float>, _ a: Float, enough: Float = GramKeeper.enough) {
        kernels.solve(x, state.items, a, GramKeeper.steps, enough, scratch, width)
    }

    /// Brings an item up to `position`: what the regulariser did to it while nobody touched it,
    /// z ← (I + η γ (D/n) C)⁻¹ z with D the events since it was last settled, n the catalogue and η the rate of z. G does not
    /// follow yet: that is left to `follow`, once for this and for what the event does to the item.
    /// - Parameter known: receives the item's vector as G has it.
    func settle(_ item: UInt32, _ position: UInt64, _ catalogue: UInt32, known: UnsafeMutablePointer<Float>) {
        ItemSide.vector(model, item, into: known)
        if model.settings.halfLife > 0 { model.fade(item: item, to: model.halfLife.stamp(position)) }
        let settledAt = state.settledAt(item)
        let last = settledAt.pointee.load(ordering: .relaxed)
        // Of several trainers one settles the item; to the others it is settled.
        guard position > last, settledAt.pointee.compareExchange(expected: last, desired: position, ordering: .relaxed).exchanged else { return }
        // An item that was never visited is not in G yet.
        if last == 0 { return known.update(repeating: 0, count: width) }
        let rate = ItemSide.rate(model, item)
        let strength = rate * model.settings.interaction.item * Float(position - last) / Float(catalogue)
        guard strength > 0 else { return }
        ItemSide.vector(model, item, into: z)
        kernels.copy(faded, z, width)
        kernels.solve(z, state.queries, strength, GramKeeper.steps, GramKeeper.enough, scratch, width)
        guard isFinite(z) else { return }
        kernels.add(z, faded, -1, width)
        ItemSide.move(model, item, by: z, rate: rate)
        model.items.copy?.touch(item)
    }

    /// Lets G follow an item to where it is now, and the sum of the sweep if it has passed the item in this round.
    /// - Parameter known: the item's vector as G has it.
    func follow(_ item: UInt32, from known: UnsafePointer<Float>) {
        ItemSide.vector(model, item, into: z)
        guard isFinite(known) && isFinite(z) else { return }
        kernels.rankTwo(state.items, z, known, width)
        if item < state.cursor.load(ordering: .relaxed) { kernels.rankTwo(state.next, z, known, width) }
    }

    /// Skips these ordinals from here on.
    func use(_ holes: HoleMap.View) { self.holes = holes }

    /// Takes an item out of G, and out of the sum of the sweep if it has passed it in this round. To the next item with this
    /// ordinal it is as if it was never visited.
    func leave(_ item: UInt32) {
        let settledAt = state.settledAt(item)
        guard settledAt.pointee.exchange(0, ordering: .relaxed) != 0 else { return }
        ItemSide.vector(model, item, into: before)
        guard isFinite(before) else { return }
        z.update(repeating: 0, count: width)
        kernels.rankTwo(state.items, z, before, width)
        if item < state.cursor.load(ordering: .relaxed) { kernels.rankTwo(state.next, z, before, width) }
    }

    /// C ← (1 − β) C + β p pᵀ.
    @inline(__always)
    func observe(query p: UnsafePointer<Float>) {
        if state.isHeld.pointee { return }
        kernels.rankOne(state.queries, 1 - GramKeeper.meanWeight, p, GramKeeper.meanWeight, width)
    }

    @inline(__always)
    func isFinite(_ vector: UnsafePointer<Float>) -> Bool { kernels.dot(vector, vector, width).isFinite }

    /// Visits the items whose turn it is: how many is a function of position and catalogue.
    func sweep(_ position: UInt64, _ catalogue: UInt32) {
        let count = UInt64(catalogue), period = min(GramKeeper.longestRound, GramKeeper.eventsPerItem * count)
        let visits = position * count / period - (position - 1) * count / period
        guard visits > 0 else { return }
        let reach = reach(catalogue)
        for _ in 0..<visits { visit(reach, position, catalogue) }
    }

    /// How far rounds go: the records of one trainer may know fewer items than another has visited already.
    private func reach(_ catalogue: UInt32) -> UInt32 {
        let known = state.reach.load(ordering: .acquiring)
        guard catalogue > known else { return known }
        return max(catalogue, state.reach.max(catalogue, ordering: .acquiringAndReleasing).oldValue)
    }

    private func visit(_ reach: UInt32, _ position: UInt64, _ catalogue: UInt32) {
        let item = state.cursor.load(ordering: .relaxed)
        if item == GramState.turning { return }
        guard item < reach else {
            // A round is complete: the exact sum takes the place of the running one. Whoever turns it does so alone.
            guard state.cursor.compareExchange(expected: item, desired: GramState.turning, ordering: .relaxed).exchanged else { return }
            kernels.copy(state.items, state.next, width * width)
            fk_first_factors(state.next, 0, width * width, 0, 0)
            state.cursor.store(0, ordering: .relaxed)
            return
        }
        let isHole = holes.contains(item)
        if !isHole {
            settle(item, position, catalogue, known: before)
            follow(item, from: before)
        }
        guard state.cursor.compareExchange(expected: item, desired: item + 1, ordering: .relaxed).exchanged else { return }
        if !isHole && isFinite(z) { kernels.rankOne(state.next, 1, z, 1, width) }
    }
}
