import CKernels

/// A pass over items of which some have attributes.
///
/// An item without goes to the kernel as it is. One with is folded into scratch (z and b), which the kernel scores and from
/// which the query learns; the scratch row's own step is thrown away, and the item's row and its attributes' rows take
/// theirs: with e the error and p the query before the item, the kind turns G = e p into the gradient of each.
///
/// Scratch of one learner; a trainer's thread.
final class AttributedPass {
    private let model: Model
    private let settings: UnsafePointer<fk_settings>
    private var stepper: ItemStepper
    /// What the kind's parameters gather, shared with the user's side.
    private let parameterGradient: UnsafeMutablePointer<Float>
    /// The item, or the positive of a pair, and the negative.
    private let first: Folded
    private let second: Folded
    private let queryWidth: Int
    /// The query before the step, then G.
    private let query: UnsafeMutablePointer<Float>
    private let pair: UnsafeMutablePointer<fk_item>

    /// An item's side, and a row with what the kernel asks for beside it.
    private final class Folded {
        let side: ItemSide
        let row: UnsafeMutablePointer<Float>
        let accumulators: UnsafeMutablePointer<Float>
        let state: UnsafeMutablePointer<fk_row_state>

        init(_ model: Model, _ bench: RowBench?) {
            side = ItemSide(model: model, bench: bench)
            row = Parameters.floats(model.layout.queryWidth)
            accumulators = Parameters.floats(model.layout.queryWidth)
            state = .allocate(capacity: 1)
            state.initialize(to: fk_row_state())
        }

        deinit {
            row.deallocate()
            accumulators.deallocate()
            state.deallocate()
        }

        /// What the kernel takes in the place of `item`.
        func fold(_ item: fk_item, _ ordinal: UInt32, _ list: AttributeList?) -> fk_item {
            side.start(ordinal, list)
            state.pointee = fk_row_state()
            state.pointee.weight = side.fold()
            row.update(from: side.z, count: side.model.layout.queryWidth)
            return fk_item(
                factors: row, accumulators: accumulators, state: state, linear: fk_linear(), label: item.label, weight: item.weight, score: item.score)
        }
    }

    /// - Parameters:
    ///   - settings: the learner's, for item rows.
    ///   - parameterGradient: the user's side's.
    ///   - bench: the learner's.
    init(
        model: Model, settings: UnsafePointer<fk_settings>, parameterGradient: UnsafeMutablePointer<Float>, bench: RowBench?
    ) {
        self.model = model
        self.settings = settings
        self.parameterGradient = parameterGradient
        stepper = ItemStepper(model: model)
        first = Folded(model, bench)
        second = Folded(model, bench)
        queryWidth = model.layout.queryWidth
        query = Parameters.floats(queryWidth)
        pair = .allocate(capacity: 2)
        pair.initialize(repeating: fk_item(), count: 2)
    }

    /// Steps as the model says now.
    func adoptPace() { stepper = ItemStepper(model: model) }

    deinit {
        query.deallocate()
        pair.deallocate()
    }

    /// What the kernel's pass does, for items some of which may have attributes.
    func run(
        _ pass: inout fk_pass, _ items: UnsafeMutablePointer<fk_item>, _ ordinals: UnsafePointer<UInt32>, count: Int
    ) {
        let lists = model.attributes.items
        for index in 0..<count {
            if let list = lists[ordinals[index]] {
                step(&pass, items + index, ordinals[index], list)
            } else {
                model.kernels.pass(&pass, settings, items + index, 1, model.width)
            }
        }
    }

    private func step(
        _ pass: inout fk_pass, _ given: UnsafeMutablePointer<fk_item>, _ ordinal: UInt32, _ list: AttributeList
    ) {
        pair[0] = first.fold(given.pointee, ordinal, list)
        model.kernels.copy(query, pass.query, queryWidth)
        // The error of this item alone is what the kernel adds to a sum of 0.
        let errors = pass.error_sum, rejected = pass.rejected
        pass.error_sum = 0
        model.kernels.pass(&pass, settings, pair, 1, queryWidth)
        let error = pass.error_sum
        pass.error_sum = errors + error
        given.pointee.score = pair[0].score
        guard pass.rejected == rejected else { return }
        for f in 0..<queryWidth { query[f] *= error }
        Kinds.backPropagateItem(first.side, query, error: error, parameters: parameterGradient)
        stepper.step(first.side, error: error, clipped: &pass.clipped)
    }

    /// What the kernel's pass over pairs does: the positive at 0, the rest its negatives.
    func runPairs(
        _ pass: inout fk_pass, _ items: UnsafeMutablePointer<fk_item>, _ ordinals: UnsafePointer<UInt32>, count: Int
    ) {
        let lists = model.attributes.items, positive = lists[ordinals[0]], stopsAtFirst = model.settings.loss == .warp
        for index in 1..<count {
            let negative = lists[ordinals[index]], stepped = pass.pairs
            pass.tried = UInt32(index - 1)
            if positive == nil && negative == nil {
                pair[0] = items[0]
                pair[1] = items[index]
                model.kernels.pairs(&pass, settings, pair, 2, model.width)
            } else {
                pair[0] = first.fold(items[0], ordinals[0], positive)
                pair[1] = second.fold(items[index], ordinals[index], negative)
                stepPair(&pass)
            }
            items[0].score = pair[0].score
            items[index].score = pair[1].score
            if stopsAtFirst && pass.pairs > stepped { return }
        }
    }

    /// A pair of which one has attributes: both are stepped through their sides.
    private func stepPair(_ pass: inout fk_pass) {
        model.kernels.copy(query, pass.query, queryWidth)
        let stepped = pass.pairs
        model.kernels.pairs(&pass, settings, pair, 2, queryWidth)
        guard pass.pairs > stepped else { return }
        let error = pass.pair_error
        for f in 0..<queryWidth { query[f] *= error }
        Kinds.backPropagateItem(first.side, query, error: error, parameters: parameterGradient)
        for f in 0..<queryWidth { query[f] = -query[f] }
        Kinds.backPropagateItem(second.side, query, error: -error, parameters: parameterGradient)
        stepper.step(first.side, error: error, other: second.side, clipped: &pass.clipped)
    }
}
