import CKernels

/// Lists that are the same for everybody: from counts and from when items came, not from a model.
extension Scorer {
    /// A list, and the interactions that it was counted from: 0 where that is all there ever were.
    public struct CommonList: Sendable {
        public var items: [ScoredItem]
        public var interactions: Int
    }

    /// Items by how often they were taken. Inside `reading`.
    /// - Parameter halfLife: interactions after which one counts half; nil for the count that is kept of each item, which
    ///   fades by `popularity.half_life`. With one, the window of recent items is counted.
    public func popular(_ query: RecommendQuery, halfLife: Double? = nil) -> CommonList {
        guard let halfLife else {
            return CommonList(items: list(query) { engine.items.frequency($0) }, interactions: 0)
        }
        let span = count(halfLife: halfLife)
        defer { clear() }
        return CommonList(items: list(query) { recent[Int($0)] > 0 ? recent[Int($0)] : nil }, interactions: span)
    }

    /// Items that come more often of late than in the long run, the most significant first: with s the count of an item in
    /// the window, fading by `halfLife`, S the sum of all of these, and f and F the same of the counts that are kept,
    /// (s − e)/√(e + 1) with e = S f/F what the long run would make one expect: standard deviations of a Poisson count, eased
    /// for items of which nothing is expected. Only items above 0. Inside `reading`.
    public func trending(_ query: RecommendQuery, halfLife: Double) -> CommonList {
        let span = count(halfLife: halfLife)
        defer { clear() }
        let known = engine.items.count
        let all = (0..<UInt32(known)).reduce(0.0) { $0 + Double(engine.items.frequency($1)) }
        let sum = touched.reduce(0.0) { $0 + Double(recent[Int($1)]) }
        guard all > 0 else { return CommonList(items: [], interactions: span) }
        let items = list(query) { item in
            let count = Double(recent[Int(item)])
            guard count > 0 else { return nil }
            let expected = sum * Double(engine.items.frequency(item)) / all
            return count > expected ? Float((count - expected) / (expected + 1).squareRoot()) : nil
        }
        return CommonList(items: items, interactions: span)
    }

    /// Items by when they came, the newest first; only the last that were admitted are known (`RecentItems.newest`). The score
    /// is 2^(−age/halfLife), age in events; an item's position is 0 where it is not known. Boosts do not change when an item came: they are
    /// left aside. Inside `reading`.
    public func latest(_ query: RecommendQuery, halfLife: Double) -> (items: [ScoredItem], positions: [UInt64]) {
        var order: [UInt32: (place: Int, position: UInt64)] = [:]
        engine.shared.recent.forEachNewest { item, position in if order[item] == nil { order[item] = (order.count, position) } }
        // By place: many positions may be unknown, and 2^(−age/h) may be 0 for all that are old.
        var query = query
        let least = query.rules.minimumScore ?? -.infinity
        query.rules.minimumScore = nil
        query.rules.boosts = []
        let found = list(query) { item in order[item].map { -Float($0.place) } }
        let now = engine.appliedPosition, positions = found.map { order[$0.item]?.position ?? 0 }
        let items = zip(found, positions).map { item, position in
            let age = Double(now >= position ? now - position : 0)
            return ScoredItem(item: item.item, score: position == 0 ? 0 : Float(fk_power(2, -age / halfLife)))
        }
        let enough = items.prefix { $0.score >= least }
        return (Array(enough), Array(positions.prefix(enough.count)))
    }

    /// Counts the window into `recent`; answers how many interactions that were.
    private func count(halfLife: Double) -> Int {
        let known = engine.items.count
        if recent.count < known { recent.append(contentsOf: repeatElement(0, count: known - recent.count)) }
        return engine.shared.recent.forEach(halfLife: halfLife) { item, weight in
            guard Int(item) < known else { return }
            if recent[Int(item)] == 0 { touched.append(item) }
            recent[Int(item)] += Float(weight)
        }
    }

    private func clear() {
        for item in touched { recent[Int(item)] = 0 }
        touched.removeAll(keepingCapacity: true)
    }
}
