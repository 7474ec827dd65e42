public import Factorization

/// What is left of a model when a share of the messages is poison: NaN, ±Inf, ±1e30, denormal numbers, empty records,
/// absurdly many features, in every place where a record has a number.
///
/// The same simulated stream is learned twice, alone and with poison strewn in, and judged against its truth.
public struct PoisonEvaluation: Sendable {
    /// How good a model is after the stream.
    public struct Quality: Sendable, Equatable {
        /// Implicit feedback: HR@10, the true probability that a user's next event is in the recommended list. More is better.
        public var hitRate: Double
        /// Ratings: RMSE of the scores against the true mean ratings. Less is better.
        public var error: Double?
    }

    public struct Result: Sendable, Equatable {
        public var model: String
        public var clean: Quality
        public var poisoned: Quality
        /// Values in the poisoned model that are not finite.
        public var nonFinite: Int
        /// Poison messages sent, and records set aside on the way to the model.
        public var messages: Int
        public var refused: Int
        /// How much of the clean run's quality is lost, 0.02 for two per cent; below 0 where poison did good.
        public var loss: Double {
            if let error = clean.error { return ((poisoned.error ?? .infinity) - error) / error }
            return 1 - poisoned.hitRate / clean.hitRate
        }
    }

    public var simulation: SimulationSettings
    public var events: Int
    /// Poison messages for each event.
    public var share: Double
    /// Users whose lists are judged.
    public var users: Int

    public init(_ simulation: SimulationSettings, events: Int, share: Double = 0.01, users: Int = 300) {
        self.simulation = simulation
        self.events = events
        self.share = share
        self.users = users
    }

    /// One result a model.
    public func run(_ settings: EngineSettings) throws(StreamToolsError) -> [Result] {
        var settings = settings
        settings.trainers = 1
        let clean = try learn(settings, share: 0), poisoned = try learn(settings, share: share)
        return settings.models.indices.map { model in
            Result(
                model: settings.models[model].name, clean: clean.qualities[model], poisoned: poisoned.qualities[model],
                nonFinite: poisoned.nonFinite, messages: poisoned.messages, refused: poisoned.refused)
        }
    }

    private struct Outcome {
        var qualities: [Quality]
        var nonFinite: Int
        var messages = 0
        var refused: Int
    }

    private func learn(_ settings: EngineSettings, share: Double) throws(StreamToolsError) -> Outcome {
        var truth = try Simulation(simulation)
        let engine = Engine(settings: settings), feed = OfflineFeed(engine), scorer = Scorer(engine: engine)
        var random = RandomSource(seed: simulation.seed &+ 7), messages = 0
        for index in 0..<events {
            if index & 1023 == 0 { try Interruption.check() }
            let event = truth.datasetEvent(truth.next())
            feed.append(event)
            if random.unit() < share {
                feed.append(message: PoisonMessages.message(messages, user: event.user, item: event.item))
                messages += 1
            }
        }
        feed.flush()
        let qualities = engine.models.indices.map { model in quality(model, truth, engine, scorer) }
        let refused = feed.rejected + engine.sequencer.refusals.reduce(0) { $0 + $1.count }
        return Outcome(qualities: qualities, nonFinite: engine.nonFiniteValues(), messages: messages, refused: refused)
    }

    private func quality(_ model: Int, _ truth: Simulation, _ engine: Engine, _ scorer: Scorer) -> Quality {
        var lists = RankingQuality(), squares = 0.0, pairs = 0
        var random = RandomSource(seed: simulation.seed &+ 3)
        for _ in 0..<users {
            let user = random.below(simulation.users)
            lists.add(engine.recommended(to: user, model: model, depth: 10, scorer), user: user, count: 10, truth: truth)
            guard simulation.feedback == .ratings else { continue }
            let items = (0..<50).map { _ in truth.sample(user: user, using: &random) }
            let scores = scorer.score(
                model: model, user: engine.user(Simulation.id(user)), items: items.map { engine.item(Simulation.id($0)) })
            for (item, score) in zip(items, scores) {
                let error = Double(min(5, max(1, score))) - truth.relevance(user: user, item: item)
                squares += score.isFinite ? error * error : .infinity
                pairs += 1
            }
        }
        return Quality(hitRate: lists.hitRate, error: pairs > 0 ? (squares / Double(pairs)).squareRoot() : nil)
    }
}
