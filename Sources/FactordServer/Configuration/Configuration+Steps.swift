import Factorization

extension Configuration.Optimizer {
    /// How the rates of plain sgd go with a row's updates.
    public enum Schedule: String, Sendable, Codable, CaseIterable {
        case constant
        /// rate / (1 + updates / horizon)
        case inverseTime = "inverse-time"
    }

    /// What moves linear weights.
    public enum Weights: String, Sendable, Codable, CaseIterable {
        /// The optimiser of the factors.
        case same
        /// FTRL-Proximal with L1.
        case ftrl
    }

    var steps: ModelSettings.Steps {
        ModelSettings.Steps(
            horizon: schedule == .inverseTime ? horizon : 0, halfLife: kind == .sgd ? 0 : halfLife,
            ftrl: weights == .ftrl
                ? ModelSettings.Ftrl(alpha: ftrlAlpha, beta: ftrlBeta, l1: ftrlL1, l2: ftrlL2, sparseFactors: sparseFactors) : nil)
    }
}

extension Configuration {
    /// What rows of two bytes a factor cannot hold.
    func validateStorage(of model: Model, _ path: String, _ reader: inout SettingReader) {
        guard model.storage == .bfloat16 else { return }
        func refuse(_ key: String, _ isAsked: Bool, _ what: String) {
            if isAsked { reader.fault("\(path).\(key)", "\(what) needs storage: float32; its steps are too small for bfloat16") }
        }
        let isRegularized = model.unobserved == .regularized
        refuse("unobserved", isRegularized, "regularized")
        refuse("regularization.interaction_user", !isRegularized && model.regularization.interactionUser > 0, "the interaction regulariser")
        refuse("regularization.interaction_item", !isRegularized && model.regularization.interactionItem > 0, "the interaction regulariser")
        refuse("forgetting.half_life", model.forgetting.halfLife > 0, "forgetting")
    }

    /// Keys of the optimiser that say nothing together.
    func validateSteps(of model: Model, _ path: String, _ reader: inout SettingReader) {
        let optimizer = model.optimizer
        if optimizer.schedule == .inverseTime, optimizer.kind != .sgd {
            reader.fault("\(path).optimizer.schedule", "inverse-time is for optimizer.kind sgd; \(optimizer.kind.rawValue) has a schedule of its own")
        }
        if optimizer.schedule == .inverseTime, model.unobserved == .regularized {
            reader.fault("\(path).optimizer.schedule", "inverse-time does not go with unobserved: regularized, whose steps are solved for")
        }
        if optimizer.halfLife > 0, optimizer.kind == .sgd {
            reader.fault("\(path).optimizer.half_life", "is for the accumulators of adagrad; sgd has none")
        }
        if optimizer.weights == .ftrl, model.settings.weightFtrl == nil {
            reader.fault("\(path).optimizer.weights", "ftrl moves linear weights, and kind bilinear or unobserved: regularized has none")
        }
        if optimizer.sparseFactors, optimizer.weights != .ftrl {
            reader.fault("\(path).optimizer.sparse_factors", "needs optimizer.weights: ftrl, which alone holds weights at zero")
        }
    }
}
