import CKernels

/// Answers from the rows as they are this moment: folds the user's side once, then scores items against it.
///
/// Exact: what every live item would score decides, of large catalogues by bounds first (`Scorer+Copy`). While trainers
/// write, each score is that of values that the rows had during the call.
///
/// Thread safety: one thread a scorer; its scratch is its own.
public final class Scorer {
    let engine: Engine
    private let ticket: Int
    var top = TopN()
    let check: RuleCheck
    let scores: UnsafeMutablePointer<Float>
    /// Of the scan by the copy.
    let part: ScanPart
    let scanQuery = ScanQuery()
    var seeds = TopN()
    /// Items from which on catalogues are scanned by their copy.
    let copySize: Int
    let isAlone: Bool
    private let sides: [UserSide]
    let attributeScores: [AttributeScores]
    /// By model; made when first asked for.
    var diversities: [Diversity?]
    /// By model; nil where stale rows stay as they are.
    let refoldings: [Refolding?]
    /// By model, for whoever has no row.
    let foldIns: [FoldIn]
    let likenesses: [Likeness]
    /// What the window of recent items counts for each, and which have a count.
    var recent: [Float] = []
    var touched: [UInt32] = []
    private static let block = 256

    /// - Parameters:
    ///   - engine: what to answer from; the scorer registers as one of its readers.
    ///   - copySize: items from which on catalogues are scanned by their copy; `Int.max` for never.
    ///   - isAlone: whether helpers are left asleep.
    public init(engine: Engine, copySize: Int = Scorer.usualCopySize, isAlone: Bool = false) {
        self.engine = engine
        self.copySize = copySize
        self.isAlone = isAlone
        part = ScanPart(width: engine.widest)
        check = RuleCheck(engine: engine)
        diversities = engine.models.map { _ in nil }
        ticket = engine.epochs.register()
        scores = .allocate(capacity: Scorer.block)
        sides = engine.models.map { UserSide(model: $0) }
        attributeScores = engine.models.map(AttributeScores.init)
        foldIns = engine.models.map { FoldIn(model: $0) }
        likenesses = engine.models.map { Likeness(model: $0) }
        refoldings = engine.models.map { Refolding(model: $0, held: engine.shared.userItems.historyLength) }
    }

    deinit {
        scores.deallocate()
    }

    /// Runs `body` with id look-ups and histories protected from reuse.
    public func reading<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        try engine.epochs.reading(ticket, body)
    }

    /// Folds a user's side, or a visitor's in its place, and answers its constant.
    func fold(
        _ number: Int, _ user: UInt32, _ features: [(ordinal: UInt32, weight: Float)], _ visitor: Visitor? = nil
    ) -> (UserSide, Float) {
        let side = sides[number]
        reading { start(side, number, user, features, visitor) }
        for feature in features { side.append(ResolvedFeature(ordinal: feature.ordinal, weight: feature.weight)) }
        reading { refresh(side, number, user) }
        return (side, side.fold())
    }

    /// The exact best items of the live catalogue for a query, as its rules have it. An unknown user gets the most popular items.
    public func recommend(model number: Int = 0, _ query: RecommendQuery) -> Recommendation {
        reading {
            let count = engine.items.count, known = query.user != Placement.none || query.visitor != nil
            let isSeenComplete = check.start(query, catalogue: count)
            defer { check.finish() }
            let items = rank(number, query, catalogue: count) { limit in
                top.start(min(limit, count))
                if !known {
                    check.forEachAdmitted(below: count) { offerAdmitted($0, score: engine.items.frequency($0)) }
                } else if let candidates = check.candidates {
                    scoreCandidates(candidates, number, query)
                } else {
                    scan(number, query, count: count)
                }
                return top.sorted()
            }
            return Recommendation(items: items, isFallback: !known, isSeenComplete: isSeenComplete)
        }
    }

    /// The user's number of interactions, as the fallback tells known from unknown.
    public func interactions(of user: UInt32) -> Float { user == Placement.none ? 0 : engine.users.frequency(user) }

    private func scan(_ number: Int, _ query: RecommendQuery, count: Int) {
        let model = engine.models[number]
        let (side, constant) = fold(number, query.user, query.features, query.visitor)
        let table = model.items, attributes = attributeScores[number], described = side.meetsAttributes
        if described { attributes.prepare(side.query) }
        if scanCopy(model, side, constant, described ? attributes : nil, count: count) { return }
        let boost = check.greatestBoost
        for shard in 0..<Placement.shardCount {
            let rows = Placement.rows(in: shard, of: count)
            var local = 0
            while local < rows {
                let count = table.score(
                    shard: shard, from: local, limit: min(rows - local, Scorer.block), side.query, constant: constant, into: scores,
                    model.kernels)
                if described { complete(attributes, side, constant, shard: shard, local: local, count: count) }
                for index in 0..<count where scores[index] + boost >= top.threshold {
                    offer(Placement.ordinal(shard: shard, local: local + index), score: scores[index])
                }
                local += count
            }
        }
    }

    /// Gives items with attributes their scores in place of their own rows'.
    private func complete(
        _ attributes: AttributeScores, _ side: UserSide, _ constant: Float, shard: Int, local: Int, count: Int
    ) {
        reading {
            for index in 0..<count {
                let item = Placement.ordinal(shard: shard, local: local + index)
                scores[index] = attributes.score(item, own: scores[index], side, constant: constant)
            }
        }
    }

    @inline(__always)
    private func offer(_ item: UInt32, score: Float) {
        if check.admits(item) { offerAdmitted(item, score: score) }
    }

    @inline(__always)
    func offerAdmitted(_ item: UInt32, score: Float) {
        top.offer(ScoredItem(item: item, score: score + check.boost(item)))
    }
}
