/// A method as callers know it.
struct MethodDescription: Sendable {
    /// Whether it is asked for on the reply socket and over HTTP, or on the admin socket alone.
    enum Place: Sendable { case requests, admin }

    let name: String
    let place: Place
    /// One sentence without its full stop.
    let summary: String
    let parameters: [MethodParameter]
    /// Parameters as they may look, in JSON, and a result.
    let asks: String
    let answers: String

    static func read(
        _ name: String, _ summary: String, _ parameters: [MethodParameter], asks: String = "{}", answers: String
    ) -> MethodDescription {
        MethodDescription(name: name, place: .requests, summary: summary, parameters: parameters, asks: asks, answers: answers)
    }

    static func admin(
        _ name: String, _ summary: String, _ parameters: [MethodParameter], asks: String = "{}", answers: String
    ) -> MethodDescription {
        MethodDescription(name: name, place: .admin, summary: summary, parameters: parameters, asks: asks, answers: answers)
    }

    // MARK: The table

    /// All methods that there are. HTTP routes and the OpenAPI document follow it; a test holds it to what `QueryMethods` and
    /// `AdminMethods` answer. A method is added here and in the switch that answers it.
    static let all: [MethodDescription] = [
        .read("ping", "Whether the daemon answers, and up to which position it has learned", [], answers: #"{"pong":true,"position":1234,"durable":1230}"#),
        .read(
            "score", "Scores of items for a user, or of pairs of user and item",
            [.user, .scoredItems, .pairs, .history, .attributes, .context, .flag("probability", false, "Probabilities instead of log-odds")] + common,
            asks: #"{"user":"ann","items":["alien","brazil"],"context":{"hour":13}}"#, answers: #"{"scores":[0.3,-1.2],"position":1234,"fallback":null}"#),
        .read(
            "recommend", "The best items of the live catalogue for a user",
            [
                .user, .integer("n", 10, 1...QueryMethods.countLimit, "Items wanted"), .flag("exclude_seen", true, "Leave out what the user has seen"),
                .items("exclude", "Items left out"), .history, .attributes, .context, .flag("probability", false, "Probabilities instead of log-odds"),
                .explore,
            ] + MethodParameter.rules + common, asks: #"{"user":"ann","n":3,"exclude":["alien"]}"#, answers: #"{"items":[{"item":"b","score":1.2}],"position":1234,"fallback":null}"#),
    ] + answers + [
        .read("stats", "Counters, queues, metrics of quality, tables and snapshots", [], answers: #"{"position":1234}"#),
        .admin("snapshot", "Writes a snapshot and says where", [], answers: #"{"position":1234,"path":"…","bytes":1293791,"exact":false}"#),
        .admin(
            "forget", "Removes a user or an item with all that is held of it",
            [.user, .id("item", "In place of user"), .flag("erase", false, "Answer once no file names the id")],
            asks: #"{"user":"ann"}"#, answers: #"{"position":1235}"#),
        .admin(
            "promote", "Makes a model answer where a request names none, if it was shown to be better",
            [.text("model", "The model's name"), .flag("force", false, "Without evidence, too")],
            asks: #"{"model":"b"}"#, answers: #"{"model":"b","position":1236,"evidence":null}"#),
        .admin(
            "reload", "Reads the configuration and the lists of keys anew, and says what changed and what waits", [],
            answers: #"{"changed":[{"key":"log.level","from":"info","to":"debug","takes_effect":"now"}],"waiting":[],"learned_otherwise_after":null,"keys":{}}"#),
    ]

    /// Parameters of every method that asks a model.
    static let common: [MethodParameter] = [
        .text("model", "A model's name; without it the experiment's for the user, or the one that answers by default"),
        .id("session", "In place of user, for an experiment's choice of the model"), .integer("after", nil, 0...Int.max, "Wait until the event at this position is learned"),
        .integer("deadline_ms", nil, 0...60_000, "With after: how long to wait at most, 50 without it. Else: no answer after so long"),
    ]

    static func named(_ name: some StringProtocol, at place: Place) -> MethodDescription? {
        all.first { $0.place == place && $0.name == name }
    }
}

/// A parameter as callers know it.
struct MethodParameter: Sendable {
    let name: String
    let meaning: String
    /// JSON Schema, as the OpenAPI document has it.
    let schema: String

    static let user = MethodParameter.id("user", "Who is asked about")
    static let context = MethodParameter(
        name: "context", meaning: "Field → value, list of values, or value → weight", schema: #"{"type":"object","additionalProperties":true}"#)
    static let explore = MethodParameter(
        name: "explore", meaning: "Room for chance; the answer then has propensities",
        schema: #"{"type":"object","properties":{"method":{"enum":["none","epsilon","thompson"]},"epsilon":{"type":"number","minimum":0,"maximum":1},"scale":{"type":"number","minimum":0,"maximum":1000},"seed":{"type":"integer","minimum":0}},"required":["method"]}"#)
    static let pairs = MethodParameter(
        name: "pairs", meaning: "In place of user and items: [user, item], …",
        schema: #"{"type":"array","maxItems":\#(QueryMethods.idLimit),"items":{"type":"array","minItems":2,"maxItems":2,"items":\#(idSchema)}}"#)

    static func id(_ name: String, _ meaning: String) -> MethodParameter { MethodParameter(name: name, meaning: meaning, schema: idSchema) }

    static func items(_ name: String, _ meaning: String) -> MethodParameter {
        MethodParameter(name: name, meaning: meaning, schema: #"{"type":"array","maxItems":\#(QueryMethods.idLimit),"items":\#(idSchema)}"#)
    }

    static func text(_ name: String, _ meaning: String) -> MethodParameter { MethodParameter(name: name, meaning: meaning, schema: #"{"type":"string"}"#) }

    static func flag(_ name: String, _ standard: Bool, _ meaning: String) -> MethodParameter {
        MethodParameter(name: name, meaning: meaning, schema: #"{"type":"boolean","default":\#(standard)}"#)
    }

    static func integer(_ name: String, _ standard: Int?, _ range: ClosedRange<Int>, _ meaning: String) -> MethodParameter {
        let bounds = #""minimum":\#(range.lowerBound)\#(range.upperBound == .max ? "" : #","maximum":\#(range.upperBound)"#)"#
        return MethodParameter(name: name, meaning: meaning, schema: #"{"type":"integer",\#(bounds)\#(standard.map { #","default":\#($0)"# } ?? "")}"#)
    }

    static func number(_ name: String, _ standard: Double?, _ meaning: String) -> MethodParameter {
        MethodParameter(name: name, meaning: meaning, schema: #"{"type":"number"\#(standard.map { #","default":\#($0)"# } ?? "")}"#)
    }

    /// Anything that the helpers above do not cover; `schema` is JSON Schema.
    static func other(_ name: String, schema: String, _ meaning: String) -> MethodParameter { MethodParameter(name: name, meaning: meaning, schema: schema) }

    private static let idSchema = #"{"oneOf":[{"type":"string","minLength":1,"maxLength":1024},{"type":"integer"}]}"#
}
