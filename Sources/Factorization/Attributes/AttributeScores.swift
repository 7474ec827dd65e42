import CKernels

/// Scores of items with attributes for one query, while retrieval's scan stays over contiguous item rows.
///
/// Where an item's side is the plain sum of its rows, each attribute's part w_b + ⟨query, q_b⟩ is computed once per query, and
/// an item adds x_b times those of its own to what the scan gave. Elsewhere the item's side is folded.
///
/// Scratch of one scorer; reads rows, writes none.
final class AttributeScores {
    private let model: Model
    private let isSum: Bool
    /// w_b + ⟨query, q_b⟩ of attributes; grows with their number, kept from call to call.
    private var parts: [Float] = []
    private let side: ItemSide

    init(model: Model) {
        self.model = model
        isSum = model.layout.itemSideIsSum || model.settings.unobserved == .regularized
        side = ItemSide(model: model)
    }

    /// Makes ready for a query: computes the parts of all attributes where they add up.
    func prepare(_ query: UnsafePointer<Float>) {
        guard isSum else { return }
        let count = model.attributes.items.features.count
        if parts.count < count { parts.append(contentsOf: repeatElement(0, count: count - parts.count)) }
        for shard in 0..<Placement.shardCount {
            let rows = Placement.rows(in: shard, of: count)
            var local = 0
            while local < rows {
                withUnsafeTemporaryAllocation(of: Float.self, capacity: min(rows - local, Placement.rowsPerSlab)) { out in
                    let count = model.itemAttributes.score(
                        shard: shard, from: local, limit: rows - local, query, constant: 0, into: out.baseAddress!, model.kernels)
                    for index in 0..<count { parts[Int(Placement.ordinal(shard: shard, local: local + index))] = out[index] }
                    local += count
                }
            }
        }
    }

    /// An item's score. After `prepare` for the user's side, inside `ReaderEpochs.reading`.
    /// - Parameter own: constant + w_item + ⟨query, item row⟩, which is the score of an item without attributes.
    @inline(__always)
    func score(_ item: UInt32, own: Float, _ user: UserSide, constant: Float) -> Float {
        guard let list = model.attributes.items[item] else { return own }
        return isSum ? own + part(list) : folded(item, list, user, constant)
    }

    /// A bound above an item's score, of a bound above its own row's part; infinite where the kind folds the item's side. On any thread,
    /// as `score`.
    @inline(__always)
    func bound(_ item: UInt32, own: Float) -> Float {
        guard let list = model.attributes.items[item] else { return own }
        // Rounding never turns the order of two sums with one term in common.
        return isSum ? own + part(list) : .infinity
    }

    private func part(_ list: AttributeList) -> Float {
        var part: Float = 0
        for index in 0..<list.count {
            let feature = list[index]
            // An attribute that came after `prepare` counts from the next answer on.
            guard Int(feature.ordinal) < parts.count else { continue }
            part += feature.weight * parts[Int(feature.ordinal)]
        }
        return part
    }

    private func folded(_ item: UInt32, _ list: AttributeList, _ user: UserSide, _ constant: Float) -> Float {
        side.start(item, list)
        let own = side.fold()
        return constant + own + model.kernels.dot(user.query, side.z, model.layout.queryWidth)
    }
}
