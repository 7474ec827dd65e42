public import Factorization
import LinuxSystem

/// One configuration in an evaluation: an engine of its own that meets the same records as all others.
final class EvaluationLane {
    private let evaluation: PrequentialEvaluation
    private let settings: EngineSettings
    private let engine: Engine
    private let feed: OfflineFeed
    private let scorer: Scorer
    private let traces: [PrequentialTrace]
    private var reports: [QualityReport]
    private var listed: [Set<UInt32>]
    private var knownUsers: Set<EventID> = []
    private var knownItems: Set<EventID> = []
    /// Items of each user so far: what a sampled list leaves out.
    private var own: [EventID: Set<UInt32>] = [:]
    private var random = RandomSource(seed: 11)
    /// Part of the stream that each waiting record belongs to, in the order in which they were fed.
    private var waitingParts: [Int] = []
    private var nanoseconds: Int64 = 0
    private var events = 0

    init(_ evaluation: PrequentialEvaluation, _ settings: EngineSettings) {
        self.evaluation = evaluation
        var settings = settings
        settings.trainers = 1
        self.settings = settings
        let engine = Engine(settings: settings)
        self.engine = engine
        feed = OfflineFeed(engine)
        scorer = Scorer(engine: engine)
        traces = engine.models.indices.map { engine.trace($0) }
        reports = settings.models.map { QualityReport(loss: $0.loss, parts: evaluation.parts) }
        listed = settings.models.map { _ in [] }
        feed.onLearned = { [unowned self] batch, before in judge(batch, before: before) }
    }

    /// Takes records in order.
    /// - Parameter isHeldOut: whether events are predicted and not learned.
    func take(_ records: ArraySlice<PrequentialEvaluation.Placed>, isHeldOut: Bool) {
        let start = MonotonicClock.nanoseconds
        for placed in records {
            switch placed.record {
            case .json(let line):
                waitingParts.append(placed.part)
                feed.append(json: line)
            case .event(let event): take(event, placed, isHeldOut: isHeldOut)
            }
        }
        if isHeldOut { feed.flush() }
        nanoseconds += MonotonicClock.nanoseconds - start
    }

    private func take(_ plain: DatasetEvent, _ placed: PrequentialEvaluation.Placed, isHeldOut: Bool) {
        let event = evaluation.described(plain)
        if evaluation.side == .attributes {
            if let users = evaluation.users, knownUsers.insert(event.user).inserted, let record = users.record(event.user) { tell(record, placed.part) }
            if let items = evaluation.items, knownItems.insert(event.item).inserted, let record = items.record(event.item) { tell(record, placed.part) }
        }
        if placed.isRanked || isHeldOut { feed.flush() }
        if placed.isRanked { for model in reports.indices { rank(event, plain, model, part: placed.part) } }
        if isHeldOut { predict(event, part: placed.part) } else {
            waitingParts.append(placed.part)
            feed.append(event)
        }
        events += 1
        if evaluation.ranking?.others != nil || isHeldOut {
            let item = engine.item(event.item)
            if item != Placement.none { own[event.user, default: []].insert(item) }
        }
    }

    private func tell(_ record: [UInt8], _ part: Int) {
        waitingParts.append(part)
        feed.append(json: record)
    }

    /// Reads what the models made of a batch that has just been learned.
    private func judge(_ batch: EventBatch, before: UInt64) {
        // Which record a position is: exact unless one was refused; then types and parts of this batch are not told apart.
        let isExact = engine.sequencer.lastPosition - before == UInt64(batch.recordCount(besides: .beat))
        var types: [UInt64: (type: String, part: Int)] = [:]
        var position = before
        for (number, record) in batch.records.enumerated() where record.kind != .beat {
            position += 1
            guard isExact, record.kind == .interaction else { continue }
            types[position] = (String(decoding: batch.text(record.type), as: UTF8.self), number < waitingParts.count ? waitingParts[number] : 0)
        }
        let fallback = waitingParts.first ?? 0
        waitingParts.removeFirst(min(batch.recordCount, waitingParts.count))
        for (model, trace) in traces.enumerated() {
            for event in trace.events {
                let place = types[event.position] ?? ("", fallback)
                guard place.part >= 0 else {
                    reports[model].widen(event.label)
                    continue
                }
                reports[model].add(
                    score: event.score, label: event.label, negatives: trace.negatives[event.others], type: place.type, part: place.part)
            }
            trace.clear()
        }
    }

    /// Predicts an event that is not learned.
    private func predict(_ event: DatasetEvent, part: Int) {
        let rule = event.type.flatMap { settings.eventTypes[$0] } ?? settings.otherEvents
        guard rule.weight * (event.weight ?? 1) > 0, let label = rule.label(of: event.value) else { return }
        let user = engine.user(event.user), item = engine.item(event.item), features = engine.features(event.context)
        for (model, settings) in settings.models.enumerated() {
            let count = label > 0 && settings.unobserved == .sampled ? settings.negatives : 0
            let scores = scorer.score(model: model, user: user, items: [item] + draw(count, besides: event, item), features: features)
            reports[model].add(score: scores[0], label: label, negatives: scores[1...], type: event.type ?? "", part: part, learns: false)
        }
    }

    /// Items that the user has not touched, each alike.
    private func draw(_ count: Int, besides event: DatasetEvent, _ item: UInt32) -> [UInt32] {
        let seen = own[event.user] ?? [], catalogue = engine.items.count
        guard catalogue > seen.count + count else { return [] }
        var drawn: [UInt32] = []
        while drawn.count < count {
            let other = UInt32(random.below(catalogue))
            if other != item, !seen.contains(other), !engine.items.isHole(other), !drawn.contains(other) { drawn.append(other) }
        }
        return drawn
    }

    private func rank(_ event: DatasetEvent, _ plain: DatasetEvent, _ model: Int, part: Int) {
        guard let ranking = evaluation.ranking else { return }
        let item = engine.item(event.item), user = engine.user(event.user), features = engine.features(event.context)
        var rank: Int?
        if let others = ranking.others {
            if item != Placement.none {
                let drawn = draw(others, besides: event, item)
                let scores = scorer.score(model: model, user: user, items: [item] + drawn, features: features)
                let above = scores.dropFirst().count { $0 >= scores[0] || $0.isNaN }
                rank = scores[0].isNaN || above >= ranking.depth ? nil : above
            }
        } else {
            let list = scorer.recommend(model: model, RecommendQuery(user: user, features: features, count: ranking.depth)).items
            for entry in list { listed[model].insert(entry.item) }
            if item != Placement.none { rank = list.firstIndex { $0.item == item } }
        }
        reports[model].add(rank: rank, type: plain.type ?? "", part: part)
    }

    /// Learns what waits; what the first model's reports hold then.
    func settled() -> QualityReport {
        feed.flush()
        return reports[0]
    }

    /// Ends the stream.
    func results() -> [PrequentialEvaluation.Result] {
        let start = MonotonicClock.nanoseconds
        feed.flush()
        nanoseconds += MonotonicClock.nanoseconds - start
        let hasLists = evaluation.ranking.map { $0.others == nil } ?? false
        return settings.models.indices.map { model in
            if hasLists { reports[model].coverage = Double(listed[model].count) / Double(max(engine.items.liveCount, 1)) }
            return PrequentialEvaluation.Result(
                model: settings.models[model].name, report: engine.prequential(model), quality: reports[model],
                recall: hasLists ? reports[model].all.ranking.hitRate : nil, drift: engine.drift(model),
                eventsPerSecond: Double(events) / max(Double(nanoseconds) / 1e9, 1e-9))
        }
    }
}

extension EventBatch {
    fileprivate func recordCount(besides kind: RecordKind) -> Int { records.count { $0.kind != kind } }
}

extension TypeRule {
    /// The label of an event with this value; nil where it needs one and has none.
    public func label(of value: Float?) -> Float? {
        switch label {
        case .constant(let label): label
        case .value: value
        case .valueOr(let other): value ?? other
        }
    }
}
