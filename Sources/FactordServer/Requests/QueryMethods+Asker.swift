import Factorization
import WireFormats

/// On whose behalf a request asks, as far as it can be told.
struct Asker {
    /// `Placement.none` for somebody without a row that says anything.
    var user: UInt32
    /// In the user's place.
    var visitor: Visitor?
    var features: [(ordinal: UInt32, weight: Float)]
    /// What stands in for the user; nil for one who is known.
    var fallback: RequestFallback?
    /// Items named as taken.
    var taken: [UInt32]
}

extension QueryMethods {
    /// Who asks: `user`, and in its place, where it is absent or not known, what `requests.fallback` says of `history` (items
    /// taken), `attributes` and `context`. Inside `scorer.reading`.
    /// - Parameter alias: another name by which `history` may go.
    func asker(_ parameters: JSONRPCParameters, alias: StaticString = "history") throws(JSONRPCError) -> Asker {
        let list: StaticString = parameters.value("history") != nil ? "history" : alias
        let hasList = parameters.value(list) != nil, items = hasList ? try taken(list, parameters) : []
        var attributes: [(ordinal: UInt32, weight: Float)] = []
        if let given = parameters.value("attributes") { attributes = try features(given, "attributes", engine.userAttributes) }
        let isNamed = parameters.value("user") != nil
        guard isNamed || hasList || parameters.value("attributes") != nil else {
            throw .invalidParams("params.user: missing (or history or attributes in its place)")
        }
        let user = isNamed ? try user(parameters) : Placement.none
        var asker = Asker(user: user, features: try features(parameters), taken: items.map(\.ordinal))
        if engine.hasInteracted(user) { return asker }
        asker.user = Placement.none
        if attributes.isEmpty { attributes = engine.attributesOfUser(user) }
        for fallback in fallbacks {
            switch fallback {
            case .items where !items.isEmpty: asker.visitor = Visitor(items: items, attributes: attributes)
            case .attributes where !attributes.isEmpty: asker.visitor = Visitor(attributes: attributes)
            case .context where !asker.features.isEmpty: asker.visitor = Visitor()
            case .popularity: break
            default: continue
            }
            asker.fallback = fallback
            return asker
        }
        return asker
    }

    /// `["a", {"item":"b","weight":2,"value":4.5}]`, oldest first; unknown items are left out. Inside `scorer.reading`.
    private func taken(_ name: StaticString, _ parameters: JSONRPCParameters) throws(JSONRPCError) -> [Visitor.Item] {
        guard let elements = try parameters.array(name, limit: Visitor.mostItems)?.elements else { return [] }
        var items: [Visitor.Item] = [], place = -1
        for element in elements {
            place += 1
            let weight = try number(element, "weight", in: 0...1e6, "params.\(name)[\(place)]") ?? 1
            let value = try number(element, "value", in: -1e9...1e9, "params.\(name)[\(place)]")
            let ordinal = try item(element, "params.\(name)[\(place)]")
            guard ordinal != Placement.none else { continue }
            guard let item = engine.taken(ordinal, weight: Float(weight), value: value.map { Float($0) }) else {
                throw .invalidParams("params.\(name)[\(place)].value: missing; events here teach their value")
            }
            items.append(item)
        }
        return items
    }

    /// The ordinal of an item that stands by itself or as the member `item` of an object.
    func item(_ element: JSONValue, _ place: @autoclosure () -> String) throws(JSONRPCError) -> UInt32 {
        guard let id = element.isObject ? element["item"] : element,
            let key = JSONRPCParameters.key(id, policy: ids, hashing: engine.hashing)
        else { throw .invalidParams("\(place()): an id, or an object with the member item, is expected") }
        return engine.items.find(key)
    }

    private func number(_ element: JSONValue, _ name: StaticString, in range: ClosedRange<Double>, _ place: @autoclosure () -> String)
        throws(JSONRPCError) -> Double?
    {
        guard element.isObject, let value = element[name], !value.isNull else { return nil }
        guard let number = value.double, range.contains(number) else {
            throw .invalidParams("\(place()).\(name): a number from \(range.lowerBound) to \(range.upperBound) is expected")
        }
        return number
    }

    /// Features as requests write them, of which the tables know (ordinal, x). Inside `scorer.reading`.
    func features(_ value: JSONValue, _ name: StaticString, _ table: EntityTable) throws(JSONRPCError) -> [(ordinal: UInt32, weight: Float)] {
        try contextReader.readContext(value, named: name, into: contextBatch)
        var features: [(ordinal: UInt32, weight: Float)] = []
        let scale = FeatureCrowd.scale(contextBatch.features, count: contextBatch.features.count)
        for entry in contextBatch.features {
            guard abs(entry.weight) <= Sequencer.largestFeature, let namespace = engine.fields.namespace(contextBatch.text(entry.field)) else { continue }
            let ordinal = table.find(entry.value.placed(in: namespace, hashing: engine.hashing))
            if ordinal != Placement.none { features.append((ordinal, entry.weight * scale)) }
        }
        return features
    }

    /// The items of `score`, `["a", {"item":"new","attributes":{…}}]`: attributes are read of an item that is not known.
    /// Inside `scorer.reading`.
    func scoredItems(_ parameters: JSONRPCParameters) throws(JSONRPCError) -> [RequestedItem] {
        guard let elements = try parameters.array("items", limit: QueryMethods.idLimit)?.elements else { return [] }
        var items: [RequestedItem] = []
        for element in elements {
            let ordinal = try item(element, "params.items[\(items.count)]")
            guard ordinal == Placement.none, element.isObject, let given = element["attributes"], !given.isNull else {
                items.append(RequestedItem(ordinal))
                continue
            }
            guard items.count(where: { !$0.attributes.isEmpty }) < QueryMethods.describedLimit else {
                throw .invalidParams("params.items[\(items.count)].attributes: more than \(QueryMethods.describedLimit) unknown items with attributes")
            }
            items.append(RequestedItem(ordinal, attributes: try features(given, "items", engine.itemAttributes)))
        }
        return items
    }
    /// Unknown items with attributes in one request: each is folded by itself.
    private static let describedLimit = 1000

    /// The item that `item` names, with `item_attributes` for one that is not known. Inside `scorer.reading`.
    func requestedItem(_ parameters: JSONRPCParameters) throws(JSONRPCError) -> RequestedItem {
        let ordinal = try item(try parameters.required("item"), "params.item")
        guard ordinal == Placement.none, let given = parameters.value("item_attributes") else { return RequestedItem(ordinal) }
        return RequestedItem(ordinal, attributes: try features(given, "item_attributes", engine.itemAttributes))
    }
}
