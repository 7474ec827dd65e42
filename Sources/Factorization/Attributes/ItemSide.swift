import CKernels

/// A row of an item's side: what its feature is worth there and where its floats lie.
struct ItemRow {
    /// Ordinal in the table of item attributes, or of items for the first row.
    var ordinal: UInt32
    /// x of the feature.
    var x: Float
    var factors: UnsafeMutablePointer<Float>
    var accumulators: UnsafeMutablePointer<Float>?
    var state: UnsafeMutablePointer<fk_row_state>
    var linear: fk_linear
}

/// The item's side of a score where the item has attributes, folded: score = constant + b + ⟨query, z⟩. The kind says how z
/// and b follow from the rows (`Kinds.foldItem`), and what the gradient of each row is (`Kinds.backPropagateItem`).
///
/// Scratch of one learner or one scorer; reads rows, writes none.
final class ItemSide {
    let model: Model
    /// The item's own row, then those of its attributes.
    let rows: UnsafeMutablePointer<ItemRow>
    private(set) var rowCount = 0
    /// As wide as the query, what only items with attributes use included.
    let z: UnsafeMutablePointer<Float>
    /// The kind's own, as its layout asks; from `foldItem` to `backPropagateItem`.
    let scratch: UnsafeMutablePointer<Float>
    private let gradients: UnsafeMutablePointer<Float>
    /// Floats of a row in all.
    let stride: Int
    /// Where rows lie as floats while their tables hold them otherwise.
    private let bench: RowBench?
    private let ownsBench: Bool

    static let rowLimit = AttributeLists.longest + 1

    /// - Parameter bench: the learner's; a scorer's side has one of its own.
    init(model: Model, bench: RowBench? = nil) {
        self.model = model
        self.bench = bench ?? RowBench(model)
        ownsBench = bench == nil
        stride = model.layout.itemStride
        rows = .allocate(capacity: ItemSide.rowLimit)
        z = Parameters.floats(model.layout.queryWidth)
        scratch = Parameters.floats(model.layout.itemScratch)
        // Left untouched, so that long lists cost memory only where there are any.
        gradients = .allocate(capacity: ItemSide.rowLimit * stride)
    }

    deinit {
        for floats in [z, scratch, gradients] { floats.deallocate() }
        rows.deallocate()
    }

    /// Takes the rows of an item's side; `list` is nil for an item without attributes.
    func start(_ item: UInt32, _ list: AttributeList?) {
        rowCount = 0
        if ownsBench { bench?.clear() }
        append(model.items, item, x: 1)
        guard let list else { return }
        for index in 0..<list.count { append(model.itemAttributes, list[index].ordinal, x: list[index].weight) }
    }

    /// Takes the rows of attributes alone: of an item that has no row.
    func start(_ attributes: [(ordinal: UInt32, weight: Float)]) {
        rowCount = 0
        if ownsBench { bench?.clear() }
        for attribute in attributes.prefix(AttributeLists.longest) { append(model.itemAttributes, attribute.ordinal, x: attribute.weight) }
    }

    private func append(_ table: FactorTable, _ ordinal: UInt32, x: Float) {
        (rows + rowCount).initialize(
            to: ItemRow(
                ordinal: ordinal, x: x, factors: bench?.row(ordinal, of: table) ?? table.factors(ordinal), accumulators: table.accumulators(ordinal),
                state: table.state(ordinal), linear: table.linear(ordinal)))
        rowCount += 1
    }

    /// Fills `z`; answers b. Without sampled negatives only pairs across the sides count, and b is 0.
    func fold() -> Float {
        z.update(repeating: 0, count: model.layout.queryWidth)
        if model.settings.unobserved == .regularized {
            addRows()
            return 0
        }
        var constant: Float = 0
        for index in 0..<rowCount { constant += rows[index].x * fk_read_state(rows[index].state).weight }
        return constant + Kinds.foldItem(self)
    }

    /// z += Σ_b x_b row_b, over what meets the query.
    func addRows() {
        for index in 0..<rowCount { model.kernels.add(z, rows[index].factors, rows[index].x, model.width) }
    }

    /// The gradient of a row, as long as the row.
    @inline(__always)
    func gradient(_ index: Int) -> UnsafeMutablePointer<Float> { gradients + index * stride }

    /// Sets a row's gradient to x_b times what all rows have in common, and to zero beyond what meets the query.
    @inline(__always)
    func set(_ index: Int, _ common: UnsafePointer<Float>) {
        let own = gradient(index)
        own.update(repeating: 0, count: stride)
        model.kernels.add(own, common, rows[index].x, model.width)
    }
}
