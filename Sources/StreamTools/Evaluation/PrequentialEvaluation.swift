public import Factorization
import LinuxSystem

/// Test-then-train over a sequence of events (Dawid 1984): each event is first predicted by the rows as they are, then
/// learned, once, in order.
public struct PrequentialEvaluation: Sendable {
    /// What one model made of the sequence.
    public struct Result: Sendable, Equatable {
        /// The model's name; "popularity" for the yardstick that counts items and knows no tastes.
        public var model: String
        /// Loss and AUC of the engine's own prequential metrics: for squared loss the RMSE with predictions limited to the
        /// range of the labels seen so far (1…5 for ratings). Nil for the yardstick.
        public var report: PrequentialReport?
        /// Share of events whose item was among the `depth` recommended just before; nil where not asked for.
        public var recall: Double?
        public var drift: DriftReport?
        public var eventsPerSecond: Double
    }

    /// How users' and items' columns enter.
    public enum Side: String, Sendable, CaseIterable {
        /// As attributes: an upsert just before an entity's first event. Item attributes need a kind that takes them.
        case attributes
        /// As context features of each event: for any kind, and for predictions only, since a recommendation has no item yet.
        case context
    }

    public var events: [DatasetEvent]
    public var users: SideFeatures?
    public var items: SideFeatures?
    public var side: Side
    /// Length of the recommended lists, 0 for none. Candidates are the items seen so far without the user's own.
    public var depth: Int

    public init(
        events: [DatasetEvent], users: SideFeatures? = nil, items: SideFeatures? = nil, side: Side = .attributes, depth: Int = 0
    ) {
        self.events = events
        self.users = users
        self.items = items
        self.side = side
        self.depth = depth
    }

    /// Reads the events of a file that meet a condition.
    /// - Throws: as `DatasetReader`; `unknownFormat` for JSON records that are no plain events.
    public static func events(
        path: String, options: DatasetOptions, where condition: EventCondition? = nil
    ) throws(StreamToolsError) -> [DatasetEvent] {
        let reader = try DatasetReader(path: path, options: options), lines = JSONEventReader()
        var events: [DatasetEvent] = []
        while let record = try reader.next() {
            let event: DatasetEvent
            switch record {
            case .event(let plain): event = plain
            case .json(let line):
                guard let plain = lines.plainEvent(line) else {
                    throw .malformedLine(path: path, line: reader.lineNumber, reason: "no plain event of user and item")
                }
                event = plain
            }
            if condition?.holds(event) ?? true { events.append(event) }
        }
        return events
    }

    /// Runs every model of an engine with these settings over the sequence; one result a model.
    public func run(_ settings: EngineSettings) -> [Result] {
        var settings = settings
        settings.trainers = 1
        let engine = Engine(settings: settings)
        let feed = OfflineFeed(engine, messageSize: depth > 0 ? 1 : 500)
        let scorer = Scorer(engine: engine)
        var hits = [Int](repeating: 0, count: engine.models.count)
        var knownUsers: Set<EventID> = [], knownItems: Set<EventID> = []
        let start = MonotonicClock.nanoseconds
        for event in events {
            for model in hits.indices where depth > 0 && isHit(event, model, engine, scorer) { hits[model] += 1 }
            if side == .attributes {
                if let users, knownUsers.insert(event.user).inserted, let record = users.record(event.user) { feed.append(json: record) }
                if let items, knownItems.insert(event.item).inserted, let record = items.record(event.item) { feed.append(json: record) }
            }
            feed.append(described(event))
        }
        feed.flush()
        let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
        return engine.models.indices.map { model in
            Result(
                model: settings.models[model].name, report: engine.prequential(model),
                recall: depth > 0 ? share(hits[model]) : nil, drift: engine.drift(model),
                eventsPerSecond: Double(events.count) / seconds)
        }
    }

    /// Recall of the most popular items so far, under the same rules.
    public func popularity() -> Result {
        var popular = PopularItems(), own: [EventID: Set<EventID>] = [:], hits = 0
        let start = MonotonicClock.nanoseconds
        for event in events {
            let seen = own[event.user] ?? []
            if popular.top(depth, excluding: seen).contains(event.item) { hits += 1 }
            own[event.user, default: []].insert(event.item)
            popular.count(event.item)
        }
        let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
        return Result(model: "popularity", recall: share(hits), eventsPerSecond: Double(events.count) / seconds)
    }

    private func share(_ hits: Int) -> Double { Double(hits) / Double(max(events.count, 1)) }

    /// Whether the event's item is among the recommended before the event is learned.
    private func isHit(_ event: DatasetEvent, _ model: Int, _ engine: Engine, _ scorer: Scorer) -> Bool {
        let item = engine.item(event.item)
        guard item != Placement.none else { return false }
        let features = engine.features(described(event).context)
        let query = RecommendQuery(user: engine.user(event.user), features: features, count: depth)
        return scorer.recommend(model: model, query).items.contains { $0.item == item }
    }

    private func described(_ event: DatasetEvent) -> DatasetEvent {
        guard side == .context, users != nil || items != nil else { return event }
        var event = event
        event.context += (users?[event.user] ?? []) + (depth > 0 ? [] : items?[event.item] ?? [])
        return event
    }
}
