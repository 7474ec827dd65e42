import CKernels

/// From the best items of a scan to the list that is answered.
extension Scorer {
    /// The items of a query in the order in which they are answered, as its rules have it. Inside `reading`, between `start` and `finish` of
    /// the rules.
    /// - Parameter best: the best so many items that the rules admit, boosts included, best first.
    func rank(_ number: Int, _ query: RecommendQuery, catalogue: Int, best: (Int) -> [ScoredItem]) -> [ScoredItem] {
        let rules = query.rules, end = query.count + rules.offset
        let pool = rules.diversity > 0 ? Diversity.pool(query.count) : 0
        var ranking = within(rules, wanted: min(max(end, pool), catalogue), catalogue: catalogue, best: best)
        if rules.diversity > 0 {
            if diversities[number] == nil { diversities[number] = Diversity(model: engine.models[number]) }
            ranking = diversities[number]!.rank(ranking, pool: pool, wanted: end, weight: rules.diversity)
        }
        return Array(ranking.dropFirst(rules.offset).prefix(query.count))
    }

    /// The first `wanted` items of the walk down the whole ranking that takes what is within the caps, down to the least score.
    private func within(_ rules: ItemRules, wanted: Int, catalogue: Int, best: (Int) -> [ScoredItem]) -> [ScoredItem] {
        func isEnough(_ item: ScoredItem) -> Bool { rules.minimumScore.map { item.score >= $0 } ?? true }
        guard !rules.caps.isEmpty else { return Array(best(wanted).prefix(while: isEnough)) }
        var taken: [ScoredItem] = []
        // Deep enough where caps leave out few; what is missing is looked for in what ranks after, twice as deep each time, without what
        // the caps have no room for. Each time either the list is full, or another value, or the ranking is at its end.
        var depth = min(wanted + wanted / 4 + 8, catalogue)
        while taken.count < wanted {
            let next = best(depth)
            defer { depth = min(2 * depth, catalogue) }
            for item in next where taken.count < wanted {
                guard isEnough(item) else { return taken }
                if check.take(item.item) { taken.append(item) }
            }
            guard taken.count < wanted, next.count == depth else { break }
            check.passOver(next, catalogue: catalogue)
        }
        return taken
    }

    /// The best of a few items, each scored by itself.
    func scoreCandidates(_ candidates: [UInt32], _ number: Int, _ query: RecommendQuery) {
        let model = engine.models[number], table = model.items
        let (side, constant) = fold(number, query.user, query.features, query.visitor)
        let attributes = attributeScores[number], described = side.meetsAttributes
        if described { attributes.prepare(side.query) }
        for item in candidates where check.admits(item) {
            _ = table.score(
                shard: Placement.shard(item), from: Int(Placement.local(item)), limit: 1, side.query, constant: constant, into: scores,
                model.kernels)
            offerAdmitted(item, score: described ? attributes.score(item, own: scores[0], side, constant: constant) : scores[0])
        }
    }
}
