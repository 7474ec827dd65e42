/// The truth as it stands after the events generated so far.
extension Simulation {
    /// How much `user` likes the kind of `item`, popularity apart: Σ_t m_i(t)·g_u(t), about −2…2.
    public func affinity(user: Int, item: Int) -> Float {
        let first = user * settings.topics
        return Simulation.mainShare * taste[first + Int(mainTopic[item])]
            + (1 - Simulation.mainShare) * taste[first + Int(secondTopic[item])]
    }

    /// The probability that the next event of `user` is on `item`; 0 for an item that has not appeared yet.
    public func probability(user: Int, item: Int, hour: Int = 12) -> Double {
        guard item < available else { return 0 }
        let shares = topicShares(user: user, hour: hour)
        return probability(item: item, shares: shares)
    }

    /// The rating that `user` gives `item` on average, before it is rounded and limited to 1…5.
    public func expectedRating(user: Int, item: Int) -> Float {
        3.4 + leniency[user] + quality[item] + 0.8 * affinity(user: user, item: item)
    }

    /// What recommending `item` to `user` is worth: its probability with implicit feedback, its rating with ratings.
    public func relevance(user: Int, item: Int, hour: Int = 12) -> Double {
        switch settings.feedback {
        case .implicit: probability(user: user, item: item, hour: hour)
        case .ratings: item < available ? Double(min(5, max(1, expectedRating(user: user, item: item)))) : 0
        }
    }

    /// The `count` most relevant items of `user`, best first, ties by ordinal.
    public func topItems(user: Int, count: Int, hour: Int = 12) -> [Int] {
        let shares = topicShares(user: user, hour: hour)
        return best(count) { item in
            switch settings.feedback {
            case .implicit: probability(item: item, shares: shares)
            // Not limited to 5: the best of many fives is still the best.
            case .ratings: Double(expectedRating(user: user, item: item))
            }
        }
    }

    /// The `count` items that all users together take most often: what a recommender without taste would show.
    public func popularItems(count: Int) -> [Int] {
        best(count) { Double(weight[$0]) }
    }

    public func mainTopicName(item: Int) -> String { Simulation.topicNames[Int(mainTopic[item])] }

    /// The user's favourite topics, best first.
    public func favouriteTopics(user: Int, count: Int = 2) -> [String] {
        let first = user * settings.topics
        let order = (0..<settings.topics).sorted { (taste[first + $1], $0) < (taste[first + $0], $1) }
        return order.prefix(count).map { Simulation.topicNames[$0] }
    }

    /// Ids, titles such as "Sci-fi 17" (the 17th of its topic) and topics of all items.
    public func catalogue() -> ItemCatalogue {
        var catalogue = ItemCatalogue()
        var counts = [Int](repeating: 0, count: settings.topics)
        for item in 0..<settings.items {
            let topic = Int(mainTopic[item])
            counts[topic] += 1
            let name = Simulation.topicNames[topic]
            catalogue.set(
                Simulation.id(item),
                ItemCatalogue.Entry(
                    title: "\(name) \(counts[topic])",
                    attributes: [ItemCatalogue.Attribute(field: "topic", values: [.text(name)])]))
        }
        return catalogue
    }

    /// The id of a user or item in the stream.
    public static func id(_ ordinal: Int) -> EventID { .integer(Int64(ordinal) + 1) }

    /// The ordinal of an id that `id` made, or nil for any other below `count`.
    public static func ordinal(_ id: EventID, count: Int) -> Int? {
        guard case .integer(let value) = id, value >= 1, value <= Int64(count) else { return nil }
        return Int(value - 1)
    }

    /// An event as the stream carries it.
    public func datasetEvent(_ event: Event) -> DatasetEvent {
        DatasetEvent(
            user: Simulation.id(event.user), item: Simulation.id(event.item), type: event.action.rawValue,
            value: settings.feedback == .ratings ? event.value : nil, timeMilliseconds: event.timeMilliseconds,
            context: settings.hours ? [ContextPair(field: "hour", value: .integer(Int64(event.hour)))] : [])
    }

    private func topicShares(user: Int, hour: Int) -> [Double] {
        let weights = (0..<settings.topics).map { Double(topicWeight(user: user, topic: $0, hour: hour)) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    private func probability(item: Int, shares: [Double]) -> Double {
        let main = Int(mainTopic[item])
        let second = Int(secondTopic[item])
        let share = Double(Simulation.mainShare)
        return Double(weight[item])
            * (shares[main] * share / topicMass[main] + shares[second] * (1 - share) / topicMass[second])
    }

    /// The available items of highest score, best first, keeping only `count` at a time.
    private func best(_ count: Int, score: (Int) -> Double) -> [Int] {
        var kept: [(score: Double, item: Int)] = []
        for item in 0..<available {
            let value = score(item)
            if kept.count == count, let last = kept.last, value <= last.score { continue }
            let place = kept.firstIndex { $0.score < value } ?? kept.endIndex
            kept.insert((value, item), at: place)
            if kept.count > count { kept.removeLast() }
        }
        return kept.map(\.item)
    }
}
