import CKernels

/// Steps rows of the user's side after a pass over items: each row with the rates of its group.
struct RowStepper {
    let kernels: Kernels
    let settings: UnsafePointer<fk_settings>
    let width: Int
    var user: fk_side
    var context: fk_side
    var history: fk_side
    var attribute: fk_side
    /// Norms cut to their cap.
    var clipped: UInt32 = 0

    init(_ model: Model, settings: UnsafePointer<fk_settings>) {
        kernels = model.kernels
        self.settings = settings
        width = model.users.width
        user = settings.pointee.query
        context = user
        context.rate = model.settings.rates.context
        context.l2 = model.settings.l2.context
        attribute = user
        attribute.rate = model.settings.rates.attribute
        attribute.l2 = model.settings.l2.attribute
        // The rows of history items have no linear weight.
        history = user
        history.rate = model.settings.rates.history
        history.l2 = model.settings.l2.history
        history.weight_rate = 0
    }

    /// One row: gradient = x g + pair · x (sum − x row) + l2 row; its weight against x · error.
    @inline(__always)
    mutating func step(
        _ row: SideRow, _ gradient: UnsafePointer<Float>, sum: UnsafePointer<Float>? = nil, pair: Float = 0, error: Float
    ) {
        switch row.group {
        case .user: kernels.step(row.factors, row.accumulators, row.state, gradient, sum, row.x, pair, error, &user, settings, width, &clipped)
        case .context: kernels.step(row.factors, row.accumulators, row.state, gradient, sum, row.x, pair, error, &context, settings, width, &clipped)
        case .history: kernels.step(row.factors, row.accumulators, row.state, gradient, sum, row.x, pair, error, &history, settings, width, &clipped)
        case .attribute: kernels.step(row.factors, row.accumulators, row.state, gradient, sum, row.x, pair, error, &attribute, settings, width, &clipped)
        }
    }
}
