/// What a recommend request asks of the tables, ids resolved.
public struct RecommendQuery: Sendable {
    /// The user's ordinal, or `Placement.none` for somebody unknown.
    public var user: UInt32
    /// Stands in for a user who is `Placement.none`; nil for somebody of whom nothing is known but the context.
    public var visitor: Visitor?
    /// Context, resolved: (ordinal in the context table, x).
    public var features: [(ordinal: UInt32, weight: Float)]
    /// Items wanted.
    public var count: Int
    /// Leave out what the user has seen.
    public var excludesSeen: Bool
    /// Which items may be answered.
    public var rules: ItemRules

    public init(
        user: UInt32, features: [(ordinal: UInt32, weight: Float)] = [], count: Int = 10, excludesSeen: Bool = true,
        excluded: [UInt32] = []
    ) {
        self.user = user
        self.features = features
        self.count = count
        self.excludesSeen = excludesSeen
        rules = ItemRules(excluded: excluded)
    }
}

/// The answer to a `RecommendQuery`.
public struct Recommendation: Sendable, Equatable {
    /// Best first; the score is the model's own, or the popularity where `isFallback`.
    public var items: [ScoredItem]
    /// Whether nothing is known of the user, so that popularity ranked the items.
    public var isFallback: Bool
    /// False when the user's seen set is full: older items may appear again.
    public var isSeenComplete: Bool
}
