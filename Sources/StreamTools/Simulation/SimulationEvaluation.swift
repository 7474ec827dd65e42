/// Recommendations of a daemon judged against the truth of the stream that it learned from, beside two that know
/// nothing of tastes.
public struct SimulationEvaluation: Sendable {
    public private(set) var depth: Int
    public private(set) var daemon = RankingQuality()
    /// The same list of popular items for all.
    public private(set) var popular = RankingQuality()
    /// Items drawn at random.
    public private(set) var random = RankingQuality()
    /// The best list that there is; its hit rate is the most that anyone can reach.
    public private(set) var ideal = RankingQuality()
    /// Answers that were not personal.
    public private(set) var fallbacks = 0

    /// Asks for `depth` recommendations for `userCount` users, drawn from `seed`; items that a user has seen are not
    /// excluded, for the truth does not exclude them.
    public init(
        asking client: RequestClient, truth: Simulation, userCount: Int, depth: Int, seed: UInt64 = 1
    ) throws(StreamToolsError) {
        self.depth = depth
        var source = RandomSource(seed: seed)
        let popularItems = truth.popularItems(count: depth)
        let hour = 12
        let context = truth.settings.hours ? [ContextPair(field: "hour", value: .integer(Int64(hour)))] : []
        for _ in 0..<userCount {
            try Interruption.check()
            let user = source.below(truth.settings.users)
            let answer = try client.recommend(user: Simulation.id(user), count: depth, excludeSeen: false, context: context)
            if answer.fallback != nil { fallbacks += 1 }
            let items = answer.items.compactMap { Simulation.ordinal($0.item, count: truth.settings.items) }
            daemon.add(items, user: user, count: depth, truth: truth, hour: hour)
            popular.add(popularItems, user: user, count: depth, truth: truth, hour: hour)
            let drawn = (0..<depth).map { _ in source.below(truth.settings.items) }
            random.add(drawn, user: user, count: depth, truth: truth, hour: hour)
            ideal.add(truth.topItems(user: user, count: depth, hour: hour), user: user, count: depth, truth: truth, hour: hour)
        }
    }

    public var json: JSONTree {
        func part(_ quality: RankingQuality) -> JSONTree {
            ["attainment": .number(quality.attainment), "hit_rate": .number(quality.hitRate)]
        }
        return [
            "users": .integer(Int64(daemon.lists)), "depth": .integer(Int64(depth)), "fallbacks": .integer(Int64(fallbacks)),
            "daemon": part(daemon), "popular": part(popular), "random": part(random), "ideal": part(ideal),
        ]
    }

    public func rendered() -> String {
        var table = TextTable(["lists of \(depth)", "of the possible", "hit rate"], [.left, .right, .right])
        for (name, quality) in [("the daemon's", daemon), ("popular items", popular), ("random items", random), ("the best", ideal)] {
            table.add([name, Quantity.fixed(quality.attainment * 100, 1) + " %", Quantity.fixed(quality.hitRate, 4)])
        }
        var text = table.rendered()
        text += "\(daemon.lists) users; \"of the possible\" is true relevance against the best list, "
        text += "hit rate the true probability that the next item is in the list.\n"
        if fallbacks > 0 { text += "\(fallbacks) answers were not personal (fallback).\n" }
        return text
    }
}
