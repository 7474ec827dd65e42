import Factorization
import WireFormats

extension QueryMethods {
    /// `explain`: the terms that sum to a score.
    func explain(_ request: JSONRPCRequest, _ waiting: WaitState, _ writer: inout JSONWriter) throws(JSONRPCError) {
        let parameters = try JSONRPCParameters(of: request)
        let late = try isLate(parameters, waiting)
        let number = try model(parameters), position = engine.appliedPosition
        let limit = try parameters.integer("n", default: 100, in: 1...QueryMethods.countLimit)
        let near = try parameters.integer("near", default: 5, in: 0...100)
        try scorer.reading { () throws(JSONRPCError) in
            let asker = try asker(parameters), item = try requestedItem(parameters)
            let explanation = scorer.explain(
                model: number, user: asker.user, item: item, features: asker.features, visitor: asker.visitor, limit: limit, near: near)
            writer.beginObject()
            writer.member("score", explanation.sum)
            writer.key("terms")
            writer.beginArray()
            for term in explanation.terms { write(term, explanation, &writer) }
            writer.endArray()
            write(alike: explanation.nearest, "near", "item", engine.items, &writer)
            if item.ordinal == Placement.none { writer.member("unknown_item", true) }
            writeModel(number, &writer)
            writeEnd(position, fallback: scoreFallback(asker), late, &writer)
        }
    }

    /// `fallback` of an answer that scores given items.
    func scoreFallback(_ asker: Asker) -> String? {
        if asker.user != Placement.none { return nil }
        return asker.visitor == nil ? "item_bias" : asker.fallback?.rawValue
    }

    /// `{"term":"pair","group":"context","feature":"hour=13","with_group":"item","with":"a","value":0.2}`
    private func write(_ term: Explanation.Term, _ explanation: Explanation, _ writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("term")
        writer.value(term.kind.rawValue)
        if let feature = term.feature { write(feature, "group", "feature", &writer) }
        if let other = term.other { write(other, "with_group", "with", &writer) }
        if term.kind == .rest { writer.member("terms", explanation.restCount) }
        writer.member("value", term.value)
        writer.endObject()
    }

    private func write(_ feature: Explanation.Feature, _ group: StaticString, _ name: StaticString, _ writer: inout JSONWriter) {
        writer.key(group)
        func named(_ table: EntityTable, _ ordinal: UInt32) {
            writer.key(name)
            writer.value(engine.featureName(table, ordinal))
        }
        switch feature {
        case .user: writer.value("user")
        case .item: writer.value("item")
        case .userAttribute(let ordinal):
            writer.value("user_attribute")
            named(engine.userAttributes, ordinal)
        case .itemAttribute(let ordinal):
            writer.value("item_attribute")
            named(engine.itemAttributes, ordinal)
        case .context(let ordinal):
            writer.value("context")
            named(engine.contexts, ordinal)
        case .history(let ordinal):
            writer.value("history")
            writer.key(name)
            write(engine.items.key(ordinal, hashing: engine.hashing), into: &writer)
        }
    }
}
