/// One recommended item.
public struct Recommendation: Sendable, Equatable {
    public var item: EventID
    public var score: Double
    /// The probability of the item at its place, where the list was explored.
    public var propensity: Double?
}

/// What `recommend` answered.
public struct Recommendations: Sendable, Equatable {
    /// Best first.
    public var items: [Recommendation]
    /// Every event up to this position is in the answer.
    public var position: Int?
    /// Why the answer is not personal (`popularity`, …), or nil.
    public var fallback: String?
    /// Which of several models answered.
    public var model: String?
}

extension RequestClient {
    /// The scores of items for a user, in the order of `items`.
    public func score(user: EventID, items: [EventID], context: [ContextPair] = []) throws(StreamToolsError) -> [Double] {
        try RequestClient.scores(try call("score", RequestClient.scoreParameters(user: user, items: items, context: context)), count: items.count)
    }

    /// Reads the result of `score` for so many items.
    public static func scores(_ result: JSONTree, count: Int) throws(StreamToolsError) -> [Double] {
        guard let scores = result["scores"]?.array?.map(\.number), scores.count == count else {
            throw .malformedAnswer(method: "score", reason: "\(count) items, but \(result.json.prefix(200))")
        }
        // A score that is no number (null) is one that the daemon does not have.
        return scores.map { $0 ?? .nan }
    }

    /// The `count` best items for a user.
    public func recommend(
        user: EventID, count: Int, excludeSeen: Bool = true, exclude: [EventID] = [], context: [ContextPair] = []
    ) throws(StreamToolsError) -> Recommendations {
        let parameters = RequestClient.recommendParameters(
            user: user, count: count, excludeSeen: excludeSeen, exclude: exclude, context: context)
        return try RequestClient.recommendations(try call("recommend", parameters))
    }

    /// - Parameter more: further parameters, such as `model`.
    public static func scoreParameters(
        user: EventID, items: [EventID], context: [ContextPair] = [], more: [JSONTree.Member] = []
    ) -> JSONTree {
        .object([
            JSONTree.Member(key: "user", value: JSONTree(user)),
            JSONTree.Member(key: "items", value: .array(items.map { JSONTree($0) })),
        ] + contextMember(context) + more)
    }

    public static func recommendParameters(
        user: EventID?, taken: [EventID] = [], count: Int, excludeSeen: Bool, exclude: [EventID], context: [ContextPair],
        rules: ListRules = ListRules(), more: [JSONTree.Member] = []
    ) -> JSONTree {
        var members = user.map { [JSONTree.Member(key: "user", value: JSONTree($0))] } ?? []
        if !taken.isEmpty { members.append(JSONTree.Member(key: "history", value: .array(taken.map { JSONTree($0) }))) }
        members += [
            JSONTree.Member(key: "n", value: .integer(Int64(count))),
            JSONTree.Member(key: "exclude_seen", value: .bool(excludeSeen)),
        ]
        if !exclude.isEmpty { members.append(JSONTree.Member(key: "exclude", value: .array(exclude.map { JSONTree($0) }))) }
        return .object(members + rules.members + contextMember(context) + more)
    }

    /// Reads the result of `recommend`.
    public static func recommendations(_ result: JSONTree) throws(StreamToolsError) -> Recommendations {
        guard let list = result["items"]?.array else {
            throw .malformedAnswer(method: "recommend", reason: "no items in \(result.json.prefix(200))")
        }
        var items: [Recommendation] = []
        for element in list {
            guard let item = element["item"]?.id, let score = element["score"]?.number else {
                throw .malformedAnswer(method: "recommend", reason: "\(element.json.prefix(200)) is no item with a score")
            }
            items.append(Recommendation(item: item, score: score, propensity: element["propensity"]?.number))
        }
        return Recommendations(
            items: items, position: result["position"]?.integer, fallback: result["fallback"]?.display, model: result["model"]?.string)
    }

    public static func contextMember(_ context: [ContextPair], _ name: String = "context") -> [JSONTree.Member] {
        if context.isEmpty { return [] }
        return [JSONTree.Member(
            key: name, value: .object(context.map { JSONTree.Member(key: $0.field, value: JSONTree($0.value)) }))]
    }
}
