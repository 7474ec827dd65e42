import CKernels

/// Steps rows of the user's side after a pass over items: each row with the rates of its group.
struct RowStepper {
    let kernels: Kernels
    /// Settings of rows of the side; a mean over a row's squared gradient is over their floats.
    private let settings: UnsafeMutablePointer<fk_settings>
    private let width: Int
    var user: fk_side
    var context: fk_side
    var history: fk_side
    var attribute: fk_side
    private var global: fk_side
    /// Norms cut to their cap.
    var clipped: UInt32 = 0

    /// - Parameter settings: two, which the stepper fills and its owner keeps: of rows, and of parameters.
    init(_ model: Model, settings: UnsafeMutablePointer<fk_settings>) {
        kernels = model.kernels
        self.settings = settings
        var own = model.kernelSettings
        own.inverse_rank = 1 / Float(model.layout.sideRank)
        own.options.rank = UInt32(model.users.rank)
        own.options.width = UInt32(model.users.width)
        own.options.tail = 0
        own.options.tail_width = 0
        settings.initialize(repeating: own, count: 2)
        width = model.users.width
        user = own.query
        context = user
        context.rate = model.pace.rates.context
        context.l2 = model.pace.l2.context
        attribute = user
        attribute.rate = model.pace.rates.attribute
        attribute.l2 = model.pace.l2.attribute
        // The rows of history items have no linear weight.
        history = user
        history.rate = model.pace.rates.history
        history.l2 = model.pace.l2.history
        history.weight_rate = 0
        global = fk_side(rate: model.pace.globalRate, l2: 0, weight_rate: 0, weight_l2: 0)
    }

    /// The blocks of a model's parameters, each as one row.
    mutating func step(_ parameters: Parameters, _ gradient: UnsafePointer<Float>) {
        if parameters.isHeld.pointee { return }
        let own = settings + 1
        for (index, block) in parameters.blocks.enumerated() {
            own.pointee.inverse_rank = 1 / Float(block.used)
            kernels.step(
                parameters.floats(index), parameters.accumulators(index), parameters.state(index), fk_linear(),
                gradient + parameters.offset(index), nil, 1, 0, 0, &global, own, block.count, &clipped)
        }
    }

    /// One row: gradient = x g + pair · x (sum − x row) + l2 row; its weight against x · error.
    @inline(__always)
    mutating func step(
        _ row: SideRow, _ gradient: UnsafePointer<Float>, sum: UnsafePointer<Float>? = nil, pair: Float = 0, error: Float
    ) {
        switch row.group {
        case .user: kernels.step(row.factors, row.accumulators, row.state, row.linear, gradient, sum, row.x, pair, error, &user, settings, width, &clipped)
        case .context: kernels.step(row.factors, row.accumulators, row.state, row.linear, gradient, sum, row.x, pair, error, &context, settings, width, &clipped)
        case .history: kernels.step(row.factors, row.accumulators, row.state, row.linear, gradient, sum, row.x, pair, error, &history, settings, width, &clipped)
        case .attribute: kernels.step(row.factors, row.accumulators, row.state, row.linear, gradient, sum, row.x, pair, error, &attribute, settings, width, &clipped)
        }
    }
}
