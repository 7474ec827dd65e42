import CKernels

/// The terms of one score, in double, from the definition of the model's kind: a plain sum over pairs and sets of features.
///
/// Pairs across the sides are terms of their own. Pairs within a side, and sets of more than two, are shared out equally
/// among their features, so that there are as many terms as features; the shares of all of them sum to the whole, since a
/// polynomial of degree m that is linear in each z_a is (1/m) Σ_a z_a ∂/∂z_a (Euler).
struct ScoreTerms {
    /// A feature with its row, as doubles times x.
    private struct Row {
        var feature: Explanation.Feature
        /// `ffm`: the number of its field.
        var field: Int
        /// x v over the whole row, its tail included.
        var z: [Double]
        /// x w.
        var weight: Double
    }

    private let model: Model
    private let settings: ModelSettings
    private let user: [Row]
    private let item: [Row]
    private(set) var terms: [Explanation.Term] = []

    /// - Parameters:
    ///   - side: the user's, folded.
    ///   - items: the item's, started.
    init(_ side: UserSide, _ requested: RequestedItem, _ items: ItemSide) {
        model = side.model
        settings = model.settings
        let model = side.model
        user = (0..<side.rowCount).map { index in
            let row = side.rows[index], x = Double(row.x)
            return Row(
                feature: ScoreTerms.feature(row), field: model.settings.kind == .ffm ? FieldAwareMachine.field(row, model) : 0,
                z: (0..<model.layout.sideWidth).map { x * Double(row.factors[$0]) }, weight: x * Double(fk_read_state(row.state).weight))
        }
        item = (0..<items.rowCount).map { index in
            let row = items.rows[index], x = Double(row.x), isOwn = index == 0 && requested.ordinal != Placement.none
            return Row(
                feature: isOwn ? .item : .itemAttribute(row.ordinal), field: 0, z: (0..<items.stride).map { x * Double(row.factors[$0]) },
                weight: x * Double(fk_read_state(row.state).weight))
        }
        add(.bias, nil, Double(model.bias))
        addWeights()
        addPairs()
        guard settings.unobserved == .sampled else { return }
        for (rows, isItem) in [(user, false), (item, true)] where rows.count > 1 { addSide(rows, isItem: isItem) }
        if settings.kind == .hofm { addSets() }
    }

    private static func feature(_ row: SideRow) -> Explanation.Feature {
        switch row.group {
        case .user: .user
        case .attribute: .userAttribute(row.ordinal)
        case .context: .context(row.ordinal)
        case .history: .history(row.ordinal)
        }
    }

    private mutating func add(_ kind: Explanation.Kind, _ feature: Explanation.Feature?, _ value: Double, _ other: Explanation.Feature? = nil) {
        terms.append(Explanation.Term(kind: kind, feature: feature, other: other, value: value))
    }

    private func dot(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    /// Block number `index` of a row, as long as the rank.
    private func block(_ z: [Double], _ index: Int) -> ArraySlice<Double> { z[index * settings.rank..<(index + 1) * settings.rank] }

    private mutating func addWeights() {
        let isBilinear = settings.kind == .bilinear
        for (rows, parameter) in [(user, 1), (item, 2)] {
            for row in rows {
                if isBilinear {
                    add(.weight, row.feature, dot(row.z[..<model.width], floats(parameter, 0, model.width)))
                } else if case .history = row.feature {
                    continue
                } else {
                    // Without sampled negatives there are no weights on the item's side.
                    if settings.unobserved == .sampled || parameter == 1 { add(.weight, row.feature, row.weight) }
                }
            }
        }
    }

    private func floats(_ parameter: Int, _ start: Int, _ count: Int) -> ArraySlice<Double> {
        let floats = model.parameters!.floats(parameter) + start
        return (0..<count).map { Double(floats[$0]) }[...]
    }

    /// Pairs across the sides.
    private mutating func addPairs() {
        let item = item
        for b in item {
            let met = settings.kind == .bilinear ? image(b.z) : b.z
            for a in user {
                let value =
                    switch settings.kind {
                    case .mf, .fm, .bilinear: dot(a.z[...], met[..<model.width])
                    case .gfm: 0.5 * dot(a.z[...], met[..<model.width])
                    case .hofm: dot(a.z[..<model.orderRanks[0]], met[..<model.orderRanks[0]])
                    case .ffm: dot(block(a.z, model.layout.itemRank / settings.rank), block(met, a.field))
                    }
                add(.pair, a.feature, value, b.feature)
            }
        }
    }

    /// `bilinear`: W z, or ½ (W + Wᵀ) z.
    private func image(_ z: [Double]) -> [Double] {
        let width = model.width, matrix = floats(0, 0, settings.rank * width)
        var out = [Double](repeating: 0, count: z.count)
        for r in 0..<settings.rank {
            for c in 0..<settings.rank {
                let w = settings.symmetric ? 0.5 * (matrix[r * width + c] + matrix[c * width + r]) : matrix[r * width + c]
                out[r] += w * z[c]
            }
        }
        return out
    }

    /// Pairs within a side: each feature's half of those that it is in.
    private mutating func addSide(_ rows: [Row], isItem: Bool) {
        switch settings.kind {
        case .mf: return
        case .bilinear where !settings.symmetric: return
        case .ffm where !isItem: return addFields(rows)
        default: break
        }
        var sum = [Double](repeating: 0, count: rows[0].z.count)
        for row in rows { for f in sum.indices { sum[f] += row.z[f] } }
        let whole = sum, width = model.width, rank = settings.rank
        for row in rows {
            let others = zip(whole, row.z).map { $0 - $1 }
            let value =
                switch settings.kind {
                case .gfm: 0.5 * (dot(block(row.z, 0), block(others, 1)) + dot(block(row.z, 1), block(others, 0)))
                case .bilinear: dot(row.z[..<width], image(others)[..<width])
                case .ffm: dot(row.z[width..<width + rank], others[width..<width + rank])
                case .hofm: dot(row.z[..<model.orderRanks[0]], others[..<model.orderRanks[0]])
                default: dot(row.z[..<width], others[..<width])
                }
            add(.side, row.feature, 0.5 * value)
        }
    }

    /// `ffm`, the user's side: Σ_g ⟨x v_{a,g}, S_g[f(a)]⟩ without the row itself.
    private mutating func addFields(_ rows: [Row]) {
        let fields = model.layout.itemRank / settings.rank, width = model.layout.sideWidth
        var sums = [[Double]](repeating: [Double](repeating: 0, count: width), count: fields)
        for row in rows { for f in 0..<width { sums[row.field][f] += row.z[f] } }
        for row in rows {
            var value = -dot(block(row.z, row.field), block(row.z, row.field))
            for g in 0..<fields { value += dot(block(row.z, g), block(sums[g], row.field)) }
            add(.side, row.feature, 0.5 * value)
        }
    }

    /// `hofm`, orders m of three and more: z_a ∂A_m/∂z_a / m, with ∂A_m/∂z_a = ē_{m−1}, the elementary symmetric polynomial of
    /// all other features.
    private mutating func addSets() {
        let rows = user + item
        var shares = [Double](repeating: 0, count: rows.count), offset = 0
        for (place, rank) in model.orderRanks.enumerated() {
            let order = place + 2
            for f in offset..<offset + rank where order > 2 {
                var e = [Double](repeating: 0, count: order)
                e[0] = 1
                for row in rows { for t in stride(from: order - 1, to: 0, by: -1) { e[t] += row.z[f] * e[t - 1] } }
                for (number, row) in rows.enumerated() {
                    var without = 1.0
                    for t in 1..<order { without = e[t] - row.z[f] * without }
                    shares[number] += row.z[f] * without / Double(order)
                }
            }
            offset += rank
        }
        for (row, share) in zip(rows, shares) { add(.sets, row.feature, share) }
    }
}
