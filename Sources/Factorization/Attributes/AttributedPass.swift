import CKernels

/// A pass over items of which some have attributes.
///
/// An item without goes to the kernel as it is. One with is composed into scratch, which the kernel scores and from which
/// the query learns; the scratch row's own step is thrown away, and the item's row and its attributes' rows take theirs:
/// with e the error and p the query before the item, ∂/∂q_b = x_b e p, for `fm` x_b e (p + z − x_b q_b).
///
/// Scratch of one learner; a trainer's thread.
final class AttributedPass {
    private let model: Model
    private let settings: UnsafePointer<fk_settings>
    private var item: fk_side
    private var attribute: fk_side
    /// z, the row that the kernel steps, its accumulators, and the query before the item; each as wide as a row.
    private let z: UnsafeMutablePointer<Float>
    private let row: UnsafeMutablePointer<Float>
    private let accumulators: UnsafeMutablePointer<Float>
    private let gradient: UnsafeMutablePointer<Float>
    private let state: UnsafeMutablePointer<fk_row_state>

    /// - Parameter settings: the learner's, for item rows.
    init(model: Model, settings: UnsafePointer<fk_settings>) {
        self.model = model
        self.settings = settings
        item = settings.pointee.item
        attribute = item
        attribute.rate = model.settings.rates.attribute
        attribute.l2 = model.settings.l2.attribute
        func vector() -> UnsafeMutablePointer<Float> {
            let floats = UnsafeMutablePointer<Float>.allocate(capacity: model.width)
            floats.initialize(repeating: 0, count: model.width)
            return floats
        }
        z = vector()
        row = vector()
        accumulators = vector()
        gradient = vector()
        state = .allocate(capacity: 1)
        state.initialize(to: fk_row_state())
    }

    deinit {
        for vector in [z, row, accumulators, gradient] { vector.deallocate() }
        state.deallocate()
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
        let kernels = model.kernels, width = model.width
        state.pointee = fk_row_state()
        state.pointee.weight = ItemSide.compose(model, ordinal, list, into: z)
        row.update(from: z, count: width)
        kernels.copy(gradient, pass.query, width)
        var composed = given.pointee
        composed.factors = row
        composed.accumulators = accumulators
        composed.state = state
        composed.linear = fk_linear()
        // The error of this item alone is what the kernel adds to a sum of 0.
        let errors = pass.error_sum, rejected = pass.rejected
        pass.error_sum = 0
        kernels.pass(&pass, settings, &composed, 1, width)
        let error = pass.error_sum
        pass.error_sum = errors + error
        given.pointee.score = composed.score
        guard pass.rejected == rejected else { return }
        for f in 0..<width { gradient[f] *= error }
        let pair = model.hasItemPairs ? error : 0
        kernels.step(
            given.pointee.factors, given.pointee.accumulators, given.pointee.state, given.pointee.linear, gradient, z, 1, pair, error, &item, settings,
            width, &pass.clipped)
        let rows = model.itemAttributes
        for index in 0..<list.count {
            let feature = list[index]
            kernels.step(
                rows.factors(feature.ordinal), rows.accumulators(feature.ordinal), rows.state(feature.ordinal), rows.linear(feature.ordinal), gradient, z,
                feature.weight, pair, error, &attribute, settings, width, &pass.clipped)
        }
    }
}
