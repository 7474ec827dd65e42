import CKernels

/// Where the interaction regulariser enters the learning of sampled negatives.
extension Learner {
    /// The user's row alone is the query: it takes the regulariser's step before it meets the items.
    @inline(never)
    func regularizeAlone(_ user: UInt32, _ pass: inout fk_pass) {
        let row = userRows.factors(user)
        gradient.update(repeating: 0, count: width)
        interaction.unsafelyUnwrapped.add(
            to: gradient, query: row, rate: settings.pointee.query.rate, catalogue: pass.catalogue)
        var side = fk_side(rate: settings.pointee.query.rate, l2: 0, weight_rate: 0, weight_l2: 0)
        kernels.step(
            row, userRows.accumulators(user), userRows.state(user), userRows.linear(user), gradient, nil, 1, 0, 0, &side, settings, width,
            &pass.clipped)
    }

    /// The user's side is a sum of rows, folded: its gradient starts with the regulariser's, which the rows take with the rest.
    @inline(never)
    func regularizeSum(catalogue: UInt32) {
        var rate: Float = 0
        for index in 0..<side.rowCount { rate += model.pace.rates[side.rows[index].group] * side.rows[index].x * side.rows[index].x }
        interaction.unsafelyUnwrapped.add(
            to: gradient, query: side.query, rate: Kinds.queryRate(side, rows: rate), catalogue: catalogue)
    }
}
