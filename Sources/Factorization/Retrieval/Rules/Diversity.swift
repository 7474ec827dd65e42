/// Maximal marginal relevance (Carbonell and Goldstein 1998): the next item of the list is the one of the pool with the greatest
///
///     (1 − d) · relevance − d · likeness
///
/// relevance: the item's score (boosts included), so that the pool's least is 0 and its best 1; 1 where all score the same.
/// likeness: the greatest cosine between the item's vector and those before it in the list, −1…1; 0 for the first, and for a vector of
/// zeros. The vector is what the user's side meets: the item's row, or its sum with its attributes'. Of equals, the one that
/// ranks before is taken.
///
/// The pool is the first `pool(count)` items of the ranking, whatever the offset, so that pages fit together; what comes after it stays as
/// it ranks.
///
/// Scratch of one scorer; a model's. Inside `ReaderEpochs.reading`.
final class Diversity {
    private let model: Model
    private let side: ItemSide
    private let width: Int
    /// Unit vectors of the pool, one after the other.
    private var vectors: [Float] = []

    private static let perItem = 5, least = 100, greatest = 1000

    /// Items that are ranked anew for a list of `count`.
    static func pool(_ count: Int) -> Int { min(max(count, least / perItem) * perItem, greatest) }

    init(model: Model) {
        self.model = model
        side = ItemSide(model: model)
        width = model.layout.queryWidth
    }

    /// The ranking with its pool ranked anew.
    /// - Parameters:
    ///   - wanted: items after which nobody looks.
    ///   - weight: d, 0…1.
    func rank(_ ranking: [ScoredItem], pool: Int, wanted: Int, weight: Float) -> [ScoredItem] {
        let pool = Array(ranking.prefix(pool)), rest = ranking.dropFirst(pool.count)
        guard let best = pool.first?.score, let least = pool.last?.score else { return ranking }
        fill(pool)
        let span = best - least
        var left = pool.indices.map { index in
            Candidate(index: index, relevance: span > 0 && span.isFinite ? (pool[index].score - least) / span : 1, likeness: nil)
        }
        var ranked: [ScoredItem] = []
        while ranked.count < min(wanted, pool.count) {
            var place = 0, greatest = -Float.infinity
            for (index, candidate) in left.enumerated() {
                let value = (1 - weight) * candidate.relevance - weight * (candidate.likeness ?? 0)
                if value > greatest { (place, greatest) = (index, value) }
            }
            let taken = left.remove(at: place).index
            ranked.append(pool[taken])
            vectors.withUnsafeBufferPointer { vectors in
                let vector = vectors.baseAddress! + taken * width
                for place in left.indices {
                    let cosine = model.kernels.dot(vector, vectors.baseAddress! + left[place].index * width, width)
                    left[place].likeness = max(left[place].likeness ?? -1, cosine)
                }
            }
        }
        return ranked + rest
    }

    private struct Candidate {
        var index: Int
        var relevance: Float
        var likeness: Float?
    }

    /// Vectors scaled to length 1; those without one stay zero.
    private func fill(_ pool: [ScoredItem]) {
        if vectors.count < pool.count * width { vectors.append(contentsOf: repeatElement(0, count: pool.count * width - vectors.count)) }
        vectors.withUnsafeMutableBufferPointer { vectors in
            for (index, item) in pool.enumerated() {
                side.start(item.item, model.attributes.items[item.item])
                _ = side.fold()
                let vector = vectors.baseAddress! + index * width
                vector.update(repeating: 0, count: width)
                let square = model.kernels.dot(side.z, side.z, width)
                if square > 0 && square.isFinite { model.kernels.add(vector, side.z, 1 / square.squareRoot(), width) }
            }
        }
    }
}
