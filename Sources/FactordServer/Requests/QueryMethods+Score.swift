import Factorization
import WireFormats

/// What a `score` request names, as ids and as ordinals; and its scores. Kept from request to request, so that one costs no
/// memory. Belongs to the methods. A class, for its parts are changed together and each by itself.
final class ScoreScratch {
    var users: [Key] = [], items: [Key] = []
    var userOrdinals: [UInt32] = [], itemOrdinals: [UInt32] = []
    var scores: [Float] = []

    func removeAll() {
        users.removeAll(keepingCapacity: true)
        items.removeAll(keepingCapacity: true)
        scores.removeAll(keepingCapacity: true)
    }
}

extension QueryMethods {
    /// `score`: one user × many items, or pairs of user and item.
    func score(_ request: JSONRPCRequest, _ waiting: WaitState, _ writer: inout JSONWriter) throws(JSONRPCError) {
        let parameters = try JSONRPCParameters(of: request)
        let late = try isLate(parameters, waiting)
        let number = try model(parameters)
        let asProbability = try parameters.bool("probability", default: false)
        let isFrame = try parameters.bool("items_frame", default: false)
        scratch.removeAll()
        let isPairs = try readScored(parameters, isFrame ? waiting : nil)
        let position = engine.appliedPosition
        var fallback: String?
        try scorer.reading { () throws(JSONRPCError) in
            engine.items.find(scratch.items, into: &scratch.itemOrdinals)
            fallback = isPairs ? try scorePairs(model: number, parameters) : try scoreItems(model: number, parameters)
        }
        if asProbability { for index in scratch.scores.indices { scratch.scores[index] = probability(scratch.scores[index], model: number) } }
        writer.beginObject()
        if isFrame {
            writer.member("count", scratch.scores.count)
            for score in scratch.scores { waiting.scores.append(score) }
            waiting.hasScores = true
        } else {
            writer.key("scores")
            writer.array(scratch.scores)
        }
        writeUnknown("unknown_items", scratch.itemOrdinals, &writer)
        if isPairs { writeUnknown("unknown_users", scratch.userOrdinals, &writer) }
        writeModel(number, &writer)
        writeEnd(position, fallback: fallback, late, &writer)
    }

    /// Reads users and items into the scratch: one user and the items, or as many users as items.
    /// - Parameter frame: where the items stand in a frame behind the body; nil where they stand in the body.
    /// - Returns: whether each item has a user of its own.
    private func readScored(_ parameters: JSONRPCParameters, _ frame: WaitState?) throws(JSONRPCError) -> Bool {
        if parameters.value("pairs") != nil {
            guard parameters.value("user") == nil, parameters.value("items") == nil, frame == nil else {
                throw .invalidParams("params.pairs: stands in place of user and items")
            }
            try parameters.append(
                pairs: "pairs", limit: QueryMethods.idLimit, policy: ids, hashing: engine.hashing, to: &scratch.users, &scratch.items)
            return true
        }
        if let frame {
            guard parameters.value("items") == nil else { throw .invalidParams("params.items: stands in the frame") }
            guard let items = frame.items else {
                throw .invalidParams("params.items_frame: a frame of `<i8` ids is expected behind the body, of a request that is no batch and comes over ZeroMQ")
            }
            guard items.count <= QueryMethods.idLimit else {
                throw .invalidParams("params.items_frame: \(items.count) ids, the limit is \(QueryMethods.idLimit)")
            }
            for index in 0..<items.count { scratch.items.append(Key(integer: items[index], hashing: engine.hashing)) }
        } else {
            let items = try parameters.required("items")
            if items.elements?.contains(where: \.isObject) == true { return false }
            try parameters.append("items", limit: QueryMethods.idLimit, policy: ids, hashing: engine.hashing, to: &scratch.items)
        }
        return false
    }

    /// Scores the scratch's items for whoever asks. Inside `scorer.reading`.
    /// - Returns: what stood in for the user.
    private func scoreItems(model number: Int, _ parameters: JSONRPCParameters) throws(JSONRPCError) -> String? {
        let asker = try asker(parameters)
        // Items that stand as objects were left where they are: some may bring attributes.
        let asked = scratch.items.isEmpty && parameters.value("items") != nil ? try scoredItems(parameters) : []
        if !asked.isEmpty { scratch.itemOrdinals = asked.map(\.ordinal) }
        scorer.score(
            model: number, user: asker.user, items: scratch.itemOrdinals[...], features: asker.features, visitor: asker.visitor,
            into: &scratch.scores)
        let described = asked.indices.filter { asked[$0].ordinal == Placement.none && !asked[$0].attributes.isEmpty }
        if !described.isEmpty {
            let byAttributes = scorer.score(
                model: number, user: asker.user, described: described.map { asked[$0] }, features: asker.features, visitor: asker.visitor)
            for (index, score) in zip(described, byAttributes) { scratch.scores[index] = score }
        }
        return scoreFallback(asker)
    }

    /// Scores the scratch's pairs; those of one user that follow each other share the user's side. Inside `scorer.reading`.
    private func scorePairs(model number: Int, _ parameters: JSONRPCParameters) throws(JSONRPCError) -> String? {
        engine.users.find(scratch.users, into: &scratch.userOrdinals)
        let features = try features(parameters), users = scratch.userOrdinals
        var first = 0
        while first < users.count {
            var end = first + 1
            while end < users.count, users[end] == users[first] { end += 1 }
            scorer.score(
                model: number, user: users[first], items: scratch.itemOrdinals[first..<end], features: features, into: &scratch.scores)
            first = end
        }
        return users.contains(Placement.none) ? "item_bias" : nil
    }

    /// The places of unknown ids, where there are any.
    private func writeUnknown(_ name: StaticString, _ ordinals: [UInt32], _ writer: inout JSONWriter) {
        guard ordinals.contains(Placement.none) else { return }
        writer.key(name)
        writer.beginArray()
        for (index, ordinal) in ordinals.enumerated() where ordinal == Placement.none { writer.value(index) }
        writer.endArray()
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
