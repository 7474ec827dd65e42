@testable import Factorization

/// The derivative of `definedInteractions`, kind by kind, written out as plain sums over pairs or sets of features in double:
/// code of its own, that shares nothing with the product. A new kind adds its case here.
/// - Returns: by feature and by block of parameters, in the shapes of the arguments.
func analyticInteractions(_ settings: ModelSettings, _ features: [DefinedFeature], _ parameters: [[Double]])
    -> (features: [[Double]], parameters: [[Double]])
{
    switch settings.kind {
    case .mf, .fm: (pairwise(features, acrossSides: settings.kind == .mf), [])
    case .gfm: (twoVectors(features, rank: settings.rank), [])
    case .bilinear: bilinear(settings, features, parameters)
    case .hofm: (sets(HigherOrderMachine.ranks(settings), features), [])
    case .ffm: (fieldAware(features, rank: settings.rank), [])
    }
}

private func zeros(_ features: [DefinedFeature]) -> [[Double]] { features.map { $0.v.map { _ in 0 } } }

/// Adds `factor` times `values` to a place of a vector.
private func add(_ factor: Double, _ values: some Collection<Double>, to sum: inout [Double], at offset: Int = 0) {
    for (f, value) in values.enumerated() { sum[offset + f] += factor * value }
}

/// ∂/∂v_i = Σ_j x_i x_j v_j.
private func pairwise(_ features: [DefinedFeature], acrossSides: Bool) -> [[Double]] {
    var out = zeros(features)
    let item = features.count - 1
    for i in features.indices {
        for j in features.indices where i != j && (!acrossSides || i == item || j == item) {
            add(features[i].x * features[j].x, features[j].v, to: &out[i])
        }
    }
    return out
}

/// ∂/∂u_i = ½ Σ_j x_i x_j v_j and the same with u and v exchanged; u stands first on the user's side, second on the item's.
private func twoVectors(_ features: [DefinedFeature], rank: Int) -> [[Double]] {
    var out = zeros(features)
    func start(ofU i: Int) -> Int { i == features.count - 1 ? rank : 0 }
    func start(ofV i: Int) -> Int { rank - start(ofU: i) }
    for i in features.indices {
        for j in features.indices where i != j {
            let half = 0.5 * features[i].x * features[j].x
            add(half, features[j].v[start(ofV: j)..<start(ofV: j) + rank], to: &out[i], at: start(ofU: i))
            add(half, features[j].v[start(ofU: j)..<start(ofU: j) + rank], to: &out[i], at: start(ofV: i))
        }
    }
    return out
}

/// v_aᵀ M v_b for the item and every feature of the user's side, or with `symmetric` for all pairs, and the linear forms.
private func bilinear(_ settings: ModelSettings, _ features: [DefinedFeature], _ parameters: [[Double]]) -> ([[Double]], [[Double]]) {
    let k = settings.rank, item = features.count - 1
    var out = zeros(features), own = parameters.map { $0.map { _ in 0.0 } }
    for j in features.indices {
        for i in 0..<j where settings.symmetric || j == item {
            let x = features[i].x * features[j].x, a = features[i].v, b = features[j].v
            for r in 0..<k {
                for c in 0..<k {
                    let straight = settings.symmetric ? 0.5 : 1.0, turned = 1 - straight
                    let m = straight * parameters[0][r * k + c] + turned * parameters[0][c * k + r]
                    out[i][r] += x * m * b[c]
                    out[j][c] += x * m * a[r]
                    own[0][r * k + c] += x * straight * a[r] * b[c]
                    own[0][c * k + r] += x * turned * a[r] * b[c]
                }
            }
        }
    }
    for a in 0..<item {
        add(features[a].x, parameters[1], to: &out[a])
        add(features[a].x, features[a].v, to: &own[1])
    }
    add(1, parameters[2], to: &out[item])
    add(1, features[item].v, to: &own[2])
    return (out, own)
}

/// All sets of `size` numbers below `count`.
private func choices(of count: Int, size: Int) -> [[Int]] {
    size == 0 ? [[]] : (0..<count).flatMap { last in choices(of: last, size: size - 1).map { $0 + [last] } }
}

/// ∂/∂v_i,f: over all sets that hold i, x_i times the product of the others' x v.
private func sets(_ ranks: [Int], _ features: [DefinedFeature]) -> [[Double]] {
    var out = zeros(features), offset = 0
    for (place, rank) in ranks.enumerated() {
        for set in choices(of: features.count, size: place + 2) {
            for f in offset..<offset + rank {
                for i in set {
                    out[i][f] += set.reduce(features[i].x) { $0 * ($1 == i ? 1 : features[$1].x * features[$1].v[f]) }
                }
            }
        }
        offset += rank
    }
    return out
}

/// ∂/∂v_{i,f(j)} = Σ_j x_i x_j v_{j,f(i)}.
private func fieldAware(_ features: [DefinedFeature], rank: Int) -> [[Double]] {
    var out = zeros(features)
    for i in features.indices {
        for j in features.indices where i != j {
            let block = features[i].field * rank
            add(features[i].x * features[j].x, features[j].v[block..<block + rank], to: &out[i], at: features[j].field * rank)
        }
    }
    return out
}
