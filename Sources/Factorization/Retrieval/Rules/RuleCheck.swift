/// The rules of the query at hand, made ready for a scan that asks of single items.
///
/// Scratch of one scorer; what `start` marks, `finish` clears. What is known of expressions stays from query to query.
///
/// Thread safety: one thread a query; between `start` and `finish`, `admits` and `boost` are for any threads that scan for
/// it, each inside `ReaderEpochs.reading`.
final class RuleCheck {
    private let engine: Engine
    private let attributes: AttributeLists
    /// Bit per item ordinal, set for what is left out.
    private var excluded: [UInt64] = []
    private var excludedWords: [Int] = []
    private var now = Int64.min
    private let memos: ExpressionMemos
    private var filter: Unmanaged<ExpressionMemo>?
    private var boosts: [(when: Unmanaged<ExpressionMemo>, add: Float)] = []
    /// What `boost` adds at most: whatever an item scores, with its boost it scores no more than that plus this.
    private(set) var greatestBoost: Float = 0
    /// The only items that can be admitted, each once, where they are so few that a scan would cost more; else nil.
    private(set) var candidates: [UInt32]?
    private let caps: CapCount
    /// Whether items of a value that has its number already are left out.
    private var leavesOutCapped = false

    /// A filter that so small a part of the catalogue passes is not scanned for.
    private static let selective = 16

    init(engine: Engine) {
        self.engine = engine
        attributes = engine.shared.attributes.items
        memos = ExpressionMemos(engine: engine)
        caps = CapCount(engine: engine)
    }

    /// Takes up a query's rules. Inside `Scorer.reading`.
    /// - Returns: false when the user's seen set is not complete.
    func start(_ query: RecommendQuery, catalogue: Int) -> Bool {
        let rules = query.rules, words = (catalogue + 63) >> 6
        if excluded.count < words { excluded.append(contentsOf: repeatElement(0, count: words - excluded.count)) }
        now = rules.now
        candidates = rules.candidates.map { once($0, catalogue) }
        for item in rules.excluded { exclude(item, catalogue) }
        caps.start(rules.caps)
        startExpressions(rules, catalogue)
        guard query.excludesSeen, query.user != Placement.none else { return true }
        return engine.shared.userItems.forEachSeen(by: query.user) { exclude($0, catalogue) }
    }

    private func exclude(_ item: UInt32, _ catalogue: Int) {
        guard Int(item) < catalogue else { return }
        let word = Int(item >> 6)
        if excluded[word] == 0 { excludedWords.append(word) }
        excluded[word] |= 1 << UInt64(item & 63)
    }

    /// The known items of a list, each once.
    private func once(_ items: [UInt32], _ catalogue: Int) -> [UInt32] {
        defer { clear() }
        return items.filter { item in
            guard Int(item) < catalogue, excluded[Int(item >> 6)] & (1 << UInt64(item & 63)) == 0 else { return false }
            exclude(item, catalogue)
            return true
        }
    }

    private func startExpressions(_ rules: ItemRules, _ catalogue: Int) {
        guard rules.filter != nil || !rules.boosts.isEmpty else { return }
        memos.start(catalogue: catalogue)
        if let expression = rules.filter {
            let memo = memos.memo(expression)
            filter = .passUnretained(memo)
            if candidates == nil { candidates = memo.few(catalogue / RuleCheck.selective, catalogue: catalogue) }
        }
        precondition(rules.boosts.count <= ItemRules.boostLimit, "a query has at most \(ItemRules.boostLimit) boosts")
        for boost in rules.boosts {
            boosts.append((.passUnretained(memos.memo(boost.when)), boost.add))
            // Added in the order of `boost`, so that rounding keeps it the greatest.
            greatestBoost += max(boost.add, 0)
        }
    }

    /// Whether an item may be in the answer: in the catalogue, shown, not expired, and not left out by the query.
    @inline(__always)
    func admits(_ item: UInt32) -> Bool {
        guard excluded[Int(item >> 6)] & (1 << UInt64(item & 63)) == 0 else { return false }
        if let filter, !filter._withUnsafeGuaranteedRef({ $0.isTrue(item) }) { return false }
        return !engine.items.isOut(item) && !attributes.isExpired(item, now: now) && !(leavesOutCapped && caps.isFull(item))
    }

    /// What the rules add to an item's score; asked of admitted items only.
    @inline(__always)
    func boost(_ item: UInt32) -> Float {
        var sum: Float = 0
        for boost in boosts where boost.when._withUnsafeGuaranteedRef({ $0.isTrue(item) }) { sum += boost.add }
        return sum
    }

    /// Calls `body` with every item that is admitted, in the order of the catalogue or of the candidates.
    func forEachAdmitted(below catalogue: Int, _ body: (UInt32) -> Void) {
        if let candidates {
            for item in candidates where admits(item) { body(item) }
        } else {
            for item in 0..<UInt32(catalogue) where admits(item) { body(item) }
        }
    }

    // MARK: Caps, between two scans

    /// Whether an item, next in the ranking, is within the caps; then it counts.
    func take(_ item: UInt32) -> Bool { caps.take(item) }

    /// Leaves out what the walk down the ranking has passed, and all that it could not take any more.
    func passOver(_ items: [ScoredItem], catalogue: Int) {
        for item in items { exclude(item.item, catalogue) }
        leavesOutCapped = true
    }

    // MARK: The end

    private func clear() {
        for word in excludedWords { excluded[word] = 0 }
        excludedWords.removeAll(keepingCapacity: true)
    }

    /// Clears what `start` has marked.
    func finish() {
        clear()
        filter = nil
        boosts.removeAll(keepingCapacity: true)
        greatestBoost = 0
        candidates = nil
        leavesOutCapped = false
    }
}

/// What is known of expressions, for the next query that has the same: those used last.
final class ExpressionMemos {
    private let engine: Engine
    private let fields: AttributeFields
    private var memos: [AttributeExpression: ExpressionMemo] = [:]
    private var query: UInt64 = 0
    private var catalogue = 0

    /// Expressions remembered: those of one query at least. Each takes two bits an item and 8 bytes an attribute.
    private static let limit = 2 * ItemRules.boostLimit

    init(engine: Engine) {
        self.engine = engine
        fields = AttributeFields(engine.shared.attributes.items.features)
    }

    /// Begins a query. Inside `ReaderEpochs.reading`.
    func start(catalogue: Int) {
        self.catalogue = catalogue
        query += 1
        fields.update()
    }

    /// The memo of an expression, up to date; it stays until the next query.
    func memo(_ expression: AttributeExpression) -> ExpressionMemo {
        if let memo = memos[expression] {
            if memo.used != query { memo.prepare(catalogue: catalogue, fields) }
            memo.used = query
            return memo
        }
        if memos.count >= ExpressionMemos.limit, let oldest = memos.min(by: { $0.value.used < $1.value.used }) { memos[oldest.key] = nil }
        let memo = ExpressionMemo(expression, engine)
        memos[expression] = memo
        memo.prepare(catalogue: catalogue, fields)
        memo.used = query
        return memo
    }
}
