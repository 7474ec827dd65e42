import Factorization
import WireFormats

extension QueryMethods {
    /// `recommend`: the n best items of the live catalogue for a user.
    func recommend(_ request: JSONRPCRequest, _ waiting: WaitState, _ writer: inout JSONWriter) throws(JSONRPCError) {
        let parameters = try JSONRPCParameters(of: request)
        let late = try isLate(parameters, waiting)
        let number = try model(parameters)
        let count = try parameters.integer("n", default: 10, in: 1...QueryMethods.countLimit)
        let excludesSeen = try parameters.bool("exclude_seen", default: true)
        let asProbability = try parameters.bool("probability", default: false)
        let position = engine.appliedPosition
        try scorer.reading { () throws(JSONRPCError) in
            let user = try user(parameters)
            let query = RecommendQuery(
                user: user, features: try features(parameters), count: count, excludesSeen: excludesSeen,
                excluded: try items("exclude", parameters))
            let answer = scorer.recommend(model: number, query)
            writer.beginObject()
            writer.key("items")
            writer.beginArray()
            for item in answer.items {
                writer.beginObject()
                writer.key("item")
                write(engine.items.key(item.item, hashing: engine.hashing), into: &writer)
                writer.key("score")
                writer.value(asProbability && !answer.isFallback ? probability(item.score, model: number) : item.score)
                writer.endObject()
            }
            writer.endArray()
            if !answer.isSeenComplete {
                writer.key("seen_complete")
                writer.value(false)
            }
            writeEnd(position, fallback: answer.isFallback ? "popularity" : nil, late, &writer)
        }
    }
}
