import Factorization

extension MethodDescription {
    /// The methods beside scores and recommendations.
    static let answers: [MethodDescription] = [
        .read(
            "similar", "Items like an item, or users like a user",
            [
                .id("item", "Whose like is wanted"), .itemAttributes, .id("user", "In place of item"), .history, .attributes,
                .integer("n", 10, 1...QueryMethods.countLimit, "How many"), .items("exclude", "Items (users) left out"),
            ] + MethodParameter.rules + common, asks: #"{"item":"alien","n":3}"#, answers: #"{"items":[{"item":"b","similarity":0.8}],"position":1234,"fallback":null}"#),
        .read(
            "explain", "The terms that sum to a score",
            [
                .user, .id("item", "The item"), .itemAttributes, .history, .attributes, .context,
                .integer("n", 100, 1...QueryMethods.countLimit, "Terms listed; the others are summed up"),
                .integer("near", 5, 0...100, "Items of the history that are compared with the item"),
            ] + common,
            asks: #"{"user":"ann","item":"alien"}"#,
            answers: #"{"score":0.3,"terms":[{"term":"pair","group":"context","feature":"hour=13","with_group":"item","value":0.2},{"term":"bias","value":0.1}],"#
                + #""near":[{"item":"b","similarity":0.8}],"position":1234,"fallback":null}"#),
        .read(
            "inspect", "What is held of an id; of the model without one",
            [
                .id("user", "A user"), .id("item", "An item"), .feature("context", "A context value"),
                .feature("user_attribute", "An attribute of users"), .feature("item_attribute", "An attribute of items"),
            ] + common, asks: #"{"item":"alien"}"#,
            answers: #"{"model":"main","known":true,"ordinal":7,"shard":7,"popularity":3.5,"rows":[{"row":"own","weight":0.1,"norm":0.9,"updates":12,"factors":[0.1]}]}"#),
        .read("popular", "The items taken most", common(halfLife: nil), answers: #"{"items":[{"item":"b","score":312.5}],"position":1234,"fallback":null}"#),
        .read(
            "trending", "The items taken more of late than in the long run", common(halfLife: "an eighth of popularity.recent"),
            answers: #"{"items":[{"item":"b","score":6.1}],"interactions":1048576,"position":1234,"fallback":null}"#),
        .read(
            "latest", "The items that came last", common(halfLife: "100000"),
            answers: #"{"items":[{"item":"b","score":0.9,"since":1200}],"position":1234,"fallback":null}"#),
    ]

    private static func common(halfLife: String?) -> [MethodParameter] {
        [
            .integer("n", 10, 1...QueryMethods.countLimit, "Items wanted"),
            .number("half_life", nil, "Events after which one counts half; \(halfLife ?? "popularity.half_life") without it"),
            .id("user", "Whose seen items are left out"), .flag("exclude_seen", true, "Leave them out"), .items("exclude", "Items left out"),
        ] + MethodParameter.rules + common.filter { $0.name != "model" }
    }
}

extension MethodParameter {
    private static let idOrObject = #"{"oneOf":[{"type":"string"},{"type":"integer"},{"type":"object","required":["item"]}]}"#
    private static let features = #"{"type":"object","additionalProperties":true}"#

    static let scoredItems = MethodParameter(
        name: "items", meaning: "Items to be scored for the user; {\"item\":…,\"attributes\":{…}} for one that may be new",
        schema: #"{"type":"array","maxItems":\#(QueryMethods.idLimit),"items":\#(idOrObject)}"#)
    static let history = MethodParameter(
        name: "history", meaning: "Items that somebody unknown took, oldest first: ids, or {\"item\":…,\"weight\":…,\"value\":…}",
        schema: #"{"type":"array","maxItems":\#(Visitor.mostItems),"items":\#(idOrObject)}"#)
    static let attributes = MethodParameter(name: "attributes", meaning: "Attributes of an unknown user", schema: features)
    static let itemAttributes = MethodParameter(name: "item_attributes", meaning: "Attributes of an unknown item", schema: features)

    static func feature(_ name: String, _ meaning: String) -> MethodParameter {
        MethodParameter(name: name, meaning: "\(meaning): {FIELD: VALUE}", schema: #"{"type":"object","maxProperties":1}"#)
    }
}
