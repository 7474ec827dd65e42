extension ModelSettings {
    /// What an optimiser does beside its plain formula; nothing of it by default.
    public struct Steps: Sendable, Equatable {
        /// sgd: inverse-time schedule, a row's rate after u updates of its own is rate / (1 + u / horizon). 0 for constant rates.
        public var horizon: Float
        /// AdaGrad: updates of a row after which a squared gradient counts half in its accumulator, so that steps do not die
        /// on an endless stream. 0 for never.
        public var halfLife: Float
        /// Linear weights by FTRL-Proximal; nil: as the factors. Not w0.
        public var ftrl: Ftrl?

        public init(horizon: Float = 0, halfLife: Float = 0, ftrl: Ftrl? = nil) {
            self.horizon = horizon
            self.halfLife = halfLife
            self.ftrl = ftrl
        }

        /// What one update leaves of an accumulator: 2^(-1/halfLife), by the series of e^(ln 2 / halfLife) in double, since a
        /// long half-life lies in the last digits.
        var keep: Float {
            guard halfLife > 0 else { return 1 }
            let exponent = 0.693_147_180_559_945_3 / Double(halfLife)
            var sum = 1.0, term = 1.0
            for n in 1...60 {
                term *= exponent / Double(n)
                sum += term
            }
            return Float(1 / sum)
        }
    }

    /// FTRL-Proximal (McMahan et al. 2013): the rate of a weight is alpha / (beta + √n), n its sum of squared gradients; a
    /// weight stays zero while its sum of gradients is within l1.
    public struct Ftrl: Sendable, Equatable {
        public var alpha: Float
        public var beta: Float
        public var l1: Float
        public var l2: Float
        /// Whether rows whose weight is zero keep no factors: they are zero and take no step, and get their first values when
        /// the weight leaves zero.
        public var sparseFactors: Bool

        public init(alpha: Float = 0.1, beta: Float = 1, l1: Float = 1, l2: Float = 0, sparseFactors: Bool = false) {
            self.alpha = alpha
            self.beta = beta
            self.l1 = l1
            self.l2 = l2
            self.sparseFactors = sparseFactors
        }
    }

    /// The ftrl of this model's rows: nil too where rows have no linear weights.
    public var weightFtrl: Ftrl? { Kinds.layout(self).hasWeights && unobserved == .sampled ? steps.ftrl : nil }
}
