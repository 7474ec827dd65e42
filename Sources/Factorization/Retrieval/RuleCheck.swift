/// The rules of the query at hand, made ready for a scan that asks of single items.
///
/// Scratch of one scorer; what `start` marks, `finish` clears.
final class RuleCheck {
    private let engine: Engine
    /// Bit per item ordinal, set for what is left out.
    private var excluded: [UInt64] = []
    private var excludedWords: [Int] = []

    init(engine: Engine) { self.engine = engine }

    /// Takes up a query's rules. Inside `Scorer.reading`.
    /// - Returns: false when the user's seen set is not complete.
    func start(_ query: RecommendQuery, catalogue: Int) -> Bool {
        let words = (catalogue + 63) >> 6
        if excluded.count < words { excluded.append(contentsOf: repeatElement(0, count: words - excluded.count)) }
        func exclude(_ item: UInt32) {
            guard Int(item) < catalogue else { return }
            let word = Int(item >> 6)
            if excluded[word] == 0 { excludedWords.append(word) }
            excluded[word] |= 1 << UInt64(item & 63)
        }
        for item in query.rules.excluded { exclude(item) }
        guard query.excludesSeen, query.user != Placement.none else { return true }
        return engine.shared.userItems.forEachSeen(by: query.user, exclude)
    }

    /// Whether an item may be in the answer: in the catalogue, shown, and not left out by the query.
    @inline(__always)
    func admits(_ item: UInt32) -> Bool {
        excluded[Int(item >> 6)] & (1 << UInt64(item & 63)) == 0 && !engine.items.isOut(item)
    }

    /// What `boost` adds at most: whatever an item scores, with its boost it scores no more than that plus this.
    var greatestBoost: Float { 0 }

    /// What the rules add to an item's score; asked of admitted items only.
    @inline(__always)
    func boost(_ item: UInt32) -> Float { 0 }

    /// Clears what `start` has marked.
    func finish() {
        for word in excludedWords { excluded[word] = 0 }
        excludedWords.removeAll(keepingCapacity: true)
    }
}
