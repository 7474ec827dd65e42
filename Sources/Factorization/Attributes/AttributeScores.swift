import CKernels

/// What attributes add to the scores of one query, so that retrieval's scan stays over contiguous item rows:
/// score = constant + w_id + ⟨query, q_id⟩ + Σ_b x_b (w_b + ⟨query, q_b⟩), and for `fm` the item side's own pairs.
///
/// Each attribute's part is computed once per query. Scratch of one scorer; reads rows, writes none.
final class AttributeScores {
    private let model: Model
    /// w_b + ⟨query, q_b⟩ of attributes; grows with their number, kept from call to call.
    private var parts: [Float] = []
    private let sum: UnsafeMutablePointer<Float>

    init(model: Model) {
        self.model = model
        sum = .allocate(capacity: model.width)
        sum.initialize(repeating: 0, count: model.width)
    }

    deinit { sum.deallocate() }

    /// Whether items of this model can have a part from attributes now.
    @inline(__always)
    var isNeeded: Bool { model.takesItemAttributes && !model.attributes.items.isEmpty }

    /// Computes the parts of all attributes for a query.
    func prepare(_ query: UnsafePointer<Float>) {
        let count = model.attributes.items.features.count
        if parts.count < count { parts.append(contentsOf: repeatElement(0, count: count - parts.count)) }
        for shard in 0..<Placement.shardCount {
            let rows = Placement.rows(in: shard, of: count)
            var local = 0
            while local < rows {
                let run = model.itemAttributes.run(shard: shard, from: local, limit: rows - local)
                withUnsafeTemporaryAllocation(of: Float.self, capacity: run.count) { out in
                    model.kernels.scoreRows(query, 0, run.factors, run.states, run.count, model.width, out.baseAddress!)
                    for index in 0..<run.count { parts[Int(Placement.ordinal(shard: shard, local: local + index))] = out[index] }
                }
                local += run.count
            }
        }
    }

    /// What an item's attributes add to its score; 0 without any. After `prepare`, inside `ReaderEpochs.reading`.
    @inline(__always)
    func part(of item: UInt32) -> Float {
        guard let list = model.attributes.items[item] else { return 0 }
        return part(of: item, list)
    }

    private func part(of item: UInt32, _ list: AttributeList) -> Float {
        var part: Float = 0
        for index in 0..<list.count {
            let feature = list[index]
            // An attribute that came after `prepare` counts from the next answer on.
            guard Int(feature.ordinal) < parts.count else { continue }
            part += feature.weight * parts[Int(feature.ordinal)]
        }
        guard model.hasItemPairs else { return part }
        sum.update(repeating: 0, count: model.width)
        for index in 0..<list.count {
            model.kernels.add(sum, model.itemAttributes.factors(list[index].ordinal), list[index].weight, model.width)
        }
        return part + ItemSide.pairs(model, model.items.factors(item), list, sum)
    }
}
