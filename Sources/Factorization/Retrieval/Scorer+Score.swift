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
        let model = engine.models[number], table = model.items
        let (side, constant) = fold(number, user, features, visitor)
        let attributes = attributeScores[number], described = side.meetsAttributes
        if described { attributes.prepare(side.query) }
        let first = scores.count
        // What stays where an item is unknown.
        scores.append(contentsOf: repeatElement(constant, count: items.count))
        reading {
            items.withUnsafeBufferPointer { items in
                scores.withUnsafeMutableBufferPointer { scores in
                    let out = scores.baseAddress! + first
                    score(items, of: table, side.query, constant, model.kernels, into: out)
                    guard described else { return }
                    for index in 0..<items.count where items[index] != Placement.none {
                        out[index] = attributes.score(items[index], own: out[index], side, constant: constant)
                    }
                }
            }
        }
    }

    /// constant + weight + ⟨query, row⟩ of each item that is known; rows are asked for ahead.
    private func score(
        _ items: UnsafeBufferPointer<UInt32>, of table: FactorTable, _ query: UnsafePointer<Float>, _ constant: Float, _ kernels: Kernels,
        into out: UnsafeMutablePointer<Float>
    ) {
        let rows = table.rows, width = table.width, stride = table.stride, isHalf = table.isHalf, kernel = kernels.scoreRows
        for index in 0..<min(Scorer.ahead, items.count) where items[index] != Placement.none { rows.prefetch(items[index]) }
        for index in 0..<items.count {
            let next = index &+ Scorer.ahead
            if next < items.count, items[next] != Placement.none { rows.prefetch(items[next]) }
            let item = items[index]
            guard item != Placement.none else { continue }
            if isHalf {
                _ = table.score(
                    shard: Placement.shard(item), from: Int(Placement.local(item)), limit: 1, query, constant: constant, into: out + index, kernels)
            } else {
                let (factors, state) = rows.row(item)
                kernel(query, constant, factors, state, 1, width, stride, out + index)
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
