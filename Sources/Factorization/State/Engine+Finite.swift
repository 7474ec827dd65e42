import CKernels

extension Engine {
    /// Counts the values that are not finite among all that learning writes: factors, weights and optimiser state of every
    /// row of every model, global parameters, Gram matrices and biases. No event may ever make one.
    ///
    /// A full scan, for tests and evaluations; trainers should stand still, or a value may be seen halfway through a step.
    public func nonFiniteValues() -> Int {
        models.reduce(0) { sum, model in
            let rows = model.groups.reduce(0) { $0 + model.nonFinite(in: $1.table, rows: rowCount($1.side)) }
            return sum + rows + model.nonFiniteGlobals()
        }
    }
}

extension Model {
    fileprivate func nonFinite(in table: FactorTable, rows: Int) -> Int {
        var found = 0
        for ordinal in 0..<UInt32(rows) {
            found += table.withCopy(ordinal, kernels) { nonFinite($0, table.stride) }
            if let accumulators = table.accumulators(ordinal) { found += nonFinite(accumulators, table.stride) }
            if let sums = table.rows.linear(ordinal).z { found += nonFinite(sums, 1) }
            let state = fk_read_state(table.state(ordinal))
            for value in [state.weight, state.weight_accumulator, state.factor_accumulator] where !value.isFinite { found += 1 }
        }
        return found
    }

    fileprivate func nonFiniteGlobals() -> Int {
        var found = 0
        for value in [globalState.bias, globalState.accumulator] where !value.isFinite { found += 1 }
        if let parameters, parameters.count > 0 {
            found += nonFinite(parameters.floats(0), parameters.count) + nonFinite(parameters.accumulators(0), parameters.count)
        }
        if let grams {
            for matrix in grams.matrices { found += nonFinite(matrix, width * width) }
        }
        return found
    }

    /// Floats that trainers may be writing, so through the kernels' copy.
    private func nonFinite(_ floats: UnsafePointer<Float>, _ count: Int) -> Int {
        var copy = [Float](repeating: 0, count: count)
        copy.withUnsafeMutableBufferPointer { kernels.copy($0.baseAddress!, floats, count) }
        return copy.count { !$0.isFinite }
    }
}
