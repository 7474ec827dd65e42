import CKernels

/// Steps the rows of the items' sides of one step, each with the rate of its group: one item's, or those of a pair.
///
/// A row that stands there more than once (an attribute that both items of a pair have) takes one step with the sum of its
/// gradients. With two, AdaGrad's smaller second step would leave a rest of what ought to cancel.
///
/// Scratch of one learner; a trainer's thread.
final class ItemStepper {
    private let kernels: Kernels
    private let width: Int
    private let stride: Int
    /// Settings of rows without attributes, with what meets the query alone, and of whole rows: two, kept here.
    private let settings: UnsafeMutablePointer<fk_settings>
    private var item: fk_side
    private var attribute: fk_side

    init(model: Model) {
        kernels = model.kernels
        width = model.width
        stride = model.layout.itemStride
        let layout = model.layout
        var own = model.kernelSettings
        item = own.item
        attribute = item
        attribute.rate = model.pace.rates.attribute
        attribute.l2 = model.pace.l2.attribute
        settings = .allocate(capacity: 2)
        own.inverse_rank = 1 / Float(layout.itemRank)
        settings.initialize(to: own)
        own.inverse_rank = 1 / Float(layout.itemRank + layout.itemOwnRank)
        (settings + 1).initialize(to: own)
    }

    deinit { settings.deallocate() }

    /// - Parameters:
    ///   - error: e of `side`; its rows' gradients are set.
    ///   - other: the other item of a pair, whose e is −`error`.
    func step(_ side: ItemSide, error: Float, other: ItemSide? = nil, clipped: inout UInt32) {
        step(side.rows[0], side.gradient(0), isAlone: side.rowCount == 1, error: error, &clipped)
        if let other { step(other.rows[0], other.gradient(0), isAlone: other.rowCount == 1, error: -error, &clipped) }
        step(attributesOf: side, error: error, with: other, clipped: &clipped)
        if let other { step(attributesOf: other, error: -error, with: nil, clipped: &clipped) }
    }

    /// Steps each attribute of a side that stands in neither side before its place; marks those of `other` that it takes along.
    private func step(attributesOf side: ItemSide, error: Float, with other: ItemSide?, clipped: inout UInt32) {
        for index in 1..<max(side.rowCount, 1) where side.rows[index].ordinal != Placement.none {
            let row = side.rows[index], gradient = side.gradient(index)
            var weightError = row.x * error
            for place in (index + 1)..<max(side.rowCount, index + 1) where side.rows[place].ordinal == row.ordinal {
                kernels.add(gradient, side.gradient(place), 1, stride)
                weightError += side.rows[place].x * error
                side.rows[place].ordinal = Placement.none
            }
            if let other {
                for place in 1..<max(other.rowCount, 1) where other.rows[place].ordinal == row.ordinal {
                    kernels.add(gradient, other.gradient(place), 1, stride)
                    weightError -= other.rows[place].x * error
                    other.rows[place].ordinal = Placement.none
                }
            }
            kernels.step(
                row.factors, row.accumulators, row.state, row.linear, gradient, nil, 1, 0, weightError, &attribute, settings + 1, stride,
                &clipped)
        }
    }

    private func step(
        _ row: ItemRow, _ gradient: UnsafePointer<Float>, isAlone: Bool, error: Float, _ clipped: inout UInt32
    ) {
        kernels.step(
            row.factors, row.accumulators, row.state, row.linear, gradient, nil, 1, 0, error, &item, isAlone ? settings : settings + 1,
            isAlone ? width : stride, &clipped)
    }
}
