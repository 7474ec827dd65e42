public import Factorization

/// How items that nobody has touched yet are ranked when they first appear.
///
/// A share of the items is hidden: their events are left out of the stream's first part. In the rest, each of a hidden
/// item's first events is ranked just before it is learned, among items that the user never touches: HR@10, ties against the
/// model. Beside each of them one event of a known item is ranked the same way, as the mark to reach.
public struct ColdStart: Sendable {
    public struct Settings: Sendable {
        /// Share of the items that is hidden.
        public var hidden = 0.1
        /// Part of the stream without them.
        public var until = 0.8
        /// Events of each hidden item that are judged.
        public var firstEvents = 10
        /// Items to rank against.
        public var others = 99
        /// Draws the hidden items and those to rank against.
        public var seed: UInt64 = 1

        public init() {}
    }

    /// Share of cases whose item was among the ten best.
    public struct HitRate: Sendable, Equatable {
        public private(set) var cases = 0
        public private(set) var hits = 0
        public var value: Double { Double(hits) / Double(max(cases, 1)) }

        mutating func add(_ isHit: Bool) {
            cases += 1
            if isHit { hits += 1 }
        }
    }

    public struct Result: Sendable, Equatable {
        public var model: String
        /// On a hidden item's very first event, and on all of its first events.
        public var atFirst = HitRate()
        public var early = HitRate()
        /// On events of items known from before.
        public var known = HitRate()
    }

    public let settings: Settings
    private let stream: InteractionFile
    /// Index of the first event of the second part.
    private let cut: Int
    /// The hidden items.
    public let hidden: Set<Int64>
    private let catalogue: [Int64]
    private let touched: [Int64: Set<Int64>]

    public init(_ stream: InteractionFile, _ settings: Settings = Settings()) {
        self.stream = stream
        self.settings = settings
        cut = Int(Double(stream.pairs.count) * settings.until)
        var random = RandomSource(seed: settings.seed)
        catalogue = Set(stream.pairs.map(\.item)).sorted()
        hidden = Set(catalogue.shuffled(using: &random).prefix(Int(Double(catalogue.count) * settings.hidden)))
        var touched: [Int64: Set<Int64>] = [:]
        for pair in stream.pairs { touched[pair.user, default: []].insert(pair.item) }
        self.touched = touched
    }

    /// Passes the stream once; one result a model.
    /// - Parameter items: attributes, told just before a known item's first event, and of all hidden items at the end of the
    ///   first part. Nil tells none.
    public func run(_ settings: EngineSettings, attributes items: SideFeatures?) -> [Result] {
        var settings = settings
        settings.trainers = 1
        let engine = Engine(settings: settings), feed = OfflineFeed(engine), scorer = Scorer(engine: engine)
        var results = settings.models.map { Result(model: $0.name) }
        var described: Set<Int64> = [], events: [Int64: Int] = [:]
        var random = RandomSource(seed: self.settings.seed &+ 1)
        func describe(_ item: Int64) {
            if let items, described.insert(item).inserted, let record = items.record(.integer(item)) { feed.append(json: record) }
        }
        // A known item's event is judged after each hidden one's.
        var knownToJudge = 0
        for (index, pair) in stream.pairs.enumerated() {
            if index == cut { for item in hidden.sorted() { describe(item) } }
            let isHidden = hidden.contains(pair.item)
            if index < cut && isHidden { continue }
            let number = isHidden ? events[pair.item, default: 0] : 0
            if index >= cut && (isHidden ? number < self.settings.firstEvents : knownToJudge > 0) {
                feed.flush()
                let ranked = [pair.item] + others(pair.user, &random)
                for model in results.indices {
                    let isHit = ranks(ranked, user: pair.user, engine, scorer, model)
                    if isHidden { results[model].early.add(isHit) } else { results[model].known.add(isHit) }
                    if isHidden && number == 0 { results[model].atFirst.add(isHit) }
                }
                knownToJudge += isHidden ? 1 : -1
            }
            if isHidden { events[pair.item] = number + 1 } else { describe(pair.item) }
            feed.append(DatasetEvent(user: .integer(pair.user), item: .integer(pair.item)))
        }
        return results
    }

    private func others(_ user: Int64, _ random: inout RandomSource) -> [Int64] {
        let own = touched[user]!
        var others: Set<Int64> = []
        let count = min(settings.others, catalogue.count - own.count)
        var drawn: [Int64] = []
        while drawn.count < count {
            let item = catalogue[random.below(catalogue.count)]
            if !own.contains(item) && others.insert(item).inserted { drawn.append(item) }
        }
        return drawn
    }

    private func ranks(_ items: [Int64], user: Int64, _ engine: Engine, _ scorer: Scorer, _ model: Int) -> Bool {
        let scores = scorer.score(
            model: model, user: engine.user(.integer(user)), items: items.map { engine.item(.integer($0)) })
        return scores.dropFirst().count { $0 >= scores[0] || !scores[0].isFinite } < 10
    }
}
