import CKernels

/// The user's own row where it moves with the query while other rows stand beside it.
extension Learner {
    /// Gives the user's row what the query has moved by in `count` steps, and its l2 and linear weight their steps.
    func moveUser(_ pass: inout fk_pass, _ count: Int) {
        let user = side.rows[0], row = user.factors, state = fk_read_state(user.state)
        let rate = settings.pointee.query.rate / (1 + Float(state.updates) * settings.pointee.options.inverse_horizon)
        // The weight's own step is still to come: a sparse row without factors has not moved.
        if !model.users.isAsleep(user.ordinal) {
            kernels.add(moving, side.query, -1, width)
            kernels.add(row, row, -rate * settings.pointee.query.l2 * Float(count), width)
            kernels.add(row, moving, 1, width)
            capNorm(row, &pass.clipped)
        }
        var weights = settings.pointee.query
        kernels.step(
            row, user.accumulators, user.state, user.linear, nil, nil, 1, 0, pass.error_sum, &weights, settings, 0, &pass.clipped)
    }

    /// The pass caps the sum that is the query; a row of it may be longer than the sum.
    private func capNorm(_ row: UnsafeMutablePointer<Float>, _ clipped: inout UInt32) {
        let square = kernels.dot(row, row, width), cap = settings.pointee.norm_cap
        guard square > cap else { return }
        kernels.add(row, row, (cap / square).squareRoot() - 1, width)
        clipped += 1
    }
}
