import Factorization
import WireFormats

/// The read-only methods. Belongs to the thread that answers with them: each has its own.
final class QueryMethods: RequestMethods {
    let engine: Engine
    let ids: IdPolicy
    let stats: StatsReport
    let scorer: Scorer
    let choice: ModelChoice
    let explorer: Explorer
    /// What stands in for an unknown user, in order.
    let fallbacks: [RequestFallback]
    /// Of the `score` request in hand.
    let scratch = ScoreScratch()
    /// Reads contexts; its batch holds the features of the request in hand.
    let contextReader: EventDecoder
    let contextBatch = EventBatch(recordCapacity: 1, featureCapacity: 1024, textCapacity: 1 << 17, messageCapacity: 1)

    /// Ids in one `score` request or one `exclude` list.
    static let idLimit = 100_000
    /// Items in one answer of `recommend`.
    static let countLimit = 10_000

    init(
        engine: Engine, ids: IdPolicy, stats: StatsReport, choice: ModelChoice, explorer: Explorer,
        fallbacks: [RequestFallback] = RequestFallback.allCases
    ) {
        self.fallbacks = fallbacks
        self.engine = engine
        self.ids = ids
        self.stats = stats
        self.choice = choice
        self.explorer = explorer
        scorer = Scorer(engine: engine)
        contextReader = EventDecoder(policy: ids, hashing: engine.hashing)
    }

    func answer(
        _ request: JSONRPCRequest, waiting: WaitState, into writer: inout JSONWriter
    ) throws(JSONRPCError) {
        // The one that is asked a hundred thousand times a second.
        if request.method.equals("score") { return try score(request, waiting, &writer) }
        switch request.methodName {
        case "recommend": try recommend(request, waiting, &writer)
        case "similar": try similar(request, waiting, &writer)
        case "explain": try explain(request, waiting, &writer)
        case "inspect": try inspect(request, waiting, &writer)
        case "popular", "trending", "latest": try commonList(request, waiting, &writer)
        case "ping": ping(&writer)
        case "stats": stats.write(into: &writer)
        default: throw .methodNotFound(request.methodName)
        }
    }

    private func ping(_ writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("pong", true)
        writer.member("position", engine.appliedPosition)
        stats.writeDurable(&writer)
        writer.endObject()
    }

    // MARK: Parameters that several methods share

    /// The model asked for by name; without one, that of the user, or of the session of somebody without an id.
    func model(_ parameters: JSONRPCParameters) throws(JSONRPCError) -> Int {
        guard let name = try parameters.text("model") else {
            if let user = try parameters.key("user", policy: ids, hashing: engine.hashing) { return choice.model(for: user) }
            guard let session = try parameters.key("session", policy: ids, hashing: engine.hashing) else { return choice.standard }
            return choice.model(for: session)
        }
        for (index, model) in engine.models.enumerated() where name.elementsEqual(model.settings.name.utf8) { return index }
        let names = engine.models.map(\.settings.name).joined(separator: ", ")
        throw .invalidParams("params.model: no model \(String(decoding: name.prefix(128), as: UTF8.self)); there is \(names)")
    }

    /// The user's ordinal; `Placement.none` where the id is unknown. Inside `scorer.reading`.
    func user(_ parameters: JSONRPCParameters) throws(JSONRPCError) -> UInt32 {
        guard let key = try parameters.key("user", policy: ids, hashing: engine.hashing) else {
            throw .invalidParams("params.user: missing")
        }
        return engine.users.find(key)
    }

    /// The ordinals of a list of item ids, `Placement.none` for unknown ones. Inside `scorer.reading`.
    func items(_ name: StaticString, _ parameters: JSONRPCParameters) throws(JSONRPCError) -> [UInt32] {
        var ordinals: [UInt32] = []
        try parameters.forEachKey(name, limit: QueryMethods.idLimit, policy: ids, hashing: engine.hashing) {
            ordinals.append(engine.items.find($0))
        }
        return ordinals
    }

    /// The context's features that the models know. Inside `scorer.reading`.
    func features(_ parameters: JSONRPCParameters) throws(JSONRPCError) -> [(ordinal: UInt32, weight: Float)] {
        guard let context = parameters.value("context") else { return [] }
        return try features(context, "context", engine.contexts)
    }

    /// Waits for `after`, or says that the answer is late; without `after`, refuses what can be answered only behind its deadline.
    /// - Returns: whether the answer has to say `"late": true`.
    func isLate(_ parameters: JSONRPCParameters, _ waiting: WaitState) throws(JSONRPCError) -> Bool {
        guard let after = try parameters.unsigned("after") else {
            guard parameters.value("deadline_ms") != nil else { return false }
            let milliseconds = try parameters.integer("deadline_ms", in: 0...60_000)
            if waiting.ageMilliseconds > Double(milliseconds) { throw .late("its turn came only \(Int(waiting.ageMilliseconds)) ms after the request") }
            return false
        }
        guard engine.appliedPosition < after else { return false }
        let milliseconds = try parameters.integer("deadline_ms", default: 50, in: 0...60_000)
        if waiting.isFinal { return true }
        // The reply that this error starts is dropped; the request is asked again when the position is reached.
        waiting.wanted = (min(after, waiting.wanted?.position ?? after), max(milliseconds, waiting.wanted?.milliseconds ?? 0))
        throw .late("waits for position \(after)")
    }

    /// An item's or user's id as answers give it: integers as numbers, text as text.
    func write(_ key: Key, into writer: inout JSONWriter) {
        if key.isText { writer.value(key.text) } else { writer.value(Int64(bitPattern: key.payload)) }
    }
}
