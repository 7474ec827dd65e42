import Synchronization

/// What an engine is made of.
public struct EngineSettings: Sendable {
    public var models: [ModelSettings]
    /// Rules of event types by name, and of all others.
    public var eventTypes: [String: TypeRule]
    public var otherEvents: TypeRule
    /// Trainer threads, 1…64.
    public var trainers: Int
    /// Threads that scan a large catalogue for one request, that of the request included.
    public var scorers = 1
    /// Records that wait for a trainer at most; a power of two. Enough for what a trainer learns, and a receiver brings, while the other
    /// waits for a processor, which may be some milliseconds: threads that share few processors stand idle at a shorter queue.
    public var queueCapacity: Int
    /// Newest items held in order for each user, and items remembered as seen.
    public var historyLength: Int
    public var seenLimit: Int
    /// Events after which an interaction counts half in the frequencies of users and items; 0 for never, else 1000 at least.
    public var popularityHalfLife = 0
    /// Interactions that the window of recent items reaches back, 1 at least.
    public var recentSpan = 1_000_000
    /// Past interactions kept to be learned again, of all user shards together; 0 for none. And how many with each event.
    public var replayCapacity = 0
    public var replaysPerEvent = 1
    /// Bytes that both may take for all users.
    public var historyBudget = 256 << 20
    /// What tables may take.
    public var memory = MemorySettings()
    /// Which two models are compared; nil for none.
    public var comparison: ComparisonSettings?
    /// Keys the hashing of ids; does not influence what is learned, but for which rare ids get a row near the budget.
    public var hashSeed: UInt64

    public init(
        models: [ModelSettings] = [ModelSettings()], eventTypes: [String: TypeRule] = [:], otherEvents: TypeRule = TypeRule(),
        trainers: Int = 1, queueCapacity: Int = 65_536, historyLength: Int = 100, seenLimit: Int = 10_000, hashSeed: UInt64 = 0
    ) {
        self.models = models
        self.eventTypes = eventTypes
        self.otherEvents = otherEvents
        self.trainers = trainers
        self.queueCapacity = queueCapacity
        self.historyLength = historyLength
        self.seenLimit = seenLimit
        self.hashSeed = hashSeed
    }
}

/// The learning machine without its surroundings: tables, models, one sequencer, trainers. It starts no threads, reads no
/// clock and does no I/O; the server gives it threads, the tests call it directly.
public final class Engine: Sendable {
    public let settings: EngineSettings
    public let models: [Model]
    public let sequencer: Sequencer
    public let trainers: [Trainer]
    /// Readers of the tables register here, one ticket a thread.
    public let epochs: ReaderEpochs
    /// Decoders make keys with this.
    public let hashing: KeyHash
    /// Ids by side.
    public let users: EntityTable
    public let items: EntityTable
    public let contexts: EntityTable
    /// Attributes of users and of items, by (field, value).
    public let userAttributes: EntityTable
    public let itemAttributes: EntityTable
    /// Names of context fields.
    public let fields: Fields
    /// Helpers of scorers.
    public let team: ScanTeam
    let shared: SharedState
    /// Sums of what was applied before the state was taken up, by model.
    let witnessBases: [WitnessBase]

    public init(settings: EngineSettings, kernels: Kernels = .best) {
        precondition((1...Placement.shardCount).contains(settings.trainers), "trainers are 1 to \(Placement.shardCount)")
        precondition((1...ScanTeam.mostScorers).contains(settings.scorers), "scorers are 1 to \(ScanTeam.mostScorers)")
        precondition(!settings.models.isEmpty, "an engine has at least one model")
        self.settings = settings
        let shared = SharedState(settings: settings)
        self.shared = shared
        models = settings.models.map { Model(settings: $0, kernels: kernels, attributes: shared.attributes) }
        if RowKeeper.gathersEarly(settings, models: models) {
            for model in models {
                model.users.gatherEarly()
                model.items.gatherEarly()
            }
        }
        let queues = (0..<settings.trainers).map { _ in TrainerQueue(capacity: settings.queueCapacity) }
        sequencer = Sequencer(
            shared: shared, models: models, queues: queues, keeper: RowKeeper(settings, shared: shared, models: models))
        let models = models
        witnessBases = models.map { _ in WitnessBase() }
        trainers = queues.enumerated().map {
            Trainer(index: $0, of: settings.trainers, queue: $1, models: models, shared: shared, replaysPerEvent: settings.replaysPerEvent)
        }
        sequencer.trainers = trainers
        if let comparison = settings.comparison {
            for trainer in trainers { trainer.comparison = Comparison(comparison, models: models) }
        }
        epochs = shared.epochs
        team = ScanTeam(helpers: settings.scorers - 1, epochs: shared.epochs, width: models.reduce(0) { max($0, $1.width) })
        hashing = shared.hashing
        users = shared.users
        items = shared.items
        contexts = shared.contexts
        userAttributes = shared.attributes.users.features
        itemAttributes = shared.attributes.items.features
        fields = shared.fields
    }

    /// Floats of the longest item row of any model, without tails.
    var widest: Int { models.reduce(0) { max($0, $1.width) } }

    /// The highest position P such that every event up to P is applied.
    public var appliedPosition: UInt64 {
        let last = sequencer.lastPosition
        return trainers.reduce(last) { min($0, $1.appliedPosition) }
    }

    /// Prequential quality of a model, over all trainers.
    public func prequential(_ model: Int) -> PrequentialReport {
        let each = trainers.map { $0.learners[model].prequential }
        let window = each.reduce([Double](repeating: 0, count: PrequentialWindow.shownCount)) { zip($0, $1.publishedWindow).map(+) }
        return PrequentialReport(
            each.map(\.published).reduce(Prequential.Sums(), +), window: window, loss: models[model].settings.loss)
    }

    /// Alarms of a model's prequential loss, over all trainers.
    public func drift(_ model: Int) -> DriftReport {
        trainers.map { $0.learners[model].prequential.publishedDrift }.reduce(DriftReport(alarms: 0, lastPosition: 0)) {
            DriftReport(alarms: $0.alarms + $1.alarms, lastPosition: max($0.lastPosition, $1.lastPosition))
        }
    }

    /// Row updates of a model since the start, over all trainers: what an event costs.
    public func rowUpdates(_ model: Int) -> Int {
        trainers.reduce(0) { $0 + $1.learners[model].rowUpdates.load(ordering: .relaxed) }
    }

    /// Steps cut by a cap and items rejected for a score that was not finite, of a model.
    public func caps(_ model: Int) -> (clipped: Int, rejected: Int) {
        trainers.reduce((0, 0)) {
            ($0.0 + $1.learners[model].clipped.load(ordering: .relaxed), $0.1 + $1.learners[model].rejected.load(ordering: .relaxed))
        }
    }

    /// What the replay reservoir holds and has taught, over all trainers.
    public var replay: ReplayReport {
        let reservoir = shared.replay
        return ReplayReport(
            capacity: (reservoir?.places ?? 0) * Placement.shardCount, held: reservoir?.held ?? 0,
            replayed: trainers.reduce(0) { $0 + $1.replayed.load(ordering: .relaxed) }, bytes: reservoir?.bytes ?? 0)
    }

    /// Bytes of users' histories and seen sets in use, of which the budget speaks, and items left out for want of it.
    public var histories: (held: Int, dropped: Int) { (shared.userItems.held, shared.userItems.dropped) }

    /// Users' rows that were stale and were folded anew, lastingly, of a model.
    public func refolded(_ model: Int) -> Int {
        trainers.reduce(0) { $0 + $1.learners[model].refolded.load(ordering: .relaxed) }
    }

    /// Users' rows that were re-solved, of a model.
    public func refined(_ model: Int) -> Int {
        trainers.reduce(0) { $0 + $1.learners[model].refined.load(ordering: .relaxed) }
    }

    /// Bytes of ids, of users' histories and everybody's attributes, and of all rows.
    public var bytes: (ids: Int, userItems: Int, rows: Int) {
        (
            sides.reduce(shared.recent.bytes) { $0 + $1.table.bytes },
            shared.userItems.bytes + shared.attributes.users.bytes + shared.attributes.items.bytes,
            models.reduce(0) { $0 + $1.bytes }
        )
    }

    /// Takes a whole batch and applies it on the calling thread: for tests, benchmarks and offline runs, where no other
    /// thread is sequencer or trainer.
    public func learnNow(_ batch: EventBatch) {
        var index = 0
        while index < batch.recordCount {
            index = sequencer.take(batch, from: index)
            for trainer in trainers { _ = trainer.drain() }
        }
    }
}
