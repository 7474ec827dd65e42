@testable import Factorization

/// A feature of a score in double precision: its vector, weight, x, and the side that it stands on.
struct ReferenceFeature {
    var v: [Double]
    var w: Double
    var x: Double
    var isItemSide: Bool
    var rate: Double
    var l2: Double

    init(_ table: FactorTable, _ ordinal: UInt32, x: Float, isItemSide: Bool, rate: Float, l2: Float) {
        let row = ReferenceRow(table, ordinal)
        v = row.v
        w = row.w
        self.x = Double(x)
        self.isItemSide = isItemSide
        self.rate = Double(rate)
        self.l2 = Double(l2)
    }
}

/// The score by its definition with attributes on both sides: a plain sum over pairs, all of them for `fm`, those across the
/// sides for `mf`.
struct AttributeReference {
    let kind: ModelSettings.Kind
    var bias: Double
    var features: [ReferenceFeature]

    init(_ engine: Engine, user: UInt32, item: UInt32, context: [(ordinal: UInt32, weight: Float)]) {
        let model = engine.models[0], rates = model.settings.rates, l2 = model.settings.l2
        kind = model.settings.kind
        bias = Double(model.bias)
        features = [
            ReferenceFeature(model.users, user, x: 1, isItemSide: false, rate: rates.user, l2: l2.user),
            ReferenceFeature(model.items, item, x: 1, isItemSide: true, rate: rates.item, l2: l2.item),
        ]
        for feature in engine.attributes(user: user) {
            features.append(
                ReferenceFeature(
                    model.userAttributes, feature.ordinal, x: feature.weight, isItemSide: false, rate: rates.attribute, l2: l2.attribute))
        }
        for feature in engine.attributes(item: item) {
            features.append(
                ReferenceFeature(
                    model.itemAttributes, feature.ordinal, x: feature.weight, isItemSide: true, rate: rates.attribute, l2: l2.attribute))
        }
        for feature in context {
            features.append(
                ReferenceFeature(
                    model.contexts, feature.ordinal, x: feature.weight, isItemSide: false, rate: rates.context, l2: l2.context))
        }
    }

    var score: Double {
        var sum = bias
        for (a, one) in features.enumerated() {
            sum += one.x * one.w
            for other in features[(a + 1)...] where kind == .fm || one.isItemSide != other.isItemSide {
                sum += one.x * other.x * dot(one.v, other.v)
            }
        }
        return sum
    }

    /// ∂score/∂v of a feature, by central differences.
    func slope(_ feature: Int) -> [Double] {
        features[feature].v.indices.map { f in
            var up = self, down = self
            up.features[feature].v[f] += 1e-4
            down.features[feature].v[f] -= 1e-4
            return (up.score - down.score) / 2e-4
        }
    }
}
