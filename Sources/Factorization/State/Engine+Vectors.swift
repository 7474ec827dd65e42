import CKernels

/// Rows that were computed elsewhere.
extension Engine {
    /// Writes an item's factors, `rank` floats, and its linear weight. While no trainer works.
    package func setVector(item: UInt32, _ factors: [Float], weight: Float, model number: Int = 0) {
        set(models[number].items, item, factors, weight: weight, models[number])
    }

    /// The same for a user.
    package func setVector(user: UInt32, _ factors: [Float], weight: Float, model number: Int = 0) {
        set(models[number].users, user, factors, weight: weight, models[number])
    }

    private func set(_ table: FactorTable, _ ordinal: UInt32, _ factors: [Float], weight: Float, _ model: Model) {
        precondition(factors.count == table.rank, "a row has \(table.rank) factors")
        var state = fk_read_state(table.state(ordinal))
        state.weight = weight
        fk_write_state(table.state(ordinal), state)
        table.write(ordinal, factors + [Float](repeating: 0, count: table.width - factors.count), count: table.width, word: 0, model.kernels)
    }
}
