/// The rules of a shop for one list of items, ids resolved.
///
/// They apply in this order: what may be answered at all (`candidates`, `excluded`, hidden and expired items, `filter`), the
/// score with its `boosts`, the ranking by it, `minimumScore`, `caps`, `diversity`, `offset`.
public struct ItemRules: Sendable {
    /// Leave out these items; `Placement.none` among them names nothing.
    public var excluded: [UInt32]
    /// Only these may be answered; nil for the whole catalogue. What stands there twice counts once, `Placement.none` not at all.
    public var candidates: [UInt32]?
    /// What is true of every item that is answered.
    public var filter: AttributeExpression?
    /// What some items gain, on the scale of the scores; several add up.
    public var boosts: [AttributeBoost] = []
    /// Items that score less, boosts included, are not answered.
    public var minimumScore: Float?
    /// How many items of one value may be answered.
    public var caps: [AttributeCap] = []
    /// How much an item's likeness to those before it counts against it, 0…1; 0 leaves the ranking as it is (`Diversity`).
    public var diversity: Float = 0
    /// Items to leave out from the front of the list.
    public var offset = 0
    /// The time for which the answer is, in milliseconds since 1970: what expires up to then is not in it.
    public var now = Int64.min

    /// Boosts of one query at most.
    public static let boostLimit = 16

    public init(excluded: [UInt32] = []) { self.excluded = excluded }
}

/// What items gain of which an expression is true.
public struct AttributeBoost: Sendable, Hashable {
    public var when: AttributeExpression
    public var add: Float

    public init(when: AttributeExpression, add: Float) {
        self.when = when
        self.add = add
    }
}

/// At most `limit` of the answered items have one and the same value of a field. Items without the field are not limited; an
/// item with several values must fit all of them.
public struct AttributeCap: Sendable, Hashable {
    public var field: String
    public var limit: Int

    public init(field: String, limit: Int) {
        self.field = field
        self.limit = limit
    }
}
