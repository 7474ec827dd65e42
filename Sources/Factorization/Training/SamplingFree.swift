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
/// With attributes of the item q is the sum of its side's rows, and η_i = Σ_b η_b x_b²: settling gives row b the part η_b x_b / η_i
/// of the change of q, and the positive η_b (x_b e p' + λ row_b). What that moves in other items G learns from the sweep.
/// Both solves are stable however long a row slept. Settling, G, C and the sweep are `GramKeeper`'s.
///
/// Scratch of one learner; a trainer's thread.
final class SamplingFree {
    private let model: Model
    private let keeper: GramKeeper
    private let width: Int
    private let p: UnsafeMutablePointer<Float>
    private let q: UnsafeMutablePointer<Float>
    private let before: UnsafeMutablePointer<Float>
    /// The item's vector as G has it.
    private let known: UnsafeMutablePointer<Float>
    private let gradient: UnsafeMutablePointer<Float>

    init(model: Model, state: GramState) {
        self.model = model
        keeper = GramKeeper(model: model, state: state)
        width = state.width
        p = Parameters.floats(width)
        q = Parameters.floats(width)
        before = Parameters.floats(width)
        known = Parameters.floats(width)
        gradient = Parameters.floats(width)
    }

    deinit {
        for vector in [p, q, before, known, gradient] { vector.deallocate() }
    }

    /// - Parameters:
    ///   - side: the user's side, folded.
    ///   - items: receives the event's score at 0, and at 1 that of an item drawn for comparison.
    func learn(
        _ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, side: UserSide, stepper: inout RowStepper,
        items: UnsafeMutablePointer<fk_item>
    ) {
        let item = record.pointee.item
        keeper.settle(item, record.pointee.position, record.pointee.catalogue, known: known)
        step(record, label: label, weight: weight, side: side, stepper: &stepper, items: items)
        keeper.follow(item, from: known)
        keeper.sweep(record.pointee.position, record.pointee.catalogue)
    }

    func use(_ holes: HoleMap.View) { keeper.use(holes) }
    func leave(_ item: UInt32) { keeper.leave(item) }

    private func step(
        _ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, side: UserSide, stepper: inout RowStepper,
        items: UnsafeMutablePointer<fk_item>
    ) {
        let kernels = model.kernels, settings = model.settings, pace = model.pace
        let item = record.pointee.item

        ItemSide.vector(model, item, into: q)
        score(record, side, items)
        guard items[0].score.isFinite else { return }
        kernels.copy(before, q, width)
        kernels.copy(p, side.query, width)

        // The rate of p: how far p moves for one unit of gradient on it, through all the rows that it is the sum of.
        var rate: Float = 0
        for index in 0..<side.rowCount { rate += pace.rates[side.rows[index].group] * side.rows[index].x * side.rows[index].x }
        keeper.solveItems(p, rate * settings.interaction.user / Float(record.pointee.catalogue))

        let list = ItemSide.attributes(model, item)
        let itemRate = list == nil ? pace.rates.item : ItemSide.rate(model, item)
        let size = kernels.dot(p, p, width), itemSize = kernels.dot(q, q, width)
        let e = weight * (kernels.dot(p, q, width) - label) / (1 + weight * (itemRate * size + rate * itemSize))
        guard e.isFinite else { return }

        // gradient on p = (p_before − p)/η_p + e q
        gradient.update(repeating: 0, count: width)
        if rate > 0 {
            kernels.add(gradient, side.query, 1 / rate, width)
            kernels.add(gradient, p, -1 / rate, width)
        }
        kernels.add(gradient, q, e, width)
        for index in 0..<side.rowCount { stepper.step(side.rows[index], gradient, error: 0) }

        if let list {
            stepRows(item, list, e, &stepper.clipped)
        } else {
            kernels.add(q, before, -itemRate * pace.l2.item, width)
            kernels.add(q, p, -itemRate * e, width)
            capNorm(q, settings.normCap, &stepper.clipped)
            kernels.copy(model.items.factors(item), q, width)
            countUpdate(model.items.state(item))
        }
        keeper.observe(query: p)
    }

    /// The same for an item with attributes: q is the sum of its rows, and each takes its own part of the step.
    private func stepRows(_ item: UInt32, _ list: AttributeList, _ e: Float, _ clipped: inout UInt32) {
        let rates = model.pace.rates, l2 = model.pace.l2
        stepRow(model.items, item, 1, rate: rates.item, l2: l2.item, e, &clipped)
        for index in 0..<list.count {
            stepRow(model.itemAttributes, list[index].ordinal, list[index].weight, rate: rates.attribute, l2: l2.attribute, e, &clipped)
        }
    }

    private func stepRow(
        _ table: FactorTable, _ ordinal: UInt32, _ x: Float, rate: Float, l2: Float, _ e: Float, _ clipped: inout UInt32
    ) {
        let row = table.factors(ordinal)
        model.kernels.add(row, row, -rate * l2, width)
        model.kernels.add(row, p, -rate * x * e, width)
        capNorm(row, model.settings.normCap, &clipped)
        countUpdate(table.state(ordinal))
    }

    private func countUpdate(_ state: UnsafeMutablePointer<fk_row_state>) {
        var value = fk_read_state(state)
        value.updates &+= 1
        fk_write_state(state, value)
    }

    /// Scores the event before it is learned, q being the item's vector, and one item of the catalogue beside it.
    private func score(
        _ record: UnsafeMutablePointer<TrainingRecord>, _ side: UserSide, _ items: UnsafeMutablePointer<fk_item>
    ) {
        items[0].score = model.kernels.dot(side.query, q, width)
        items[1] = fk_item()
        let word = mix64(mix64(model.settings.seed ^ record.pointee.position)) >> 32
        let drawn = UInt32(truncatingIfNeeded: (word &* UInt64(record.pointee.catalogue)) >> 32)
        guard drawn != record.pointee.item, !keeper.holes.contains(drawn) else { return }
        items[1].factors = model.items.factors(drawn)
        ItemSide.vector(model, drawn, into: before)
        items[1].score = model.kernels.dot(side.query, before, width)
    }

    private func capNorm(_ row: UnsafeMutablePointer<Float>, _ cap: Float, _ clipped: inout UInt32) {
        let size = model.kernels.dot(row, row, width)
        guard size > cap * cap else { return }
        model.kernels.add(row, row, cap / size.squareRoot() - 1, width)
        clipped += 1
    }
}
