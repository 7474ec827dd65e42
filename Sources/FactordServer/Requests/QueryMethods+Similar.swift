import Factorization
import WireFormats

extension QueryMethods {
    /// `similar`: items like an item, or users like a user.
    func similar(_ request: JSONRPCRequest, _ waiting: WaitState, _ writer: inout JSONWriter) throws(JSONRPCError) {
        let parameters = try JSONRPCParameters(of: request)
        let late = try isLate(parameters, waiting)
        let number = try model(parameters), count = try parameters.integer("n", default: 10, in: 1...QueryMethods.countLimit)
        let position = engine.appliedPosition, ofItem = parameters.value("item") != nil
        guard !ofItem || parameters.value("user") == nil else { throw .invalidParams("params: either item or user is expected") }
        try scorer.reading { () throws(JSONRPCError) in
            let found: [ScoredItem], fallback: String?
            if ofItem {
                let item = try requestedItem(parameters)
                var query = RecommendQuery(user: Placement.none, count: count, excludesSeen: false)
                query.rules = try itemRules(parameters)
                found = scorer.similar(model: number, to: item, query)
                fallback = item.ordinal != Placement.none ? nil : item.attributes.isEmpty ? "unknown" : "attributes"
            } else {
                let asker = try asker(parameters), visitor = asker.fallback == .context ? nil : asker.visitor
                var excluded = Set<UInt32>()
                try parameters.forEachKey("exclude", limit: QueryMethods.idLimit, policy: ids, hashing: engine.hashing) {
                    excluded.insert(engine.users.find($0))
                }
                found = scorer.similarUsers(model: number, to: asker.user, visitor: visitor, count: count, excluded: excluded)
                fallback = asker.user != Placement.none ? nil : visitor == nil ? "unknown" : asker.fallback?.rawValue
            }
            writer.beginObject()
            write(alike: found, ofItem ? "items" : "users", ofItem ? "item" : "user", ofItem ? engine.items : engine.users, &writer)
            writeModel(number, &writer)
            writeEnd(position, fallback: fallback, late, &writer)
        }
    }

    /// `"items":[{"item":…,"similarity":…}]`. Inside `scorer.reading`.
    func write(
        alike found: [ScoredItem], _ list: StaticString, _ name: StaticString, _ table: EntityTable, _ writer: inout JSONWriter
    ) {
        writer.key(list)
        writer.beginArray()
        for entry in found {
            writer.beginObject()
            writer.key(name)
            write(table.key(entry.item, hashing: engine.hashing), into: &writer)
            writer.member("similarity", Double(entry.score))
            writer.endObject()
        }
        writer.endArray()
    }

    /// `popular`, `trending`, `latest`: lists that no model makes.
    func commonList(_ request: JSONRPCRequest, _ waiting: WaitState, _ writer: inout JSONWriter) throws(JSONRPCError) {
        let parameters = try JSONRPCParameters(of: request)
        let late = try isLate(parameters, waiting), position = engine.appliedPosition
        let given = parameters.value("half_life") == nil ? nil : try parameters.number("half_life", in: 1...1e15)
        try scorer.reading { () throws(JSONRPCError) in
            let user = parameters.value("user") == nil ? Placement.none : try user(parameters)
            var query = RecommendQuery(
                user: user, count: try parameters.integer("n", default: 10, in: 1...QueryMethods.countLimit),
                excludesSeen: try parameters.bool("exclude_seen", default: true))
            query.rules = try itemRules(parameters)
            writer.beginObject()
            switch request.methodName {
            case "latest":
                let latest = scorer.latest(query, halfLife: given ?? QueryMethods.latestHalfLife)
                write(latest.items, positions: latest.positions, &writer)
            case "popular": write(scorer.popular(query, halfLife: given), &writer)
            default: write(scorer.trending(query, halfLife: given ?? max(Double(engine.recentSpan) / 8, 1)), &writer)
            }
            writeEnd(position, fallback: nil, late, &writer)
        }
    }

    /// Events after which an item of `latest` scores half.
    private static let latestHalfLife = 100_000.0

    private func write(_ list: Scorer.CommonList, _ writer: inout JSONWriter) {
        write(list.items, asProbability: false, model: 0, into: &writer)
        if list.interactions > 0 { writer.member("interactions", list.interactions) }
    }

    private func write(_ items: [ScoredItem], positions: [UInt64], _ writer: inout JSONWriter) {
        writer.key("items")
        writer.beginArray()
        for (item, position) in zip(items, positions) {
            writer.beginObject()
            writer.key("item")
            write(engine.items.key(item.item, hashing: engine.hashing), into: &writer)
            writer.key("score")
            writer.value(item.score)
            writer.key("since")
            if position > 0 { writer.value(position) } else { writer.null() }
            writer.endObject()
        }
        writer.endArray()
    }
}
