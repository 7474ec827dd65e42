/// What a list of items may hold and how it is ordered, as `recommend` takes it (Requests/README.md, "Rules of a list").
public struct ListRules: Sendable, Equatable {
    public var filter: String?
    public var boosts: [Boost] = []
    public var caps: [Cap] = []
    public var diversity = 0.0
    public var offset = 0
    public var minimumScore: Double?
    public var candidates: [EventID]?

    public struct Boost: Sendable, Equatable {
        public var when: String
        public var add: Double

        public init(when: String, add: Double) {
            self.when = when
            self.add = add
        }
    }

    public struct Cap: Sendable, Equatable {
        public var field: String
        public var limit: Int

        public init(field: String, limit: Int) {
            self.field = field
            self.limit = limit
        }
    }

    public init() {}

    /// The parameters of a request, without those that say nothing.
    var members: [JSONTree.Member] {
        var members: [JSONTree.Member] = []
        func add(_ key: String, _ value: JSONTree) { members.append(JSONTree.Member(key: key, value: value)) }
        if let candidates { add("candidates", .array(candidates.map { JSONTree($0) })) }
        if let filter { add("filter", .string(filter)) }
        if !boosts.isEmpty { add("boosts", .array(boosts.map { ["when": .string($0.when), "add": .number($0.add)] })) }
        if let minimumScore { add("min_score", .number(minimumScore)) }
        if !caps.isEmpty { add("caps", .array(caps.map { ["field": .string($0.field), "limit": .integer(Int64($0.limit))] })) }
        if diversity != 0 { add("diversity", .number(diversity)) }
        if offset != 0 { add("offset", .integer(Int64(offset))) }
        return members
    }
}
