import Factorization
import LinearAlgebra
import StreamTools

/// Fits V S Vᵀ, S a diagonal of signs, to some entries of a symmetric matrix, by Levenberg and Marquardt: quadratic convergence,
/// so that "reached" and "not reached" lie many digits apart.
///
/// All signs +1 is an `fm`; k of each sign is a `gfm` of rank k, since ½(U Vᵀ + V Uᵀ) = A Aᵀ − B Bᵀ with A, B = (U ± V)/2; any signs
/// is a symmetric `bilinear` (the eigenvalues of W).
struct MaskedFit {
    let target: Matrix
    /// By row: the columns that count; symmetric, without the diagonal.
    let partners: [[Int]]
    let signs: [Double]

    /// - Parameter counts: whether the entry of two different indices is given.
    init(_ target: Matrix, signs: [Double], counts: (Int, Int) -> Bool) {
        self.target = target
        self.signs = signs
        partners = (0..<target.rows).map { r in (0..<target.rows).filter { $0 != r && counts(r, $0) } }
    }

    private var size: Double {
        var sum = 0.0
        for r in 0..<target.rows { for c in partners[r] { sum += target[r, c] * target[r, c] } }
        return sum
    }

    /// The least relative error ‖residual‖/‖target‖ over the given entries that several starts reach.
    func leastError(starts: Int, steps: Int = 200, seed: UInt64, enough: Double = 1e-9) throws(LinearAlgebraError) -> Double {
        var best = Double.infinity
        for start in 0..<starts where best > enough {
            var source = RandomSource(seed: seed &+ UInt64(start) &* 7919)
            let first = source.gaussian(rows: target.rows, columns: signs.count, deviation: (1 / Double(signs.count)).squareRoot())
            best = min(best, try error(after: steps, from: first, enough: enough))
        }
        return best
    }

    func error(of v: Matrix) -> Double { (residuals(v).squares / size).squareRoot() }

    private func error(after steps: Int, from first: Matrix, enough: Double) throws(LinearAlgebraError) -> Double {
        var v = first, damping = 1.0, (residual, squares) = residuals(first), stalled = 0
        let size = size
        for _ in 0..<steps where (squares / size).squareRoot() > enough && stalled < 8 {
            let (hessian, gradient) = equations(v, residual)
            var isBetter = false
            // Each try costs a solve; a damping that grows fourfold meets a step that goes down soon.
            for _ in 0..<8 where !isBetter {
                let step = try hessian.addingToDiagonal(damping).solvePositive(gradient)
                var next = v
                for index in step.indices { next.values[index] -= step[index] }
                let found = residuals(next)
                if found.squares < squares {
                    stalled = found.squares > squares * (1 - 1e-4) ? stalled + 1 : 0
                    (v, residual, squares) = (next, found.residual, found.squares)
                    damping = max(damping / 3, 1e-12)
                    isBetter = true
                } else {
                    damping *= 4
                }
            }
            if !isBetter { break }
        }
        return (squares / size).squareRoot()
    }

    private func residuals(_ v: Matrix) -> (residual: Matrix, squares: Double) {
        let all = v.scalingColumns(by: signs).timesTransposed(v)
        var residual = Matrix(rows: target.rows, columns: target.rows), squares = 0.0
        for r in 0..<target.rows {
            for c in partners[r] {
                let error = all.values[r * target.rows + c] - target.values[r * target.rows + c]
                residual.values[r * target.rows + c] = error
                squares += error * error
            }
        }
        return (residual, squares)
    }

    /// Gauss and Newton's matrix, and the gradient, of ½ Σ_{i<j} residual².
    private func equations(_ v: Matrix, _ residual: Matrix) -> (Matrix, [Double]) {
        let k = signs.count, order = v.rows * k
        let signed = v.scalingColumns(by: signs)
        var hessian = Matrix(rows: order, columns: order)
        for r in 0..<v.rows {
            for c in partners[r] {
                for a in 0..<k {
                    let at = (r * k + a) * order, other = signed.values[c * k + a]
                    for b in 0..<k {
                        hessian.values[at + r * k + b] += other * signed.values[c * k + b]
                        hessian.values[at + c * k + b] = other * signed.values[r * k + b]
                    }
                }
            }
        }
        return (hessian, residual.times(signed).values)
    }
}
