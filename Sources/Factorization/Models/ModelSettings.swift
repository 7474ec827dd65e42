/// What a model is: its kind, size, loss and how it learns. Rates and strengths may change while it lives, the rest makes
/// it another model.
public struct ModelSettings: Sendable, Equatable {
    /// Which features interact (README, "Which model").
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// Matrix factorisation: only user-side × item-side pairs.
        case mf
        /// Factorisation machine (Rendle 2010): all pairs of features.
        case fm
        /// Generalised machine: all pairs, two vectors a feature (Lin et al. 2019).
        case gfm
        /// User side × item side through a global matrix.
        case bilinear
        /// Higher-order machine: all sets of up to `order` features (Blondel et al. 2016).
        case hofm
        /// Field-aware machine: all pairs, one vector for each field (Juan et al. 2016).
        case ffm
    }

    public enum Loss: String, Sendable, Codable, CaseIterable {
        case logistic, squared
        /// Pairwise, against each sampled item (Rendle et al. 2009).
        case bpr
        /// Pairwise, against the first sampled item that violates a margin, weighted by rank (Weston et al. 2011).
        case warp

        /// Whether a positive is compared with sampled items rather than taught a label.
        public var isPairwise: Bool { self == .bpr || self == .warp }

        /// The labels that the loss is made for; of one beyond, the end that is nearer is learned, so that logistic loss takes 0 and 1
        /// or −1 and 1. It has no lower bound where a label is beyond 0…1: no score would ever be enough.
        public var labels: ClosedRange<Float> {
            self == .logistic ? 0...1 : -Float.greatestFiniteMagnitude...Float.greatestFiniteMagnitude
        }
    }

    public enum Optimizer: String, Sendable, Codable, CaseIterable {
        case sgd
        /// One accumulator a row.
        case adagrad
        /// One accumulator a coordinate.
        case adagradCoordinate = "adagrad-coordinate"
    }

    /// How the factors of rows are held; whatever is computed with them is computed in `float32`.
    public enum Storage: String, Sendable, Codable, CaseIterable {
        case float32
        /// Two bytes a factor, rounded by chance as a step ends (`RowBench`).
        case bfloat16
    }

    /// One number for each group of rows.
    public struct Groups: Sendable, Equatable {
        public var user: Float
        public var item: Float
        public var context: Float
        /// Linear weights of all groups.
        public var weight: Float
        /// The rows of history items.
        public var history: Float
        /// The rows of attributes, of users and of items.
        public var attribute: Float
        /// - Parameter attribute: as for `context` unless given.
        public init(user: Float, item: Float, context: Float, weight: Float, history: Float = 0, attribute: Float? = nil) {
            self.user = user
            self.item = item
            self.context = context
            self.weight = weight
            self.history = history
            self.attribute = attribute ?? context
        }
    }

    /// The user's newest items as context: p = u + s Σ_{j<length} decay^j c_{h_j}, s = (Σ_j decay^j)^(-1/2), with rows c of
    /// their own, apart from the item rows.
    public struct History: Sendable, Equatable {
        /// Newest items taken, 0 for none.
        public var length: Int
        /// Weight of an item relative to the one after it.
        public var decay: Float
        public init(length: Int = 0, decay: Float = 0.8) {
            self.length = length
            self.decay = decay
        }
        public static let longest = 256
    }

    /// How the items that a user did not touch enter learning.
    public enum Unobserved: String, Sendable, Codable, CaseIterable {
        /// As sampled negatives.
        case sampled
        /// Not at all by sampling: as the regulariser over all pairs (`SamplingFree`). Kind `mf`, no linear weights.
        case regularized
    }

    /// Strengths γ of the interaction regulariser on each side; 0 for none.
    ///
    /// An event adds ½ γ times the mean of ⟨query, z_j⟩² over the catalogue to what its user's side learns from; the item side
    /// gives way to the same sum, spread over the events that go by.
    public struct Interaction: Sendable, Equatable {
        public var user: Float
        public var item: Float
        public init(user: Float = 0, item: Float = 0) {
            self.user = user
            self.item = item
        }
    }

    /// When and how a user's row that has slept is brought up to date from the held history (`Refolding`).
    public struct Refolding: Sendable, Equatable {
        /// Events since the user's last one after which the row is stale; 0 for never.
        public var after: UInt64
        /// Newest held items that the pass walks over.
        public var items: Int
        /// Learning rate of the pass.
        public var rate: Float
        /// Whether the user's next event also folds the stored row; otherwise answers alone do, in scratch.
        public var isLasting: Bool
        public init(after: UInt64 = 0, items: Int = 100, rate: Float = 0.1, isLasting: Bool = false) {
            self.isLasting = isLasting
            self.after = after
            self.items = items
            self.rate = rate
        }
    }

    /// How a user's row is re-solved from the held history (`Learner.refine`).
    public struct Refinement: Sendable, Equatable {
        /// How far a row may go: as far as so many passes of a stream's steps over the held items; 0 for not at all.
        public var passes: Float
        /// Weight of a held item relative to the one after it.
        public var decay: Float
        public init(passes: Float = 0, decay: Float = 0.95) {
            self.passes = passes
            self.decay = decay
        }
    }

    /// Whether rows of users are re-solved: of held items only implicit feedback says what their events were.
    var isRefined: Bool { refinement.passes > 0 && (unobserved == .regularized || loss != .squared && negatives > 0) }

    public var name: String
    public var kind: Kind
    /// Floats of a factor vector, 1…512.
    public var rank: Int
    /// How factors are held. `bfloat16` leaves no room for steps far below a factor's size, so nothing that takes such steps
    /// stands beside it: neither the interaction regulariser (`unobserved: regularized` included) nor a half-life of rows.
    public var storage = Storage.float32
    /// `bilinear`: one symmetric matrix for all pairs of features.
    public var symmetric: Bool
    /// `hofm`: most features of a set, 3…5.
    public var order: Int
    /// `hofm`: ranks of the orders 2, 3, … `order`; empty for `rank` each.
    public var ranks: [Int]
    /// `ffm`: context fields with a field of their own, at most 16; all others share one.
    public var fields: [String]
    public var loss: Loss
    public var optimizer: Optimizer
    /// Schedule, half-life, and what moves linear weights.
    public var steps = Steps()
    /// Learning rates.
    public var rates: Groups
    /// Learning rate of the global bias w0 and of other global parameters.
    public var globalRate: Float
    /// Strengths of l2.
    public var l2: Groups
    /// Items drawn for each positive interaction, each with label 0.
    public var negatives: Int
    /// Whether a drawn item that the user has seen is left out.
    public var verifiedNegatives: Bool
    /// Negatives are drawn by popularity to this power, 0…2; 0 for uniformly.
    public var popularityExponent: Float = 0
    /// What stands for the items that a user did not touch.
    public var unobserved: Unobserved
    public var interaction: Interaction
    /// Whether Gram matrices are kept.
    var isInteracting: Bool { unobserved == .regularized || interaction.user > 0 || interaction.item > 0 }
    /// The user's newest items as context.
    public var history: History
    public var refolding = Refolding()
    public var refinement = Refinement()
    /// Events in which rows and their linear weights lose half of their size unless touched; 0 for never.
    public var halfLife: UInt64 = 0
    /// Standard deviation of a factor's first value.
    public var deviation: Float
    /// Where first values and draws come from.
    public var seed: UInt64
    /// An error beyond this magnitude is cut to it.
    public var errorCap: Float
    /// A row's norm is kept within this.
    public var normCap: Float

    /// - Parameters: see the fields. Defaults are those of an implicit-feedback model; of `interaction` 0, where it stands for
    ///   the unobserved 4 and 1.
    public init(
        name: String = "main", kind: Kind = .mf, rank: Int = 32, loss: Loss = .logistic, optimizer: Optimizer = .adagrad,
        rates: Groups = Groups(user: 0.1, item: 0.1, context: 0.1, weight: 0.1), globalRate: Float = 0.01,
        l2: Groups = Groups(user: 0.001, item: 0.001, context: 0.001, weight: 0.001), negatives: Int = 4,
        verifiedNegatives: Bool = true, unobserved: Unobserved = .sampled,
        interaction: Interaction? = nil, history: History = History(), deviation: Float? = nil, seed: UInt64 = 1, errorCap: Float = 100, normCap: Float = 1000,
        symmetric: Bool = false, order: Int = 3, ranks: [Int] = [], fields: [String] = []
    ) {
        self.name = name
        self.kind = kind
        self.rank = rank
        self.loss = loss
        self.optimizer = optimizer
        self.rates = rates
        self.globalRate = globalRate
        self.l2 = l2
        self.negatives = negatives
        self.verifiedNegatives = verifiedNegatives
        self.unobserved = unobserved
        self.interaction = interaction ?? (unobserved == .regularized ? Interaction(user: 4, item: 1) : Interaction())
        self.history = history
        self.deviation = deviation ?? 0.1 / Float(rank).squareRoot()
        self.seed = seed
        self.errorCap = errorCap
        self.normCap = normCap
        self.symmetric = symmetric
        self.order = order
        self.ranks = ranks
        self.fields = fields
    }

    /// What makes a saved state another model's, beside the rank: keys of the configuration with their values.
    var identity: [(key: String, value: String)] {
        [
            ("kind", kind.rawValue),
            ("storage", storage.rawValue),
            // Row and coordinate accumulators differ in shape; plain sgd lives with the row form.
            ("optimizer.kind", optimizer == .adagradCoordinate ? optimizer.rawValue : "sgd or adagrad"),
            ("optimizer.weights", weightFtrl == nil ? "same" : "ftrl"),
            ("optimizer.sparse_factors", weightFtrl?.sparseFactors == true ? "true" : "false"),
            ("unobserved", unobserved.rawValue),
            ("history.length", history.length > 0 ? "above 0" : "0"),
        ] + kindIdentity
    }

    /// The kind's own keys that shape its rows.
    private var kindIdentity: [(key: String, value: String)] {
        switch kind {
        case .mf, .fm, .gfm: []
        case .bilinear: [("symmetric", "\(symmetric)")]
        case .hofm: [("ranks", HigherOrderMachine.ranks(self).map(String.init).joined(separator: ", "))]
        case .ffm: [("fields", fields.joined(separator: ", "))]
        }
    }

    public static let ranks = 1...512
    public static let orders = 3...5
    public static let mostFields = 16
    /// Floats that a row of any kind may have in use.
    public static let longestRow = 2048
    /// Floats in use in the longest row of this model.
    public var rowLength: Int { Kinds.layout(self).sideRank }
    public static let mostNegatives = 256
}

extension ClosedRange<Float> {
    /// The number itself, or the end of the range that is nearer.
    @inline(__always)
    func nearest(to number: Float) -> Float { Swift.min(Swift.max(number, lowerBound), upperBound) }
}
