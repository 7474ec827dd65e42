@testable import Factorization

/// A feature of an event as the definitions see it.
struct DefinedFeature {
    /// `ffm`: the number of its field.
    var field: Int
    /// Whether it is the item or one of its attributes.
    var isItemSide = false
    var x: Double
    var v: [Double]
}

/// What each kind says of an event beside w0 and linear weights: a plain sum over pairs or sets of features, in double, with
/// no regard to cost. A new kind adds its case here; the tests of this folder follow.
func definedInteractions(_ settings: ModelSettings, _ features: [DefinedFeature], _ parameters: [[Double]]) -> Double {
    let k = settings.rank, items = features.indices.filter { features[$0].isItemSide }, others = features.indices.filter { !features[$0].isItemSide }
    func x(_ i: Int, _ j: Int) -> Double { features[i].x * features[j].x }
    func block(_ i: Int, _ number: Int) -> [Double] { Array(features[i].v[number * k..<(number + 1) * k]) }
    func pairs(_ value: (Int, Int) -> Double) -> Double {
        var sum = 0.0
        for j in features.indices { for i in 0..<j { sum += x(i, j) * value(i, j) } }
        return sum
    }
    /// Pairs across the sides.
    func crossing(_ value: (Int, Int) -> Double) -> Double {
        others.reduce(0) { sum, a in items.reduce(sum) { $0 + x(a, $1) * value(a, $1) } }
    }
    switch settings.kind {
    case .mf: return crossing { dot(features[$0].v, features[$1].v) }
    case .fm: return pairs { dot(features[$0].v, features[$1].v) }
    case .gfm:
        // [u; v] on the user's side, [v; u] on the item's.
        func u(_ i: Int) -> [Double] { block(i, features[i].isItemSide ? 1 : 0) }
        func v(_ i: Int) -> [Double] { block(i, features[i].isItemSide ? 0 : 1) }
        return pairs { 0.5 * (dot(u($0), v($1)) + dot(u($1), v($0))) }
    case .bilinear:
        func w(_ r: Int, _ c: Int) -> Double {
            settings.symmetric ? (parameters[0][r * k + c] + parameters[0][c * k + r]) / 2 : parameters[0][r * k + c]
        }
        func product(_ i: Int, _ j: Int) -> Double {
            var sum = 0.0
            for r in 0..<k { for c in 0..<k { sum += features[i].v[r] * w(r, c) * features[j].v[c] } }
            return sum
        }
        let linear = features.reduce(0) { $0 + $1.x * dot(parameters[$1.isItemSide ? 2 : 1], $1.v) }
        return linear + (settings.symmetric ? pairs(product) : crossing(product))
    case .hofm:
        var sum = 0.0, offset = 0
        for (place, rank) in HigherOrderMachine.ranks(settings).enumerated() {
            for f in offset..<offset + rank {
                sum += sumOfProducts(features.map { $0.x * $0.v[f] }, below: features.count, size: place + 2)
            }
            offset += rank
        }
        return sum
    case .ffm: return pairs { dot(block($0, features[$1].field), block($1, features[$0].field)) }
    }
}

/// The sum over all sets of `size` values before the place `count` of their product.
func sumOfProducts(_ values: [Double], below count: Int, size: Int) -> Double {
    guard size > 0 else { return 1 }
    return (0..<count).reduce(0) { $0 + values[$1] * sumOfProducts(values, below: $1, size: size - 1) }
}

/// A kind with the settings that it needs, and a loss.
struct KindCase: CustomStringConvertible, Sendable {
    var kind: ModelSettings.Kind
    var symmetric = false
    var loss = ModelSettings.Loss.logistic
    var description: String { "\(kind)\(symmetric ? " symmetric" : "") \(loss)" }

    static let kinds = ModelSettings.Kind.allCases.map { KindCase(kind: $0) } + [KindCase(kind: .bilinear, symmetric: true)]
    static let all = kinds.flatMap { kind in
        ModelSettings.Loss.allCases.map { KindCase(kind: kind.kind, symmetric: kind.symmetric, loss: $0) }
    }

    func settings(_ optimizer: ModelSettings.Optimizer = .adagrad, history: Int = 4, negatives: Int = 3) -> ModelSettings {
        ModelSettings(
            kind: kind, rank: 3, loss: loss, optimizer: optimizer,
            rates: .init(user: 0.05, item: 0.06, context: 0.07, weight: 0.03, history: 0.04, attribute: 0.055), globalRate: 0.02,
            l2: .init(user: 0.02, item: 0.03, context: 0.04, weight: 0.05, history: 0.01, attribute: 0.025), negatives: negatives,
            verifiedNegatives: false, history: .init(length: history, decay: 0.8), deviation: 0.5, symmetric: symmetric, order: 4,
            ranks: kind == .hofm ? [3, 2, 2] : [], fields: kind == .ffm ? ["f1", "f0"] : [])
    }
}
