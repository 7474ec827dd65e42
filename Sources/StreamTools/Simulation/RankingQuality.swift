/// How good lists of recommendations are, measured against a simulation's truth.
public struct RankingQuality: Sendable {
    /// Lists judged so far.
    public private(set) var lists = 0
    private var worth = 0.0
    private var ideal = 0.0
    private var hits = 0.0

    public init() {}

    /// Judges the list `items` for `user` against the best list of the same length `count`.
    public mutating func add(_ items: [Int], user: Int, count: Int, truth: Simulation, hour: Int = 12) {
        lists += 1
        for item in Set(items.prefix(count)) {
            worth += truth.relevance(user: user, item: item, hour: hour)
            hits += truth.probability(user: user, item: item, hour: hour)
        }
        for item in truth.topItems(user: user, count: count, hour: hour) {
            ideal += truth.relevance(user: user, item: item, hour: hour)
        }
    }

    /// Relevance of the lists as part of what the best lists have, 0…1; 1 − regret.
    public var attainment: Double { ideal > 0 ? worth / ideal : 0 }

    /// The probability that the user's next event is in the list (expected HR).
    public var hitRate: Double { lists > 0 ? hits / Double(lists) : 0 }
}
