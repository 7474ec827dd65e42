import CKernels

/// The item's side of a score where the item has attributes: z = q_id + Σ_b x_b q_b stands for the item's row, and
/// b = w_id + Σ_b x_b w_b for its weight. For `fm` the pairs of the side belong to b:
/// ½(‖z‖² − ‖q_id‖² − Σ_b x_b² ‖q_b‖²) = ⟨q_id, a⟩ + ½(‖a‖² − Σ_b x_b² ‖q_b‖²) with a = Σ_b x_b q_b.
enum ItemSide {
    /// Fills `z`; answers b.
    static func compose(
        _ model: Model, _ item: UInt32, _ list: AttributeList, into z: UnsafeMutablePointer<Float>
    ) -> Float {
        let kernels = model.kernels, width = model.width, rows = model.itemAttributes
        let row = model.items.factors(item)
        z.update(repeating: 0, count: width)
        var weight = fk_read_state(model.items.state(item)).weight
        for index in 0..<list.count {
            let feature = list[index]
            kernels.add(z, rows.factors(feature.ordinal), feature.weight, width)
            weight += feature.weight * fk_read_state(rows.state(feature.ordinal)).weight
        }
        if model.hasItemPairs { weight += pairs(model, row, list, z) }
        kernels.add(z, row, 1, width)
        return weight
    }

    /// The side's own pairs, from the sum of the attribute rows alone.
    static func pairs(
        _ model: Model, _ row: UnsafePointer<Float>, _ list: AttributeList, _ sum: UnsafePointer<Float>
    ) -> Float {
        let kernels = model.kernels, width = model.width
        var own: Float = 0
        for index in 0..<list.count {
            let feature = list[index], other = model.itemAttributes.factors(feature.ordinal)
            own += feature.weight * feature.weight * kernels.dot(other, other, width)
        }
        return kernels.dot(row, sum, width) + 0.5 * (kernels.dot(sum, sum, width) - own)
    }
}
