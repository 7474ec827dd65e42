public import Factorization

extension Configuration {
    /// One model: what it computes, what it minimises and how it learns.
    ///
    /// Some defaults follow from others (the number of negatives from the loss, the spread of the first factors from the
    /// rank, the penalties from the loss, each part's rate from `rate`). They are settled when a file is read, so every field here is a plain figure.
    public struct Model: Sendable, Equatable, Codable {
        public typealias Kind = ModelSettings.Kind
        public typealias Loss = ModelSettings.Loss

        /// Unique among the models; stands in requests, counters and snapshots.
        public var name = "main"
        public var kind = Kind.mf
        /// Length of a factor vector, 1…512.
        public var rank: Int
        /// How factors are held: in four bytes or in two.
        public var storage = ModelSettings.Storage.float32
        /// `bilinear`: one symmetric matrix for all pairs of features.
        public var symmetric = false
        /// `hofm`: most features of a set, 3…5.
        public var order = 3
        /// `hofm`: ranks of the orders 2, 3, …; empty for `rank` each.
        public var ranks: [Int] = []
        /// `ffm`: context fields with a field of their own.
        public var fields: [String] = []
        public var loss: Loss
        /// All of the model's randomness is a function of this and of positions.
        public var seed: UInt64 = 1
        /// Standard deviation of the factors of a new row.
        public var initialDeviation: Float
        /// What stands for the items that a user did not touch.
        public var unobserved = ModelSettings.Unobserved.sampled
        public var optimizer = Optimizer()
        public var negatives: Negatives
        public var history = HistoryContext()
        public var refolding = Refolding()
        public var refinement = Refinement()
        public var forgetting = Forgetting()
        public var regularization: Regularization

        /// The defaults for this kind of model.
        ///
        /// Implicit feedback (every loss but `squared`) under `mf` takes the user's newest items as context and plain sgd:
        /// that is what ranked best on MovieLens 1M in every order of the stream (README, "Which model"). The other kinds and
        /// ratings learn by AdaGrad, without history.
        public init(
            loss: Loss = .logistic, rank: Int = 32, kind: Kind = .mf,
            unobserved: ModelSettings.Unobserved = .sampled, historyLength: Int? = nil
        ) {
            self.loss = loss
            self.rank = rank
            self.kind = kind
            self.unobserved = unobserved
            let isImplicit = loss != .squared && kind == .mf
            history.length = historyLength ?? (isImplicit ? 20 : 0)
            let isRegularized = unobserved == .regularized
            initialDeviation = 0.3 / Float(max(rank, 1)).squareRoot()
            negatives = Negatives(count: loss == .squared || isRegularized ? 0 : loss == .warp ? 16 : 8)
            regularization = Regularization(loss: loss)
            optimizer = isImplicit ? Optimizer(kind: .sgd) : Optimizer()
            if isRegularized { settleRegularized() }
            refolding = Refolding(isOn: isImplicit && !loss.isPairwise, isRegularized: isRegularized, hasHistory: history.length > 0)
            refinement = Refinement(isOn: isImplicit, isRegularized: isRegularized, hasHistory: history.length > 0)
        }

        /// The figures of the sampling-free recipe (`SamplingFree` has its formulas); first factors and l2 as they ranked best on the
        /// validation split of MovieLens 1M.
        private mutating func settleRegularized() {
            let hasHistory = history.length > 0
            optimizer = Optimizer(kind: .sgd, rate: hasHistory ? 0.1 : 0.4)
            regularization.interactionUser = 4
            regularization.interactionItem = hasHistory ? 4 : 1
            if hasHistory {
                optimizer.rateItem = 0.15
                optimizer.rateHistory = 0.05
            }
            regularization.user = 0.0003
            regularization.item = 0.0003
            regularization.history = 0.0003
        }
    }

    /// How far a step goes.
    public struct Optimizer: Sendable, Equatable, Codable {
        public typealias Kind = ModelSettings.Optimizer

        public var kind: Kind
        /// Learning rate of every part that has none of its own.
        public var rate: Float
        /// Learning rate of user factors.
        public var rateUser: Float
        /// Learning rate of item factors.
        public var rateItem: Float
        /// Learning rate of context factors.
        public var rateContext: Float
        /// Learning rate of the rows of history items.
        public var rateHistory: Float
        /// Learning rate of the rows of attributes.
        public var rateAttribute: Float
        /// Learning rate of linear weights and of the global bias.
        public var rateWeight: Float
        /// sgd: how a row's rate goes with its updates, and the updates after which inverse-time has halved it.
        public var schedule = Schedule.constant
        public var horizon: Float = 1000
        /// AdaGrad: updates of a row after which a squared gradient counts half; 0 for never.
        public var halfLife: Float = 0
        /// What moves linear weights, and the figures of ftrl (`ModelSettings.Ftrl`).
        public var weights = Weights.same
        public var ftrlAlpha: Float = 0.1
        public var ftrlBeta: Float = 1
        public var ftrlL1: Float = 1
        public var ftrlL2: Float = 0
        public var sparseFactors = false

        /// The defaults for this kind. Linear weights and bias have a single coordinate each and sit far from their start
        /// (a rating's mean, an item's popularity), so AdaGrad moves them twice as fast as factors.
        public init(kind: Kind = .adagrad, rate: Float? = nil) {
            self.kind = kind
            let rate = rate ?? (kind == .sgd ? 0.07 : 0.1)
            self.rate = rate
            rateUser = rate
            rateItem = rate
            rateContext = rate
            rateHistory = rate
            // Many attribute rows add up in one side: plain steps at the full rate overshoot.
            rateAttribute = kind == .sgd ? 0.2 * rate : rate
            rateWeight = kind == .sgd ? 1.5 * rate : 2 * rate
        }
    }

    /// Items drawn beside each positive event, taught as label 0.
    public struct Negatives: Sendable, Equatable, Codable {
        /// Items drawn per positive event.
        public var count: Int
        /// Whether a drawn item that the user has seen is left out instead of being taught as negative.
        public var verified = true
        /// Items are drawn by their popularity to this power; 0 draws all alike.
        public var popularityExponent: Float = 0

        public init(count: Int) { self.count = count }
    }

    /// When and how a user's row that has slept is brought up to date from the held history.
    public struct Refolding: Sendable, Equatable, Codable {
        /// Events since the user's last one after which the row is stale; 0 for never.
        public var after: UInt64
        /// Newest held items that the pass walks over.
        public var items = 100
        /// Learning rate of the pass.
        public var rate: Float
        /// Whether the user's next event also folds the stored row.
        public var lasting = false

        /// The defaults, as measured on MovieLens 1M (README, "Which model").
        public init(isOn: Bool = false, isRegularized: Bool = false, hasHistory: Bool = false) {
            after = isOn ? 50_000 : 0
            rate = isRegularized ? hasHistory ? 0.1 : 0.4 : 0.05
        }
    }

    /// How a user's row is re-solved from the held history while the daemon has nothing else to do.
    public struct Refinement: Sendable, Equatable, Codable {
        /// How far a row may go: as far as so many passes of the stream's steps; 0 for not at all.
        public var passes: Float
        /// Weight of a held item relative to the one after it.
        public var decay: Float

        /// The defaults, as measured on MovieLens 1M (README, "Which model").
        public init(isOn: Bool = false, isRegularized: Bool = false, hasHistory: Bool = false) {
            passes = !isOn ? 0 : isRegularized ? 1 : 0.3
            decay = isRegularized && !hasHistory ? 0.85 : 0.95
        }
    }

    /// How what is old loses weight.
    public struct Forgetting: Sendable, Equatable, Codable {
        /// Events in which an untouched row loses half of its size; 0 for never.
        public var halfLife: UInt64 = 0
        public init() {}
    }

    /// The user's newest items as context of every score.
    public struct HistoryContext: Sendable, Equatable, Codable {
        /// Newest items taken; 0 for none.
        public var length = 0
        /// Weight of an item relative to the one after it.
        public var decay: Float = 0.8

        public init() {}
    }

    /// Strengths of the squared penalty on each part.
    public struct Regularization: Sendable, Equatable, Codable {
        public var user: Float
        public var item: Float
        public var context: Float
        public var history: Float
        public var attribute: Float
        public var weight: Float = 0.0005
        /// Strengths of the interaction regulariser on each side; 0 keeps it away.
        public var interactionUser: Float = 0
        public var interactionItem: Float = 0

        /// The defaults for this loss: squared loss sees only the few items that a user rated and needs more of a penalty;
        /// logistic loss is held back by its negatives already.
        public init(loss: ModelSettings.Loss = .logistic) {
            let isSquared = loss == .squared
            user = isSquared ? 0.03 : 0.001
            item = isSquared ? 0.03 : 0.0005
            context = isSquared ? 0.03 : 0.0005
            history = isSquared ? 0.03 : 0.0005
            attribute = isSquared ? 0.03 : 0.0005
        }
    }
}
