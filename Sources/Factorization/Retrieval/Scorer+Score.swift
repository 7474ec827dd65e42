import CKernels

extension Scorer {
    /// Items whose rows are asked for ahead.
    private static let ahead = 6

    /// Scores items for one user, in the items' order, behind what `scores` holds. An unknown item (`Placement.none`) has no
    /// factors: its score is what the user's side alone gives. Allocates nothing once `scores` has room.
    public func score(
        model number: Int = 0, user: UInt32, items: ArraySlice<UInt32>, features: [(ordinal: UInt32, weight: Float)] = [],
        visitor: Visitor? = nil, into scores: inout [Float]
    ) {
        let model = engine.models[number], table = model.items, rows = table.rows
        let (side, constant) = fold(number, user, features, visitor)
        let attributes = attributeScores[number], described = side.meetsAttributes
        if described { attributes.prepare(side.query) }
        reading {
            items.withUnsafeBufferPointer { items in
                for index in 0..<min(Scorer.ahead, items.count) where items[index] != Placement.none { rows.prefetch(items[index]) }
                for index in 0..<items.count {
                    let next = index &+ Scorer.ahead
                    if next < items.count, items[next] != Placement.none { rows.prefetch(items[next]) }
                    let item = items[index]
                    guard item != Placement.none else {
                        scores.append(constant)
                        continue
                    }
                    _ = table.score(
                        shard: Placement.shard(item), from: Int(Placement.local(item)), limit: 1, side.query, constant: constant,
                        into: self.scores, model.kernels)
                    scores.append(described ? attributes.score(item, own: self.scores[0], side, constant: constant) : self.scores[0])
                }
            }
        }
    }

    /// Scores items for one user, in the items' order.
    public func score(
        model number: Int = 0, user: UInt32, items: [UInt32], features: [(ordinal: UInt32, weight: Float)] = [],
        visitor: Visitor? = nil
    ) -> [Float] {
        var scores: [Float] = []
        scores.reserveCapacity(items.count)
        score(model: number, user: user, items: items[...], features: features, visitor: visitor, into: &scores)
        return scores
    }
}
