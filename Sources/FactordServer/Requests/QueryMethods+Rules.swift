import Factorization
import LinuxSystem
import WireFormats

/// The parameters that say what may be in a list of items, and in which order.
extension QueryMethods {
    /// Caps of one request at most.
    private static let capLimit = 16
    /// Greatest magnitude of `min_score` and of what a boost adds.
    private static let greatestScore = 1e9

    /// Inside `scorer.reading`.
    func itemRules(_ parameters: JSONRPCParameters) throws(JSONRPCError) -> ItemRules {
        var rules = ItemRules(excluded: try items("exclude", parameters))
        if parameters.value("candidates") != nil { rules.candidates = try items("candidates", parameters) }
        if let text = parameters.value("filter") { rules.filter = try expression(text, "filter") }
        rules.boosts = try boosts(parameters)
        if parameters.value("min_score") != nil {
            let most = QueryMethods.greatestScore
            rules.minimumScore = Float(try parameters.number("min_score", in: -most...most))
        }
        rules.caps = try caps(parameters)
        rules.diversity = Float(try parameters.number("diversity", default: 0, in: 0...1))
        rules.offset = try parameters.integer("offset", default: 0, in: 0...QueryMethods.countLimit)
        rules.now = WallClock.milliseconds
        return rules
    }

    /// `"unknown_candidates": 2`, where some of the list are no items.
    func writeUnknownCandidates(_ rules: ItemRules, _ writer: inout JSONWriter) {
        let unknown = rules.candidates?.count { $0 == Placement.none } ?? 0
        if unknown > 0 { writer.member("unknown_candidates", unknown) }
    }

    private func expression(_ value: JSONValue?, _ name: String) throws(JSONRPCError) -> AttributeExpression {
        guard let text = value?.stringBytes else { throw .invalidParams("params.\(name): a string is expected") }
        do throws(ExpressionError) {
            return try AttributeExpression(parsing: text, policy: ids)
        } catch {
            throw .invalidParams("params.\(name), \(error)")
        }
    }

    /// `[{"when": EXPRESSION, "add": NUMBER}, …]`
    private func boosts(_ parameters: JSONRPCParameters) throws(JSONRPCError) -> [AttributeBoost] {
        guard let elements = try parameters.array("boosts", limit: ItemRules.boostLimit)?.elements else { return [] }
        var boosts: [AttributeBoost] = []
        for element in elements {
            let name = "boosts[\(boosts.count)]"
            let when = try expression(element["when"], "\(name).when")
            guard let add = element["add"]?.double, abs(add) <= QueryMethods.greatestScore else {
                throw .invalidParams("params.\(name).add: a number of magnitude up to 1e9 is expected")
            }
            boosts.append(AttributeBoost(when: when, add: Float(add)))
        }
        return boosts
    }

    /// `{FIELD: NUMBER, …}`, or `[{"field": FIELD, "limit": NUMBER}, …]`
    private func caps(_ parameters: JSONRPCParameters) throws(JSONRPCError) -> [AttributeCap] {
        guard let value = parameters.value("caps") else { return [] }
        var caps: [AttributeCap] = []
        if let members = value.members {
            for (field, limit) in members { caps.append(try cap(String(decoding: field, as: UTF8.self), limit, "caps.\(String(decoding: field.prefix(128), as: UTF8.self))")) }
        } else if let elements = value.elements {
            for (index, element) in elements.enumerated() {
                guard let field = element["field"]?.string else { throw .invalidParams("params.caps[\(index)].field: a string is expected") }
                caps.append(try cap(field, element["limit"], "caps[\(index)].limit"))
            }
        } else {
            throw .invalidParams("params.caps: an object field → number, or an array, is expected")
        }
        guard caps.count <= QueryMethods.capLimit else { throw .invalidParams("params.caps: \(caps.count) fields, the limit is \(QueryMethods.capLimit)") }
        return caps
    }

    private func cap(_ field: String, _ limit: JSONValue?, _ name: String) throws(JSONRPCError) -> AttributeCap {
        guard let number = limit?.int64, number >= 1, number <= QueryMethods.countLimit else {
            throw .invalidParams("params.\(name): an integer from 1 to \(QueryMethods.countLimit) is expected")
        }
        return AttributeCap(field: field, limit: Int(number))
    }
}

extension MethodParameter {
    private static let expression = #"{"type":"string","maxLength":\#(AttributeExpression.longestText)}"#

    /// The rules of a list, but for `exclude`.
    static let rules: [MethodParameter] = [
        .items("candidates", "The only items to be ranked"),
        .other("filter", schema: expression, "What is true of every item, such as: brand in [acme, bolt] and price < 50 and not sold_out"),
        .other(
            "boosts",
            schema: #"{"type":"array","maxItems":\#(ItemRules.boostLimit),"items":{"type":"object","required":["when","add"],"#
                + #""properties":{"when":\#(expression),"add":{"type":"number"}}}}"#, "What the score gains where an expression is true"),
        .number("min_score", nil, "Items that score less are left out"),
        .other(
            "caps", schema: #"{"type":"object","additionalProperties":{"type":"integer","minimum":1,"maximum":\#(QueryMethods.countLimit)}}"#,
            "Field → how many items of one value of it are answered at most"),
        .other("diversity", schema: #"{"type":"number","minimum":0,"maximum":1,"default":0}"#, "How much likeness to the items before it counts against an item"),
        .integer("offset", 0, 0...QueryMethods.countLimit, "Items left out from the front of the list"),
    ]
}
