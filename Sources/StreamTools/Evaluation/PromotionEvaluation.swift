public import Factorization

/// How often a model is promoted over another that it is better than, no better than, or far worse than, on simulated streams.
///
/// Each seed is a stream and a pair of models of its own. The test is looked at again and again, and the first time that it decides
/// ends the seed, as automatic promotion would.
public struct PromotionEvaluation: Sendable {
    /// A challenger, beside a champion that learns as the configuration says.
    public enum Challenger: String, Sendable, CaseIterable {
        /// The champion learns at a quarter of the configured rates, the challenger at all of them.
        case better
        /// Both alike, but for first factors and negatives.
        case alike
        /// Learns nothing: all rates are 0.
        case idle
        /// Steps a hundred times too far.
        case wild
        /// Steps the wrong way.
        case opposed
    }

    public struct Result: Sendable, Equatable {
        public var challenger: Challenger
        public var seeds = 0
        /// Seeds in which it was promoted, and after how many events each.
        public var promotedAfter: [Int] = []
        /// By how much the champion's loss is above, of the cap; mean over seeds of the value at the end.
        public var difference = 0.0

        /// Events until half of the promotions had come.
        public var median: Int? { promotedAfter.isEmpty ? nil : promotedAfter.sorted()[promotedAfter.count / 2] }
    }

    public var simulation: SimulationSettings
    /// Length of each stream.
    public var events: Int
    /// Events between two looks.
    public var every: Int
    public var alpha: Double
    public var minimumEvents: Int
    public var measure: ComparisonSettings.Measure

    public init(
        _ simulation: SimulationSettings, events: Int, every: Int = 100, alpha: Double = 0.01, minimumEvents: Int = 1000,
        measure: ComparisonSettings.Measure = .loss
    ) {
        self.simulation = simulation
        self.events = events
        self.every = every
        self.alpha = alpha
        self.minimumEvents = minimumEvents
        self.measure = measure
    }

    /// Runs one challenger on the streams of several seeds.
    public func run(_ challenger: Challenger, _ settings: EngineSettings, seeds: Range<UInt64>) throws(StreamToolsError) -> Result {
        var result = Result(challenger: challenger)
        for seed in seeds {
            let (promotedAfter, difference) = try run(challenger, settings, seed: seed)
            result.seeds += 1
            if let promotedAfter { result.promotedAfter.append(promotedAfter) }
            result.difference += (difference - result.difference) / Double(result.seeds)
        }
        return result
    }

    private func run(
        _ challenger: Challenger, _ settings: EngineSettings, seed: UInt64
    ) throws(StreamToolsError) -> (promotedAfter: Int?, difference: Double) {
        var simulation = simulation, settings = settings
        simulation.seed = seed
        settings.trainers = 1
        settings.models = PromotionEvaluation.pair(challenger, settings.models[0], seed: seed)
        settings.comparison = ComparisonSettings(model: 1, against: 0, measure: measure)
        var truth = try Simulation(simulation)
        let engine = Engine(settings: settings), feed = OfflineFeed(engine)
        for index in 1...max(events, 1) {
            feed.append(truth.datasetEvent(truth.next()))
            guard index % every == 0 || index == events else { continue }
            feed.flush()
            try Interruption.check()
            let test = engine.comparison ?? SequentialTest()
            if test.events >= UInt64(minimumEvents), test.isDecided(alpha: alpha) { return (index, test.mean) }
        }
        return (nil, engine.comparison?.mean ?? 0)
    }

    private static func pair(_ challenger: Challenger, _ settings: ModelSettings, seed: UInt64) -> [ModelSettings] {
        var champion = settings, other = settings
        champion.name = "champion"
        other.name = challenger.rawValue
        champion.seed = seed
        other.seed = seed
        switch challenger {
        case .better: champion.scaleRates(by: 0.25)
        case .alike: other.seed = seed &+ 1 << 32
        case .idle: other.scaleRates(by: 0)
        case .wild: other.scaleRates(by: 100)
        case .opposed: other.scaleRates(by: -1)
        }
        return [champion, other]
    }
}

extension ModelSettings {
    fileprivate mutating func scaleRates(by factor: Float) {
        for rate in [\ModelSettings.rates.user, \.rates.item, \.rates.context, \.rates.weight, \.rates.history, \.rates.attribute, \.globalRate] {
            self[keyPath: rate] *= factor
        }
    }
}
