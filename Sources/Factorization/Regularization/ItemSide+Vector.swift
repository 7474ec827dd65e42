import CKernels

/// The item's vector z as the interaction regulariser sees it: the item's row, or its sum with the rows of its attributes. It is
/// what the query meets, but for `hofm`, where products of an item's rows meet the query too and stay outside the regulariser.
extension ItemSide {
    /// Fills `z`.
    @inline(__always)
    static func vector(_ model: Model, _ item: UInt32, into z: UnsafeMutablePointer<Float>) {
        model.kernels.copy(z, model.items.factors(item), model.width)
        guard let list = attributes(model, item) else { return }
        for index in 0..<list.count {
            model.kernels.add(z, model.itemAttributes.factors(list[index].ordinal), list[index].weight, model.width)
        }
    }

    /// The rate of z: how far it moves for one unit of gradient on it, through all the rows that it is the sum of:
    /// Σ_b η_b x_b².
    @inline(__always)
    static func rate(_ model: Model, _ item: UInt32) -> Float {
        let own = rate(model.items, item, model.pace.rates.item, model)
        guard let list = attributes(model, item) else { return own }
        return (0..<list.count).reduce(own) { sum, index in
            let x = list[index].weight
            return sum + x * x * rate(model.itemAttributes, list[index].ordinal, model.pace.rates.attribute, model)
        }
    }

    /// Moves z by d: row b takes its part η_b x_b / rate of it.
    /// - Parameter rate: of z, as above.
    @inline(__always)
    static func move(_ model: Model, _ item: UInt32, by d: UnsafePointer<Float>, rate total: Float) {
        let kernels = model.kernels, width = model.width
        guard let list = attributes(model, item) else { return kernels.add(model.items.factors(item), d, 1, width) }
        guard total > 0 else { return }
        kernels.add(model.items.factors(item), d, rate(model.items, item, model.pace.rates.item, model) / total, width)
        for index in 0..<list.count {
            let feature = list[index], own = rate(model.itemAttributes, feature.ordinal, model.pace.rates.attribute, model)
            kernels.add(model.itemAttributes.factors(feature.ordinal), d, own * feature.weight / total, width)
        }
    }

    /// An item's attributes; nil where it has none.
    @inline(__always)
    static func attributes(_ model: Model, _ item: UInt32) -> AttributeList? {
        model.attributes.items.has(item) ? model.attributes.items[item] : nil
    }

    /// The rate of a row as the optimiser has it now: η, for AdaGrad η / √accumulator once the row has stepped (of one
    /// accumulator a coordinate their root mean square). The regulariser adds nothing to accumulators while a row sleeps. A
    /// sparse row without factors does not move.
    @inline(__always)
    private static func rate(_ table: FactorTable, _ ordinal: UInt32, _ rate: Float, _ model: Model) -> Float {
        if table.isAsleep(ordinal) { return 0 }
        guard model.settings.optimizer != .sgd else { return rate }
        var sum = fk_read_state(table.state(ordinal)).factor_accumulator
        if let accumulators = table.accumulators(ordinal) {
            sum = (model.kernels.dot(accumulators, accumulators, table.width) / Float(table.rank)).squareRoot()
        }
        return sum > 0 ? rate / sum.squareRoot() : rate
    }
}
