import Factorization
import LinuxSystem
import Synchronization
import WireFormats

/// How lists are explored where a request does not say, and where they are noted.
final class Explorer: Sendable {
    let standard: Exploration?
    let epsilon: Double
    let scale: Double
    let log: ExplorationLog?
    /// Lists explored since the start.
    let explored = Atomic<UInt64>(0)
    /// Seeds given out; each follows from its number and one that is new with every start.
    private let seeds = Atomic<UInt64>(0)
    private let salt = UInt64.random(in: .min ... .max)

    init(_ settings: Configuration.Explorations, log: ExplorationLog?) {
        standard = settings.exploration
        epsilon = Double(settings.epsilon)
        scale = Double(settings.scale)
        self.log = log
    }

    /// A seed that no other request has, within 53 bits, so that every reader of JSON keeps it whole.
    func nextSeed() -> UInt64 { mix64(salt ^ seeds.wrappingAdd(1, ordering: .relaxed).newValue) >> 11 }
}

extension QueryMethods {
    /// What `explore` asks for.
    struct ExploreRequest {
        let exploration: Exploration
        let seed: UInt64
    }

    /// Rules about a list as a whole, which a list made place by place does not keep.
    private static let rulesOfLists: [StaticString] = ["offset", "caps", "diversity", "min_score"]

    /// How the request is to be explored; nil for not at all.
    func exploreRequest(_ parameters: JSONRPCParameters) throws(JSONRPCError) -> ExploreRequest? {
        let rule = QueryMethods.rulesOfLists.first { parameters.value($0) != nil }
        guard let value = parameters.value("explore") else {
            let count = try parameters.integer("n", default: 10, in: 1...QueryMethods.countLimit)
            guard rule == nil, count <= Scorer.longestExploration else { return nil }
            return explorer.standard.map { ExploreRequest(exploration: $0, seed: explorer.nextSeed()) }
        }
        guard value.isObject else { throw .invalidParams("params.explore: an object such as {\"method\":\"epsilon\"} is expected") }
        func number(_ name: StaticString, _ standard: Double, _ range: ClosedRange<Double>) throws(JSONRPCError) -> Double {
            guard let given = value[name], !given.isNull else { return standard }
            guard let number = given.double, range.contains(number) else {
                throw .invalidParams("params.explore.\(name): a number from \(range.lowerBound) to \(range.upperBound) is expected")
            }
            return number
        }
        var seed = explorer.nextSeed()
        if let given = value["seed"], !given.isNull {
            guard let own = given.uint64 else { throw .invalidParams("params.explore.seed: an integer from 0 on is expected") }
            seed = own
        }
        switch value["method"]?.string {
        case "none": return nil
        case "epsilon", "thompson":
            if let rule { throw .invalidParams("params.explore: cannot stand beside \(rule)") }
        default: throw .invalidParams("params.explore.method: none, epsilon or thompson is expected")
        }
        if value["method"]?.string == "epsilon" {
            return ExploreRequest(exploration: .epsilon(try number("epsilon", explorer.epsilon, 0...1)), seed: seed)
        }
        return ExploreRequest(exploration: .thompson(scale: try number("scale", explorer.scale, 0...1000)), seed: seed)
    }

    /// Writes an explored list, and notes it. Inside `scorer.reading`.
    func explore(
        _ request: ExploreRequest, _ query: RecommendQuery, model number: Int, asProbability: Bool, position: UInt64, fallback: String?,
        late: Bool, _ parameters: JSONRPCParameters, into writer: inout JSONWriter
    ) throws(JSONRPCError) {
        guard query.count <= Scorer.longestExploration else {
            throw .invalidParams("params.n: \(query.count) items, an explored list has at most \(Scorer.longestExploration)")
        }
        let slate = scorer.explore(model: number, query, by: request.exploration, seed: request.seed)
        explorer.explored.add(1, ordering: .relaxed)
        writer.beginObject()
        write(slate, asProbability: asProbability && !slate.isFallback, model: number, into: &writer)
        write(request, slate, into: &writer)
        if !slate.isSeenComplete { writer.member("seen_complete", false) }
        writeModel(number, &writer)
        writeEnd(position, fallback: fallback, late, &writer)
        if let log = explorer.log { note(request, slate, model: number, position: position, parameters, log) }
    }

    /// `"items":[{"item":…,"score":…,"propensity":…}]`.
    private func write(_ slate: ExploredSlate, asProbability: Bool, model number: Int, into writer: inout JSONWriter) {
        writer.key("items")
        writer.beginArray()
        for place in slate.places {
            writer.beginObject()
            writer.key("item")
            write(engine.items.key(place.item, hashing: engine.hashing), into: &writer)
            writer.key("score")
            writer.value(asProbability ? probability(place.score, model: number) : place.score)
            writer.member("propensity", place.propensity)
            writer.endObject()
        }
        writer.endArray()
    }

    /// `"explore":{…}`: all that the list follows from.
    private func write(_ request: ExploreRequest, _ slate: ExploredSlate, into writer: inout JSONWriter) {
        writer.key("explore")
        writer.beginObject()
        switch request.exploration {
        case .epsilon(let epsilon):
            writer.member("method", "epsilon")
            writer.member("epsilon", epsilon)
        case .thompson(let scale):
            writer.member("method", "thompson")
            writer.member("scale", scale)
        }
        writer.member("seed", request.seed)
        writer.member("candidates", slate.candidates)
        if let propensity = slate.listPropensity { writer.member("list_propensity", propensity) }
        if slate.isEstimated { writer.member("estimated", true) }
        writer.endObject()
    }

    /// One line of the log.
    private func note(
        _ request: ExploreRequest, _ slate: ExploredSlate, model number: Int, position: UInt64, _ parameters: JSONRPCParameters,
        _ log: ExplorationLog
    ) {
        var line = JSONWriter(capacity: 1024)
        line.beginObject()
        line.key("time")
        line.value(WallClock.milliseconds)
        line.member("model", engine.models[number].settings.name)
        for name in ["user", "session"] as [StaticString] {
            guard let value = parameters.value(name) else { continue }
            line.key(name)
            line.value(value)
        }
        line.member("position", position)
        write(request, slate, into: &line)
        write(slate, asProbability: false, model: number, into: &line)
        line.endObject()
        log.append(Array(line.string.utf8))
    }
}
