/// What a simulated stream is like. Equal settings give equal streams.
public struct SimulationSettings: Sendable, Equatable {
    /// What users say about items.
    public enum Feedback: String, Sendable, CaseIterable {
        /// Events `view`, `cart`, `buy`, without value.
        case implicit
        /// Events `rating` with a value of 1…5.
        case ratings
    }

    /// How all tastes change at once.
    public enum Drift: String, Sendable, CaseIterable {
        /// What was liked is disliked and the other way round.
        case flip
        /// Each taste moves on to another topic.
        case rotate
    }

    public var seed: UInt64
    /// Users 1…`users`.
    public var users: Int
    /// Items 1…`items`.
    public var items: Int
    /// Kinds of items, at most `Simulation.topicNames.count`; the rank of the truth.
    public var topics: Int
    public var feedback: Feedback
    /// How far tastes concentrate users on their topics: 0 is not at all, 1.5 gives the favourite about half.
    public var tasteStrength: Double
    /// An item of popularity rank r (from 1) is drawn in proportion to r^-exponent.
    public var popularityExponent: Double
    /// The same for users.
    public var activityExponent: Double
    /// Whether the hour of the day moves interest between topics; events then carry the context field `hour`.
    public var hours: Bool
    public var drift: Drift?
    /// Index of the first event (from 0) after the drift.
    public var driftAt: Int
    /// Part of the items, 0..<1, that nobody sees before event `coldItemsAt`: those with the highest ids.
    public var coldItemFraction: Double
    public var coldItemsAt: Int
    /// Time of the first event, milliseconds since 1970, and the step from one to the next.
    public var startMilliseconds: Int64
    public var stepMilliseconds: Int64

    public init(
        seed: UInt64 = 1, users: Int = 1000, items: Int = 2000, topics: Int = 10, feedback: Feedback = .implicit,
        tasteStrength: Double = 1.5, popularityExponent: Double = 0.6, activityExponent: Double = 0.5, hours: Bool = false,
        drift: Drift? = nil, driftAt: Int = 0, coldItemFraction: Double = 0, coldItemsAt: Int = 0,
        startMilliseconds: Int64 = 1_700_000_000_000, stepMilliseconds: Int64 = 5000
    ) {
        self.seed = seed
        self.users = users
        self.items = items
        self.topics = topics
        self.feedback = feedback
        self.tasteStrength = tasteStrength
        self.popularityExponent = popularityExponent
        self.activityExponent = activityExponent
        self.hours = hours
        self.drift = drift
        self.driftAt = driftAt
        self.coldItemFraction = coldItemFraction
        self.coldItemsAt = coldItemsAt
        self.startMilliseconds = startMilliseconds
        self.stepMilliseconds = stepMilliseconds
    }

    /// Throws for the first setting outside its range.
    func check() throws(StreamToolsError) {
        func need(_ holds: Bool, _ name: String, _ reason: String) throws(StreamToolsError) {
            if !holds { throw .invalidSetting(name: name, reason: reason) }
        }
        try need((1...100_000_000).contains(users), "users", "1 to 100,000,000")
        try need((1...100_000_000).contains(items), "items", "1 to 100,000,000")
        try need((1...Simulation.topicNames.count).contains(topics), "topics", "1 to \(Simulation.topicNames.count)")
        try need(topics <= items, "topics", "not more than items")
        try need((0...10).contains(tasteStrength), "tasteStrength", "0 to 10")
        try need((0...5).contains(popularityExponent), "popularityExponent", "0 to 5")
        try need((0...5).contains(activityExponent), "activityExponent", "0 to 5")
        try need(driftAt >= 0, "driftAt", "not negative")
        try need((0..<1).contains(coldItemFraction), "coldItemFraction", "0 to below 1")
        try need(coldItemsAt >= 0, "coldItemsAt", "not negative")
        try need(stepMilliseconds >= 0, "stepMilliseconds", "not negative")
        let warm = items - Int(Double(items) * coldItemFraction)
        try need(warm >= topics, "coldItemFraction", "at least one item of each topic must be there from the start")
    }
}
