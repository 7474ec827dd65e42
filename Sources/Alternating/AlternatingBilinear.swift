public import Factorization
public import LinearAlgebra

/// The bilinear model learned by alternation: score = w0 + ⟨w_u, p⟩ + ⟨w_i, q⟩ + pᵀ W q, one user and one item an event.
///
/// A pass solves the rows of V^u, those of V^i, then (w0, w_u, w_i, W) together, each a ridge regression: of a user's row on
/// W q + w_u, of an item's on Wᵀ p + w_i, of the global part on (1, p, q, p ⊗ q). No pass raises the objective.
public struct AlternatingBilinear: Sendable {
    /// Ridges may change between passes; rank and loss stay.
    public var settings: AlternatingSettings
    public private(set) var bias = 0.0
    public private(set) var userWeight: [Double]
    public private(set) var itemWeight: [Double]
    /// W, k × k.
    public private(set) var matrix: Matrix
    /// V^u and V^i, a row each.
    public private(set) var users: Matrix
    public private(set) var items: Matrix
    /// Events of the global regression that are gathered at a time.
    private static let chunk = 512

    public init(users: Int, items: Int, settings: AlternatingSettings) {
        self.settings = settings
        userWeight = [Double](repeating: 0, count: settings.rank)
        itemWeight = userWeight
        matrix = Matrix(rows: settings.rank, columns: settings.rank).addingToDiagonal(1)
        self.users = settings.firstFactors(group: 0, rows: users)
        self.items = settings.firstFactors(group: 1, rows: items)
    }

    public func score(user: Int, item: Int) -> Double {
        let p = users.row(user), q = items.row(item)
        return bias + dot(userWeight, p) + dot(itemWeight, q) + dot(p, matrix * q)
    }

    /// All scores, users × items.
    public var scores: Matrix {
        var all = users.times(matrix).timesTransposed(items)
        let left = users.times(userWeight), right = items.times(itemWeight)
        for u in 0..<all.rows { for i in 0..<all.columns { all.values[u * all.columns + i] += bias + left[u] + right[i] } }
        return all
    }

    /// Σ w ℓ over events, without the ridge.
    public func loss(_ data: Observations) -> Double {
        let images = items.timesTransposed(matrix), rank = settings.rank
        var sum = 0.0
        for event in 0..<data.count {
            let u = data.features[0][event] * rank, i = data.features[1][event] * rank
            var score = bias
            for k in 0..<rank {
                score += users.values[u + k] * (images.values[i + k] + userWeight[k]) + itemWeight[k] * items.values[i + k]
            }
            let label = data.labels[event]
            sum += data.weights[event] * (settings.loss == .squared ? 0.5 * (score - label) * (score - label) : logisticLoss(score, label))
        }
        return sum
    }

    /// What a pass lowers: loss and ridge.
    public func objective(_ data: Observations) -> Double {
        loss(data) + 0.5 * settings.factorRidge * (users.squaredNorm + items.squaredNorm) + 0.5 * settings.matrixRidge * matrix.squaredNorm
            + 0.5 * settings.weightRidge * (dot(userWeight, userWeight) + dot(itemWeight, itemWeight))
    }

    /// Solves every block once.
    public mutating func pass(_ data: Observations) throws(LinearAlgebraError) {
        precondition(data.groups == 2, "the bilinear model has users and items")
        try solveRows(0, data)
        try solveRows(1, data)
        try solveGlobal(data)
    }

    /// Rows of one side: z = W q + w_u with offset w0 + ⟨w_i, q⟩ for a user, and the same the other way round.
    private mutating func solveRows(_ side: Int, _ data: Observations) throws(LinearAlgebraError) {
        let rank = settings.rank, others = side == 0 ? items : users
        var regressors = side == 0 ? others.timesTransposed(matrix) : others.times(matrix)
        let own = side == 0 ? userWeight : itemWeight, constants = others.times(side == 0 ? itemWeight : userWeight)
        for r in 0..<regressors.rows { for k in 0..<rank { regressors.values[r * rank + k] += own[k] } }
        let rows = (0..<regressors.rows).map { regressors.row($0) }
        var block = BlockRegression(order: rank, loss: settings.loss, newtonSteps: settings.newtonSteps)
        let ridge = [Double](repeating: settings.factorRidge, count: rank)
        for feature in 0..<data.sizes[side] {
            let events = data.events(side, feature)
            if events.isEmpty { continue }
            block.reset()
            for event in events {
                let other = data.features[1 - side][event]
                block.add(rows[other], offset: bias + constants[other], label: data.labels[event], weight: data.weights[event])
            }
            let theta = try block.solved(from: (side == 0 ? users : items).row(feature), ridge: ridge)
            for k in 0..<rank {
                if side == 0 { users.values[feature * rank + k] = theta[k] } else { items.values[feature * rank + k] = theta[k] }
            }
        }
    }

    /// (w0, w_u, w_i, W) at once, by rows of (1, p, q, p ⊗ q).
    private mutating func solveGlobal(_ data: Observations) throws(LinearAlgebraError) {
        let rank = settings.rank, order = 1 + 2 * rank + rank * rank
        let ridge = [1e-9] + [Double](repeating: settings.weightRidge, count: 2 * rank) + [Double](repeating: settings.matrixRidge, count: rank * rank)
        var theta = [bias] + userWeight + itemWeight + matrix.values
        var block = GlobalRegression(order: order, loss: settings.loss, newtonSteps: settings.newtonSteps, labels: data.labels, weights: data.weights)
        for start in stride(from: 0, to: data.count, by: AlternatingBilinear.chunk) {
            let end = min(data.count, start + AlternatingBilinear.chunk)
            var z = Matrix(rows: end - start, columns: order)
            for event in start..<end {
                let u = data.features[0][event] * rank, i = data.features[1][event] * rank, row = (event - start) * order
                z.values[row] = 1
                for k in 0..<rank {
                    let p = users.values[u + k]
                    z.values[row + 1 + k] = p
                    z.values[row + 1 + rank + k] = items.values[i + k]
                    for l in 0..<rank { z.values[row + 1 + 2 * rank + k * rank + l] = p * items.values[i + l] }
                }
            }
            block.append(z)
        }
        theta = try block.solved(from: theta, ridge: ridge)
        bias = theta[0]
        userWeight = Array(theta[1..<1 + rank])
        itemWeight = Array(theta[1 + rank..<1 + 2 * rank])
        matrix.values = Array(theta[(1 + 2 * rank)...])
    }
}
