import CKernels
import Synchronization

/// Learning from positives alone, with the interaction regulariser as the whole of the unobserved data: the loss of all
/// pairs that a user did not touch is γ Σ ⟨p_u, q_j⟩², which Gram matrices give without visiting a pair (Hu, Koren, Volinsky
/// 2008; Krichene et al. 2019; Chen et al. 2020). A score is ⟨p, q⟩, near 1 for what the user takes; there is no bias.
///
/// Per event (u, i) at position t, with n items, η_u, η_i, η_h the rates of user, item and history rows:
/// 1. the item is settled: q ← (I + η_i γ_i (D/n) C)⁻¹ q, D the events since it was last settled, C the mean of p pᵀ;
/// 2. the user's side: p' = (I + η_p (γ_u/n) G)⁻¹ p, with η_p = Σ_a η_a x_a² over the side's rows, which is one implicit
///    step of them all: each row a takes η_a x_a of the gradient (p − p')/η_p;
/// 3. the positive: e = (⟨p',q⟩ − y) / (1 + η_i ‖p'‖² + η_p ‖q‖²), an implicit step too; q −= η_i (e p' + λ q), each row
///    −= η_a (x_a e q + λ row);
/// 4. G follows q by a rank-two change; C ← (1 − β) C + β p pᵀ.
/// Both solves are stable however long a row slept.
///
/// Scratch of one learner; a trainer's thread.
final class SamplingFree {
    private let model: Model
    private let state: SamplingFreeState
    private let width: Int
    private let p: UnsafeMutablePointer<Float>
    private let q: UnsafeMutablePointer<Float>
    private let before: UnsafeMutablePointer<Float>
    private let gradient: UnsafeMutablePointer<Float>
    private let scratch: UnsafeMutablePointer<Float>

    /// Weight β of a new event in C.
    private static let meanWeight: Float = 1e-3
    /// Products with a Gram matrix in one solve at most.
    static let steps: CInt = 6
    /// Events in which the sweep walks the whole catalogue at most, and events for one item of it at most.
    private static let longestRound: UInt64 = 100_000
    private static let eventsPerItem: UInt64 = 4

    init(model: Model, state: SamplingFreeState) {
        self.model = model
        self.state = state
        width = state.width
        func vector(_ count: Int) -> UnsafeMutablePointer<Float> {
            UnsafeMutableRawPointer.allocate(byteCount: count * 4, alignment: 64).bindMemory(to: Float.self, capacity: count)
        }
        p = vector(width)
        q = vector(width)
        before = vector(width)
        gradient = vector(width)
        scratch = vector(3 * width)
    }

    deinit {
        for vector in [p, q, before, gradient, scratch] { vector.deallocate() }
    }

    /// - Parameters:
    ///   - side: the user's side, folded.
    ///   - items: receives the event's score at 0, and at 1 that of an item drawn for comparison.
    func learn(
        _ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, side: UserSide, stepper: inout RowStepper,
        items: UnsafeMutablePointer<fk_item>
    ) {
        let kernels = model.kernels, settings = model.settings
        let position = record.pointee.position, item = record.pointee.item
        let catalogue = Float(record.pointee.catalogue)
        let row = model.items.factors(item)

        settle(item, position, catalogue)
        score(record, side, items)
        guard items[0].score.isFinite else { return }
        kernels.copy(q, row, width)
        kernels.copy(before, row, width)
        kernels.copy(p, side.query, width)

        // The rate of p: how far p moves for one unit of gradient on it, through all the rows that it is the sum of.
        var rate: Float = 0
        for index in 0..<side.rowCount { rate += rateOf(side.rows[index].group, settings) * side.rows[index].x * side.rows[index].x }
        kernels.solve(p, state.gram, rate * settings.interaction.user / catalogue, SamplingFree.steps, scratch, width)

        let itemRate = settings.rates.item
        let size = kernels.dot(p, p, width), itemSize = kernels.dot(q, q, width)
        let e = weight * (kernels.dot(p, q, width) - label) / (1 + weight * (itemRate * size + rate * itemSize))

        // gradient on p = (p_before − p)/η_p + e q
        gradient.update(repeating: 0, count: width)
        if rate > 0 {
            kernels.add(gradient, side.query, 1 / rate, width)
            kernels.add(gradient, p, -1 / rate, width)
        }
        kernels.add(gradient, q, e, width)
        for index in 0..<side.rowCount { stepper.step(side.rows[index], gradient, error: 0) }

        kernels.add(q, before, -itemRate * settings.l2.item, width)
        kernels.add(q, p, -itemRate * e, width)
        capNorm(q, settings.normCap, &stepper.clipped)
        kernels.copy(row, q, width)
        countUpdate(model.items.state(item))
        follow(item, from: before, to: q)
        kernels.rankOne(state.users, 1 - SamplingFree.meanWeight, p, SamplingFree.meanWeight, width)
        sweep(position, record.pointee.catalogue)
    }

    private func countUpdate(_ state: UnsafeMutablePointer<fk_row_state>) {
        var value = fk_read_state(state)
        value.updates &+= 1
        fk_write_state(state, value)
    }

    private func rateOf(_ group: SideRow.Group, _ settings: ModelSettings) -> Float {
        switch group {
        case .user: settings.rates.user
        case .context: settings.rates.context
        case .history: settings.rates.history
        case .attribute: settings.rates.attribute
        }
    }

    /// Scores the event before it is learned, and one item of the catalogue beside it.
    private func score(
        _ record: UnsafeMutablePointer<TrainingRecord>, _ side: UserSide, _ items: UnsafeMutablePointer<fk_item>
    ) {
        items[0].score = model.kernels.dot(side.query, items[0].factors, width)
        items[1] = fk_item()
        let word = mix64(mix64(model.settings.seed ^ record.pointee.position)) >> 32
        let drawn = UInt32(truncatingIfNeeded: (word &* UInt64(record.pointee.catalogue)) >> 32)
        guard drawn != record.pointee.item else { return }
        items[1].factors = model.items.factors(drawn)
        items[1].score = model.kernels.dot(side.query, items[1].factors, width)
    }

    /// Brings an item's row up to `position`: what the regulariser did to it while nobody touched it.
    @inline(__always)
    private func settle(_ item: UInt32, _ position: UInt64, _ catalogue: Float) {
        let settledAt = state.settledAt(item)
        let last = settledAt.pointee.load(ordering: .relaxed)
        settledAt.pointee.store(position, ordering: .relaxed)
        let row = model.items.factors(item), kernels = model.kernels
        var factor: Float = 1
        if let stamps = model.items.stamps {
            let now = model.halfLife.stamp(position)
            factor = model.halfLife.factor(from: stamps.touch(item, now: now), to: now)
        }
        // A row that was never visited is not in G yet.
        if last == 0 { return kernels.rankOne(state.gram, 1, row, 1, width) }
        guard position > last else { return }
        kernels.copy(q, row, width)
        kernels.copy(before, row, width)
        let strength = model.settings.rates.item * model.settings.interaction.item * Float(position - last) / catalogue
        kernels.solve(q, state.users, strength, SamplingFree.steps, scratch, width)
        if factor != 1 { kernels.add(q, q, factor - 1, width) }
        kernels.copy(row, q, width)
        follow(item, from: before, to: q)
    }

    /// Lets G follow a changed row, and the sum of the sweep if it has passed the row in this round.
    @inline(__always)
    private func follow(_ item: UInt32, from old: UnsafePointer<Float>, to new: UnsafePointer<Float>) {
        model.kernels.rankTwo(state.gram, new, old, width)
        if item < state.cursor.load(ordering: .relaxed) { model.kernels.rankTwo(state.next, new, old, width) }
    }

    /// Visits the items whose turn it is: a function of position and catalogue.
    private func sweep(_ position: UInt64, _ catalogue: UInt32) {
        let count = UInt64(catalogue), period = min(SamplingFree.longestRound, SamplingFree.eventsPerItem * count)
        let visits = position * count / period - (position - 1) * count / period
        for _ in 0..<visits {
            let item = state.cursor.load(ordering: .relaxed)
            if item >= catalogue {
                // A round is complete: the exact sum takes the place of the running one.
                model.kernels.copy(state.gram, state.next, width * width)
                state.next.update(repeating: 0, count: width * width)
                state.cursor.store(0, ordering: .relaxed)
                continue
            }
            settle(item, position, Float(catalogue))
            model.kernels.rankOne(state.next, 1, model.items.factors(item), 1, width)
            state.cursor.store(item + 1, ordering: .relaxed)
        }
    }

    private func capNorm(_ row: UnsafeMutablePointer<Float>, _ cap: Float, _ clipped: inout UInt32) {
        let size = model.kernels.dot(row, row, width)
        guard size > cap * cap else { return }
        model.kernels.add(row, row, cap / size.squareRoot() - 1, width)
        clipped += 1
    }
}
