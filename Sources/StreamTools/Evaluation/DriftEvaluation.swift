public import Factorization

/// How fast a model finds its way when all tastes change at once, and whether the drift alarm tells.
///
/// A simulated stream is learned once with a change in its midst, and once without. HR@10 is the true probability that a
/// user's next event is in the list that the model recommends, over users drawn once, every few events.
public struct DriftEvaluation: Sendable {
    public struct Result: Sendable, Equatable {
        public var model: String
        /// HR@10 before the change: the mean of the last ten measurements.
        public var before = 0.0
        /// The lowest after it.
        public var lowest = 1.0
        /// At the stream's end.
        public var last = 0.0
        /// What the best lists would reach at the end.
        public var ideal = 0.0
        /// Events after the change until the wanted share of `before` is reached; nil when it never is.
        public var regainedAfter: Int?
        /// Events after the change until the first alarm.
        public var alarmAfter: Int?
        /// Alarms before the change.
        public var earlyAlarms = 0
        /// Alarms on the stream without a change.
        public var steadyAlarms = 0
    }

    /// Without `drift`, the steady stream is all there is to it.
    public var simulation: SimulationSettings
    /// Length of the stream; `simulation.driftAt` is within.
    public var events: Int
    /// Events between two measurements.
    public var every: Int
    /// Users whose lists are judged.
    public var users: Int
    /// Share of the earlier HR@10 that counts as regained.
    public var share: Double
    public var depth = 10

    public init(_ simulation: SimulationSettings, events: Int, every: Int = 2000, users: Int = 300, share: Double = 0.95) {
        self.simulation = simulation
        self.events = events
        self.every = every
        self.users = users
        self.share = share
    }

    /// One result a model.
    public func run(_ settings: EngineSettings) throws(StreamToolsError) -> [Result] {
        var settings = settings
        settings.trainers = 1
        var steady = simulation
        steady.drift = nil
        let calm = try learn(steady, settings, measuring: false)
        var results = try learn(simulation, settings, measuring: true)
        for model in results.indices { results[model].steadyAlarms = calm[model].earlyAlarms }
        return results
    }

    private func learn(
        _ simulation: SimulationSettings, _ settings: EngineSettings, measuring: Bool
    ) throws(StreamToolsError) -> [Result] {
        var truth = try Simulation(simulation)
        let engine = Engine(settings: settings), feed = OfflineFeed(engine), scorer = Scorer(engine: engine)
        var source = RandomSource(seed: simulation.seed &+ 1)
        let judged = (0..<users).map { _ in source.below(simulation.users) }
        let change = simulation.drift == nil ? Int.max : simulation.driftAt
        var results = settings.models.map { Result(model: $0.name) }
        var earlier = [[Double]](repeating: [], count: results.count)
        for index in 1...max(events, 1) {
            feed.append(truth.datasetEvent(truth.next()))
            // Often enough that no second alarm hides the first.
            if index % 500 == 0 || index == events {
                feed.flush()
                for model in results.indices { watch(engine.drift(model), change, &results[model]) }
            }
            guard measuring, index % every == 0 || index == events else { continue }
            try Interruption.check()
            feed.flush()
            for model in results.indices {
                let quality = quality(model, judged, truth, engine, scorer)
                if index <= change {
                    earlier[model] = earlier[model].suffix(9) + [quality.hitRate]
                    results[model].before = earlier[model].reduce(0, +) / Double(earlier[model].count)
                    continue
                }
                results[model].lowest = min(results[model].lowest, quality.hitRate)
                results[model].last = quality.hitRate
                results[model].ideal = quality.attainment > 0 ? quality.hitRate / quality.attainment : 0
                if results[model].regainedAfter == nil && quality.hitRate >= share * results[model].before {
                    results[model].regainedAfter = index - change
                }
            }
        }
        return results
    }

    /// Sorts alarms into those before the change and the first after it.
    private func watch(_ drift: DriftReport, _ change: Int, _ result: inout Result) {
        if drift.lastPosition <= UInt64(change) {
            result.earlyAlarms = drift.alarms
        } else if result.alarmAfter == nil && drift.alarms > result.earlyAlarms {
            result.alarmAfter = Int(drift.lastPosition) - change
        }
    }

    private func quality(_ model: Int, _ users: [Int], _ truth: Simulation, _ engine: Engine, _ scorer: Scorer) -> RankingQuality {
        var quality = RankingQuality()
        for user in users {
            quality.add(
                engine.recommended(to: user, model: model, depth: depth, scorer), user: user, count: depth, truth: truth)
        }
        return quality
    }
}

extension Engine {
    /// Ordinals, in a simulation, of the items recommended to one of its users; seen ones are not left out, as the truth does
    /// not leave them out.
    func recommended(to user: Int, model: Int, depth: Int, _ scorer: Scorer) -> [Int] {
        let query = RecommendQuery(user: self.user(Simulation.id(user)), count: depth, excludesSeen: false)
        return scorer.recommend(model: model, query).items.compactMap { scored in
            let key = items.key(scored.item, hashing: hashing)
            return key.isText ? nil : Int(Int64(bitPattern: key.payload)) - 1
        }
    }
}
