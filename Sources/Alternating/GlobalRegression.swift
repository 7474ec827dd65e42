import Factorization
import Glibc
import LinearAlgebra

/// A `BlockRegression` over all events, whose regressors come as blocks of rows so that BLAS gathers them.
struct GlobalRegression {
    let order: Int
    let loss: AlternatingLoss
    let newtonSteps: Int
    let labels: [Double]
    let weights: [Double]
    private var blocks: [Matrix] = []

    init(order: Int, loss: AlternatingLoss, newtonSteps: Int, labels: [Double], weights: [Double]) {
        self.order = order
        self.loss = loss
        self.newtonSteps = newtonSteps
        self.labels = labels
        self.weights = weights
    }

    mutating func append(_ z: Matrix) { blocks.append(z) }

    func solved(from start: [Double], ridge: [Double]) throws(LinearAlgebraError) -> [Double] {
        var equations = NormalEquations(order: order)
        if loss == .squared {
            each { z, events in
                let weights = Array(weights[events])
                equations.add(rows: z, weights: weights, targets: zip(weights, labels[events]).map { $0 * $1 })
            }
            return try equations.solved(ridge: ridge)
        }
        var theta = start, value = objective(theta, ridge)
        for _ in 0..<newtonSteps {
            equations.reset()
            each { z, events in
                let p = z.times(theta).map { 1 / (1 + exp(-$0)) }, weights = Array(weights[events]), labels = Array(labels[events])
                equations.add(
                    rows: z, weights: p.indices.map { weights[$0] * p[$0] * (1 - p[$0]) },
                    targets: p.indices.map { weights[$0] * (labels[$0] - p[$0]) })
            }
            equations.pullBack(theta, ridge: ridge)
            let step = try equations.solved(ridge: ridge)
            var size = 1.0, next = theta, found = value
            repeat {
                next = theta.indices.map { theta[$0] + size * step[$0] }
                found = objective(next, ridge)
                size /= 2
            } while !(found <= value) && size > 1e-6
            guard found < value else { break }
            let gain = value - found
            theta = next
            value = found
            if gain < 1e-10 * (1 + value) { break }
        }
        return theta
    }

    private func objective(_ theta: [Double], _ ridge: [Double]) -> Double {
        var sum = theta.indices.reduce(0.0) { $0 + 0.5 * ridge[$1] * theta[$1] * theta[$1] }
        each { z, events in
            for (place, score) in z.times(theta).enumerated() {
                let event = events.lowerBound + place
                sum += weights[event] * logisticLoss(score, labels[event])
            }
        }
        return sum
    }

    private func each(_ body: (Matrix, Range<Int>) -> Void) {
        var start = 0
        for block in blocks {
            body(block, start..<start + block.rows)
            start += block.rows
        }
    }
}
