import Factorization
import Glibc
import LinearAlgebra

/// One block of an alternating learner: min over θ of Σ w ℓ(offset + ⟨z, θ⟩, y) + ½ Σ ridge θ².
///
/// Squared loss: one set of normal equations. Logistic loss: Newton's method, each step a weighted ridge regression (IRLS), with
/// steps halved until the objective falls, which a full step near separation does not promise.
struct BlockRegression {
    let order: Int
    let loss: AlternatingLoss
    let newtonSteps: Int
    private var equations: NormalEquations
    private var regressors: [[Double]] = []
    private var offsets: [Double] = []
    private var labels: [Double] = []
    private var weights: [Double] = []

    init(order: Int, loss: AlternatingLoss, newtonSteps: Int) {
        self.order = order
        self.loss = loss
        self.newtonSteps = newtonSteps
        equations = NormalEquations(order: order)
    }

    mutating func reset() {
        equations.reset()
        regressors.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        labels.removeAll(keepingCapacity: true)
        weights.removeAll(keepingCapacity: true)
    }

    mutating func add(_ z: [Double], offset: Double, label: Double, weight: Double) {
        if loss == .squared {
            equations.add(z, weight: weight, target: weight * (label - offset))
            return
        }
        regressors.append(z)
        offsets.append(offset)
        labels.append(label)
        weights.append(weight)
    }

    /// The block's minimum; for logistic loss so many Newton steps towards it, from `start`.
    mutating func solved(from start: [Double], ridge: [Double]) throws(LinearAlgebraError) -> [Double] {
        if loss == .squared { return try equations.solved(ridge: ridge) }
        var theta = start, value = objective(theta, ridge)
        for _ in 0..<newtonSteps {
            equations.reset()
            for index in regressors.indices {
                let p = 1 / (1 + exp(-(offsets[index] + dot(regressors[index], theta))))
                equations.add(regressors[index], weight: weights[index] * p * (1 - p), target: weights[index] * (labels[index] - p))
            }
            equations.pullBack(theta, ridge: ridge)
            let step = try equations.solved(ridge: ridge)
            var size = 1.0, next = theta, found = value
            repeat {
                for index in 0..<order { next[index] = theta[index] + size * step[index] }
                found = objective(next, ridge)
                size /= 2
            } while !(found <= value) && size > 1e-6
            guard found < value else { break }
            let gain = value - found
            theta = next
            value = found
            if gain < 1e-12 * (1 + value) { break }
        }
        return theta
    }

    private func objective(_ theta: [Double], _ ridge: [Double]) -> Double {
        var sum = 0.0
        for index in 0..<order { sum += 0.5 * ridge[index] * theta[index] * theta[index] }
        for index in regressors.indices {
            sum += weights[index] * logisticLoss(offsets[index] + dot(regressors[index], theta), labels[index])
        }
        return sum
    }
}

/// ln(1 + e^score) − label · score, without overflow.
func logisticLoss(_ score: Double, _ label: Double) -> Double {
    max(score, 0) + log1p(exp(-score.magnitude)) - label * score
}

func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for index in a.indices { sum += a[index] * b[index] }
    return sum
}
