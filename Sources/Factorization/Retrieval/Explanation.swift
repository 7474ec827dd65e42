/// A score as the sum of what each feature, and each pair of features, says.
public struct Explanation: Sendable {
    /// A feature of an event, as the tables know it.
    public enum Feature: Sendable, Equatable {
        /// The user's own row, or the one fitted to a visitor.
        case user
        case item
        /// Ordinals in the tables of users' attributes, items' attributes, context, and items.
        case userAttribute(UInt32)
        case itemAttribute(UInt32)
        case context(UInt32)
        case history(UInt32)
    }

    /// What a term is.
    public enum Kind: String, Sendable {
        /// w0.
        case bias
        /// A feature's linear weight; of `bilinear`, ⟨w_u, v⟩ or ⟨w_i, v⟩.
        case weight
        /// A pair of a feature of the user's side and one of the item's.
        case pair
        /// Half of all the pairs that a feature is in with others of its own side.
        case side
        /// `hofm`: a feature's share of all the sets of three or more features that it is in: each set's product is shared
        /// out in equal parts. As the score is linear in each feature, that is its Shapley value.
        case sets
        /// The sum of all terms that are too small to be listed.
        case rest
    }

    public struct Term: Sendable {
        public var kind: Kind
        /// Of the user's side for a pair.
        public var feature: Feature?
        /// Of the item's side, for a pair.
        public var other: Feature?
        public var value: Double
    }

    /// Largest first, by magnitude; they sum to the score.
    public var terms: [Term]
    /// How many terms `rest` stands for.
    public var restCount = 0
    /// Items of the history nearest to the item, by the cosine of their vectors, best first.
    public var nearest: [ScoredItem] = []

    /// What the terms sum to.
    public var sum: Double { terms.reduce(0) { $0 + $1.value } }

    /// Keeps the largest, and sums up the others.
    mutating func keep(_ limit: Int) {
        terms.sort { abs($0.value) > abs($1.value) }
        guard terms.count > limit else { return }
        restCount = terms.count - limit
        terms = terms.prefix(limit) + [Term(kind: .rest, value: terms[limit...].reduce(0) { $0 + $1.value })]
    }
}

/// An item as a request names it: one that the tables know, or one that is new to them, with the attributes that the request
/// gives.
public struct RequestedItem: Sendable {
    /// `Placement.none` for an item that is not known.
    public var ordinal: UInt32
    /// Read where the item is not known: (ordinal in the table of item attributes, x).
    public var attributes: [(ordinal: UInt32, weight: Float)]

    public init(_ ordinal: UInt32, attributes: [(ordinal: UInt32, weight: Float)] = []) {
        self.ordinal = ordinal
        self.attributes = attributes
    }
}

extension Scorer {
    /// Why a user and an item have their score. Inside `reading`.
    /// - Parameters:
    ///   - limit: terms listed; the others are summed up.
    ///   - near: items of the history that are compared with the item.
    public func explain(
        model number: Int = 0, user: UInt32, item: RequestedItem, features: [(ordinal: UInt32, weight: Float)] = [],
        visitor: Visitor? = nil, limit: Int = 100, near: Int = 5
    ) -> Explanation {
        let (side, _) = fold(number, user, features, visitor)
        let scratch = likenesses[number]
        scratch.start(item)
        var explanation = Explanation(terms: ScoreTerms(side, item, scratch.itemSide).terms)
        explanation.keep(limit)
        guard item.ordinal != Placement.none || !item.attributes.isEmpty, near > 0 else { return explanation }
        var history = visitor?.items.map(\.ordinal) ?? []
        if user != Placement.none {
            let held = engine.shared.userItems.historyLength
            history = [UInt32](unsafeUninitializedCapacity: held) { $1 = engine.shared.userItems.history(of: user, into: $0) }
        }
        scratch.wanted.update(from: scratch.itemVector(item), count: scratch.model.width)
        let wanted = scratch.wanted, size = scratch.norm(wanted)
        top.start(near)
        for other in Set(history) where other != item.ordinal && !engine.items.isHole(other) {
            if let likeness = scratch.likeness(wanted, size, scratch.itemVector(RequestedItem(other))) {
                top.offer(ScoredItem(item: other, score: likeness))
            }
        }
        explanation.nearest = top.sorted()
        return explanation
    }

    /// The scores of items that are new to the tables, by their attributes: the user's side against a row of zeros with
    /// attributes beside it; the user's side alone where there are none. Inside `reading`.
    public func score(
        model number: Int = 0, user: UInt32, described items: [RequestedItem], features: [(ordinal: UInt32, weight: Float)] = [],
        visitor: Visitor? = nil
    ) -> [Float] {
        let (side, constant) = fold(number, user, features, visitor)
        let scratch = likenesses[number], width = side.meetsAttributes ? side.model.layout.queryWidth : side.model.width
        return items.map { item in
            scratch.start(item)
            let own = scratch.itemSide.fold()
            return constant + own + side.model.kernels.dot(side.query, scratch.itemSide.z, width)
        }
    }
}
