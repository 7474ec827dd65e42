public import Factorization
import LinuxSystem

/// Test-then-train over a sequence of records (Dawid 1984): each event is first predicted by the rows as they are, then
/// learned, once, in order. With a share held out, the last events are predicted and not learned.
public struct PrequentialEvaluation: Sendable {
    /// What one model made of the sequence.
    public struct Result: Sendable {
        /// The model's name; "popularity" for the yardstick that counts items and knows no tastes.
        public var model: String
        /// The engine's own prequential metrics, as a daemon's `stats` tells them. Nil for the yardstick.
        public var report: PrequentialReport?
        /// The same and more, by event type and part of the stream; of the events held out, where some are.
        public var quality: QualityReport?
        /// Share of ranked events whose item was among the recommended; nil where no lists were asked for.
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

    /// Events are ranked just before they are learned.
    public struct Ranking: Sendable, Equatable {
        /// Length of the list.
        public var depth: Int
        /// One of so many events.
        public var every: Int
        /// How many drawn items, that the user has not touched, an event's item is ranked among. Nil: the whole catalogue so far
        /// without the user's own, as a recommendation has it.
        public var others: Int?

        public init(depth: Int = 10, every: Int = 1, others: Int? = nil) {
            self.depth = depth
            self.every = max(1, every)
            self.others = others
        }
    }

    /// A record and its place in the sequence.
    struct Placed: Sendable {
        var record: DatasetRecord
        var part: Int
        var isRanked: Bool
    }

    public var records: [DatasetRecord]
    public var users: SideFeatures?
    public var items: SideFeatures?
    public var side: Side
    public var ranking: Ranking?
    /// Parts of the stream that are told apart.
    public var parts = 20
    /// Share of the events, the last ones, that are predicted and not learned; then only these are judged.
    public var heldOut = 0.0
    /// Share of the events, the first ones, that are learned and not judged.
    public var unjudged = 0.0

    /// - Parameter depth: length of the recommended lists before each event, 0 for none.
    public init(
        events: [DatasetEvent], users: SideFeatures? = nil, items: SideFeatures? = nil, side: Side = .attributes, depth: Int = 0
    ) {
        self.init(
            records: events.map(DatasetRecord.event), users: users, items: items, side: side,
            ranking: depth > 0 ? Ranking(depth: depth) : nil)
    }

    public init(
        records: [DatasetRecord], users: SideFeatures? = nil, items: SideFeatures? = nil, side: Side = .attributes, ranking: Ranking? = nil
    ) {
        self.records = records
        self.users = users
        self.items = items
        self.side = side
        self.ranking = ranking
    }

    /// The events among the records.
    public var events: [DatasetEvent] { records.compactMap { if case .event(let event) = $0 { event } else { nil } } }

    /// Reads the records of a file, or of a daemon's journal. Events of JSON lines become plain ones where they can; other records
    /// go to the models as they stand.
    /// - Parameter condition: which events take part.
    /// - Throws: as `DatasetReader` and `JournalRecords`.
    public static func records(
        path: String, options: DatasetOptions, where condition: EventCondition? = nil
    ) throws(StreamToolsError) -> [DatasetRecord] {
        var records: [DatasetRecord] = []
        func add(_ record: DatasetRecord) {
            if case .event(let event) = record, let condition, !condition.holds(event) { return }
            records.append(record)
        }
        if JournalRecords.isJournal(path) {
            let reader = try JournalRecords(path)
            while let record = try reader.nextRecord() { add(record) }
            return records
        }
        let reader = try DatasetReader(path: path, options: options), lines = JSONEventReader()
        while let record = try reader.next() {
            if case .json(let line) = record, let plain = lines.plainEvent(line) { add(.event(plain)) } else { add(record) }
        }
        return records
    }

    /// Runs every model of an engine with these settings over the sequence; one result a model.
    public func run(_ settings: EngineSettings) -> [Result] { run([settings])[0] }

    /// The same for several engines side by side, in one pass over the sequence; for each its models' results.
    /// - Parameter progress: called now and then with the place in the sequence and its length.
    public func run(_ settings: [EngineSettings], progress: (Int, Int) -> Void = { _, _ in }) -> [[Result]] {
        let lanes = settings.map { EvaluationLane(self, $0) }
        let placed = placed(), learned = heldOut > 0 ? placed.firstIndex { $0.part >= 0 } ?? placed.count : placed.count
        for (range, isHeldOut) in [(0..<learned, false), (learned..<placed.count, true)] {
            for start in stride(from: range.lowerBound, to: range.upperBound, by: 500) {
                progress(start, placed.count)
                for lane in lanes { lane.take(placed[start..<min(start + 500, range.upperBound)], isHeldOut: isHeldOut) }
            }
        }
        return lanes.map { $0.results() }
    }

    /// The first event that is judged.
    private func firstJudged(of count: Int) -> Int {
        heldOut > 0 ? count - Int((Double(count) * heldOut).rounded()) : Int((Double(count) * unjudged).rounded())
    }

    /// Records with their parts: of the events judged, equal parts in order; −1 for those before.
    func placed() -> [Placed] {
        let count = records.reduce(0) { if case .event = $1 { $0 + 1 } else { $0 } }
        let first = firstJudged(of: count)
        let judged = max(1, count - first)
        var event = 0
        return records.map { record in
            guard case .event = record else {
                return Placed(record: record, part: event < first ? -1 : min(parts - 1, (event - first) * parts / judged), isRanked: false)
            }
            defer { event += 1 }
            guard event >= first else { return Placed(record: record, part: -1, isRanked: false) }
            return Placed(record: record, part: (event - first) * parts / judged, isRanked: ranking.map { (event - first) % $0.every == 0 } ?? false)
        }
    }

    /// Recall of the most popular items so far, under the same rules; for lists of the whole catalogue.
    public func popularity() -> Result {
        var popular = PopularItems(), own: [EventID: Set<EventID>] = [:], quality = RankingMetrics()
        let depth = ranking?.depth ?? 10, every = ranking?.every ?? 1
        let start = MonotonicClock.nanoseconds
        let events = events, first = firstJudged(of: events.count)
        for (number, event) in events.enumerated() {
            let seen = own[event.user] ?? []
            if number >= first, (number - first) % every == 0 { quality.add(rank: popular.top(depth, excluding: seen).firstIndex(of: event.item)) }
            if heldOut > 0, number >= first { continue }
            own[event.user, default: []].insert(event.item)
            popular.count(event.item)
        }
        let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
        var report = QualityReport(loss: .logistic, parts: 1)
        report.all.ranking = quality
        return Result(
            model: "popularity", quality: report, recall: quality.hitRate, eventsPerSecond: Double(events.count) / max(seconds, 1e-9))
    }

    func described(_ event: DatasetEvent) -> DatasetEvent {
        guard side == .context, users != nil || items != nil else { return event }
        var event = event
        event.context += (users?[event.user] ?? []) + (ranking != nil ? [] : items?[event.item] ?? [])
        return event
    }
}
