import Factorization
import WireFormats

extension QueryMethods {
    /// `recommend`: the n best items of the live catalogue for a user.
    func recommend(_ request: JSONRPCRequest, _ waiting: WaitState, _ writer: inout JSONWriter) throws(JSONRPCError) {
        let parameters = try JSONRPCParameters(of: request)
        let late = try isLate(parameters, waiting)
        let number = try model(parameters)
        let asProbability = try parameters.bool("probability", default: false)
        let position = engine.appliedPosition
        let exploration = try exploreRequest(parameters)
        try scorer.reading { () throws(JSONRPCError) in
            let asker = try asker(parameters, alias: "items")
            var query = try recommendQuery(parameters, asker)
            // Where not even popularity may stand in, there is nothing to answer.
            let isNobody = asker.user == Placement.none && asker.fallback == nil
            if isNobody { query.count = 0 }
            let fallback = isNobody ? "none" : asker.fallback?.rawValue
            if let exploration {
                return try explore(
                    exploration, query, model: number, asProbability: asProbability, position: position, fallback: fallback, late: late,
                    parameters, into: &writer)
            }
            let answer = scorer.recommend(model: number, query)
            writer.beginObject()
            write(answer.items, asProbability: asProbability && !answer.isFallback, model: number, into: &writer)
            writeUnknownCandidates(query.rules, &writer)
            if !answer.isSeenComplete { writer.member("seen_complete", false) }
            writeModel(number, &writer)
            writeEnd(position, fallback: fallback, late, &writer)
        }
    }

    /// Who asks, and for what. Inside `scorer.reading`.
    private func recommendQuery(_ parameters: JSONRPCParameters, _ asker: Asker) throws(JSONRPCError) -> RecommendQuery {
        var query = RecommendQuery(
            user: asker.user, features: asker.features,
            count: try parameters.integer("n", default: 10, in: 1...QueryMethods.countLimit),
            excludesSeen: try parameters.bool("exclude_seen", default: true))
        query.rules = try itemRules(parameters)
        query.visitor = asker.visitor
        // What the request names as taken counts as seen.
        if query.excludesSeen { query.rules.excluded += asker.taken }
        return query
    }

    /// `"items":[{"item":…,"score":…}]`. Inside `scorer.reading`.
    func write(_ items: [ScoredItem], asProbability: Bool, model number: Int, into writer: inout JSONWriter) {
        writer.key("items")
        writer.beginArray()
        for item in items {
            writer.beginObject()
            writer.key("item")
            write(engine.items.key(item.item, hashing: engine.hashing), into: &writer)
            writer.key("score")
            writer.value(asProbability ? probability(item.score, model: number) : item.score)
            writer.endObject()
        }
        writer.endArray()
    }
}
