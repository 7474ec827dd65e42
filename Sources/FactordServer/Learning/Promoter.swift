import Factorization
import LinuxSystem
import Logging
import Persistence
import Synchronization

/// Promotes the model that was shown to be better: on request, or by itself where it may.
///
/// The test can be looked at at any time, so that once a second is as good as after every event. What is decided becomes a record of
/// the journal: a start applies the record and decides nothing again.
final class Promoter: Service {
    /// What speaks for a promotion.
    struct Evidence: Sendable {
        /// Names: who is to be promoted, and whom it has to beat.
        var model: String
        var against: String
        var measure: ComparisonSettings.Measure
        /// Of whether `model` is better.
        var test: SequentialTest
        var alpha: Double
        var minimumEvents: Int
        /// Whether `against` answers by default.
        var isChallenge: Bool

        /// Whether the model may be promoted.
        var isEnough: Bool { isChallenge && test.events >= UInt64(minimumEvents) && test.isDecided(alpha: alpha) }
        /// ln of the evidence that decides.
        var needed: Double { SequentialTest.logNeeded(alpha: alpha) }
    }

    enum Refusal: Error, CustomStringConvertible {
        case unknown(String, known: [String])
        case answersAlready(String)
        case notCompared(String, answering: String)
        case notEnough(Evidence)

        var description: String {
            switch self {
            case .unknown(let name, let known): "no model \(name); there is \(known.joined(separator: ", "))"
            case .answersAlready(let name): "\(name) answers by default already"
            case .notCompared(let name, let answering):
                "\(name) is not compared with \(answering), which answers by default: set promotion.model and promotion.against, or use force"
            case .notEnough(let evidence): "not shown to be better: \(evidence)"
            }
        }
    }

    let name = "promoter"
    private let engine: Engine
    private let ingest: Ingest
    private let journal: JournalKeeper?
    private let settings: Configuration.Promotion
    private let log: Logger
    /// One promotion at a time, and its batch.
    private let turn: Lock<Handover<EventBatch>>
    private let thread: ServiceThread
    /// Promotions of this process that nobody asked for.
    let automatic = Atomic<Int>(0)

    init(_ settings: Configuration.Promotion, engine: Engine, ingest: Ingest, journal: JournalKeeper?, log: Logger) throws(SystemError) {
        self.settings = settings
        self.engine = engine
        self.ingest = ingest
        self.journal = journal
        self.log = log
        turn = Lock(Handover(EventBatch(recordCapacity: 1, featureCapacity: 1, textCapacity: Key.longestText, messageCapacity: 1)))
        thread = try ServiceThread()
    }

    // MARK: For anyone

    /// The evidence for the one of the two compared models that does not answer by default; nil where none is compared.
    var evidence: Evidence? {
        guard let comparison = engine.settings.comparison, let test = engine.comparison else { return nil }
        let answering = engine.answering
        // After a promotion the two have changed places.
        let isReversed = answering == comparison.model
        let model = isReversed ? comparison.against : comparison.model
        let other = isReversed ? comparison.model : comparison.against
        return Evidence(
            model: engine.models[model].settings.name, against: engine.models[other].settings.name, measure: comparison.measure,
            test: isReversed ? test.reversed : test, alpha: Double(settings.alpha), minimumEvents: settings.minimumEvents,
            isChallenge: other == answering)
    }

    /// Makes a model the one that answers by default, once that is durable.
    /// - Parameter force: whether without evidence, too.
    /// - Returns: the position of the promotion, and the evidence so far.
    func promote(_ name: String, force: Bool) throws -> (position: UInt64, evidence: Evidence?) {
        try turn.withLock { batch in
            let names = engine.models.map(\.settings.name)
            guard let model = names.firstIndex(of: name) else { throw Refusal.unknown(name, known: names) }
            guard model != engine.answering else { throw Refusal.answersAlready(name) }
            let evidence = evidence.flatMap { $0.model == name ? $0 : nil }
            if !force {
                guard let evidence, evidence.isChallenge else { throw Refusal.notCompared(name, answering: names[engine.answering]) }
                guard evidence.isEnough else { throw Refusal.notEnough(evidence) }
            }
            let position = try take(name, batch.value)
            log.notice(
                "a model was promoted",
                metadata: ["model": "\(name)", "position": "\(position)", "evidence": "\(evidence.map(\.description) ?? "none")", "forced": "\(force)"])
            return (position, evidence)
        }
    }

    private func take(_ name: String, _ batch: EventBatch) throws(PersistenceError) -> UInt64 {
        batch.reset()
        _ = batch.appendPromotion(of: name, hashing: engine.hashing)
        _ = ingest.take(batch)
        let position = engine.promotedAt
        if let journal { try journal.makeDurable(journal.place) }
        return position
    }

    // MARK: Service

    func start() throws {
        guard settings.automatic else { return }
        try thread.start(name) { [self] in watch() }
    }

    func stop() { thread.stop() }

    private func watch() {
        while !thread.isStopping {
            thread.sleep(milliseconds: 1000)
            guard let evidence, evidence.isEnough else { continue }
            do {
                _ = try promote(evidence.model, force: false)
                automatic.add(1, ordering: .relaxed)
            } catch {
                log.error("no promotion; it is tried again in a second: see to what the error names", metadata: ["model": "\(evidence.model)", "error": "\(error)"])
            }
        }
    }
}

extension Promoter.Evidence: CustomStringConvertible {
    var description: String {
        let events = "\(test.events) events compared, of \(minimumEvents) at least"
        let strength = "ln of the evidence \(Promoter.shown(test.logEvidence)), \(Promoter.shown(needed)) needed for alpha \(alpha)"
        return "\(model) against \(against), \(events); the loss of \(against) is above by \(Promoter.shown(test.mean)) of the cap; \(strength)"
    }
}

extension Promoter {
    /// Four decimals.
    static func shown(_ number: Double) -> String { "\((number * 10_000).rounded() / 10_000)" }
}
