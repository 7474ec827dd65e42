import Factorization
import WireFormats

extension QueryMethods {
    /// `score`: one user × many items.
    func score(_ request: JSONRPCRequest, _ waiting: WaitState, _ writer: inout JSONWriter) throws(JSONRPCError) {
        let parameters = try JSONRPCParameters(of: request)
        let late = try isLate(parameters, waiting)
        let number = try model(parameters)
        let asProbability = try parameters.bool("probability", default: false)
        let position = engine.appliedPosition
        _ = try parameters.required("items")
        var unknown: [Int] = []
        let (scores, fallback) = try scorer.reading { () throws(JSONRPCError) in
            let asker = try asker(parameters), items = try scoredItems(parameters)
            for (index, item) in items.enumerated() where item.ordinal == Placement.none { unknown.append(index) }
            var scores = scorer.score(
                model: number, user: asker.user, items: items.map(\.ordinal), features: asker.features, visitor: asker.visitor)
            let described = unknown.filter { !items[$0].attributes.isEmpty }
            if !described.isEmpty {
                let byAttributes = scorer.score(
                    model: number, user: asker.user, described: described.map { items[$0] }, features: asker.features, visitor: asker.visitor)
                for (index, score) in zip(described, byAttributes) { scores[index] = score }
            }
            return (scores, scoreFallback(asker))
        }
        writer.beginObject()
        writer.key("scores")
        writer.beginArray()
        for score in scores { writer.value(asProbability ? probability(score, model: number) : score) }
        writer.endArray()
        if !unknown.isEmpty {
            writer.key("unknown_items")
            writer.beginArray()
            for index in unknown { writer.value(index) }
            writer.endArray()
        }
        writeModel(number, &writer)
        writeEnd(position, fallback: fallback, late, &writer)
    }

    /// A score as a probability: σ of the log-odds, corrected for sampled negatives. With n uniform negatives a positive,
    /// out of N items, the odds of the training data are N/n of the true ones (King and Zeng 2001, prior correction).
    func probability(_ score: Float, model number: Int) -> Float {
        let settings = engine.models[number].settings
        guard settings.loss == .logistic else { return score }
        guard settings.negatives > 0, engine.items.liveCount > 0 else { return Float.logistic(score) }
        return Float.logistic(score, odds: Float(settings.negatives) / Float(engine.items.liveCount))
    }

    /// Which of several models answered.
    func writeModel(_ number: Int, _ writer: inout JSONWriter) {
        if engine.models.count > 1 { writer.member("model", engine.models[number].settings.name) }
    }

    /// Position, fallback and lateness: the end of every answer about items.
    func writeEnd(_ position: UInt64, fallback: String?, _ late: Bool, _ writer: inout JSONWriter) {
        writer.member("position", position)
        writer.key("fallback")
        if let fallback { writer.value(fallback) } else { writer.null() }
        if late {
            writer.member("late", true)
        }
        writer.endObject()
    }
}
