public import Factorization
public import LinearAlgebra

/// A factorisation machine over groups of features, learned by alternation: score = w0 + Σ_g w_g + Σ_{g<h} ⟨v_g, v_h⟩, one
/// feature of each group. Two groups are matrix factorisation with linear terms (`mf`).
///
/// With all else fixed, each feature's (w, v) is a ridge regression on (1, Σ of the other groups' v). A pass goes through every
/// group and then w0; no pass raises the objective.
public struct AlternatingMachine: Sendable {
    /// Ridges may change between passes; rank and loss stay.
    public var settings: AlternatingSettings
    public private(set) var bias = 0.0
    /// By group.
    public private(set) var weights: [[Double]]
    /// By group: a row for each feature.
    public private(set) var factors: [Matrix]

    public init(sizes: [Int], settings: AlternatingSettings) {
        self.settings = settings
        weights = sizes.map { [Double](repeating: 0, count: $0) }
        factors = sizes.enumerated().map { settings.firstFactors(group: $0.offset, rows: $0.element) }
    }

    /// The score of one feature of each group.
    public func score(_ features: [Int]) -> Double {
        var sum = bias
        for (g, a) in features.enumerated() {
            sum += weights[g][a]
            for h in g + 1..<features.count { sum += product(g, a, h, features[h]) }
        }
        return sum
    }

    /// Σ w ℓ over events, without the ridge.
    public func loss(_ data: Observations) -> Double {
        (0..<data.count).reduce(0) { sum, event in
            let score = score(data.features.map { $0[event] }), label = data.labels[event]
            let loss = settings.loss == .squared ? 0.5 * (score - label) * (score - label) : logisticLoss(score, label)
            return sum + data.weights[event] * loss
        }
    }

    /// What a pass lowers: loss and ridge.
    public func objective(_ data: Observations) -> Double {
        let factorNorm = factors.reduce(0) { $0 + $1.squaredNorm }
        let weightNorm = weights.reduce(0) { $0 + $1.reduce(0) { $0 + $1 * $1 } }
        return loss(data) + 0.5 * settings.factorRidge * factorNorm + 0.5 * settings.weightRidge * weightNorm
    }

    /// Solves every block once.
    /// - Throws: `notPositiveDefinite` where a ridge of 0 leaves a feature without enough events.
    public mutating func pass(_ data: Observations) throws(LinearAlgebraError) {
        for group in factors.indices { try solve(group, data) }
        try solveBias(data)
    }

    private mutating func solve(_ group: Int, _ data: Observations) throws(LinearAlgebraError) {
        let rank = settings.rank
        var block = BlockRegression(order: rank + 1, loss: settings.loss, newtonSteps: settings.newtonSteps)
        let ridge = [Double](repeating: settings.factorRidge, count: rank) + [settings.weightRidge]
        var z = [Double](repeating: 1, count: rank + 1)
        for feature in 0..<data.sizes[group] {
            let events = data.events(group, feature)
            if events.isEmpty { continue }
            block.reset()
            for event in events {
                var offset = bias
                for k in 0..<rank { z[k] = 0 }
                for h in factors.indices where h != group {
                    let other = data.features[h][event]
                    offset += weights[h][other]
                    // The others' products with each other: what is in z already, times the next.
                    for k in 0..<rank {
                        let value = factors[h].values[other * rank + k]
                        offset += z[k] * value
                        z[k] += value
                    }
                }
                block.add(z, offset: offset, label: data.labels[event], weight: data.weights[event])
            }
            let theta = try block.solved(from: factors[group].row(feature) + [weights[group][feature]], ridge: ridge)
            for k in 0..<rank { factors[group].values[feature * rank + k] = theta[k] }
            weights[group][feature] = theta[rank]
        }
    }

    private mutating func solveBias(_ data: Observations) throws(LinearAlgebraError) {
        var block = BlockRegression(order: 1, loss: settings.loss, newtonSteps: settings.newtonSteps)
        for event in 0..<data.count {
            let score = score(data.features.map { $0[event] })
            block.add([1], offset: score - bias, label: data.labels[event], weight: data.weights[event])
        }
        // Nothing holds w0 back; the trace only keeps the system of an empty stream solvable.
        bias = try block.solved(from: [bias], ridge: [1e-9])[0]
    }

    private func product(_ g: Int, _ a: Int, _ h: Int, _ b: Int) -> Double {
        let rank = settings.rank
        var sum = 0.0
        for k in 0..<rank { sum += factors[g].values[a * rank + k] * factors[h].values[b * rank + k] }
        return sum
    }
}
