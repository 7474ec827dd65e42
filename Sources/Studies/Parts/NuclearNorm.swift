public import Factorization
public import LinearAlgebra
import StreamTools

/// The least ½(‖P‖² + ‖Q‖²) with P Qᵀ = R, found by alternating ridge regressions and certified from both sides without a singular
/// value decomposition of R.
///
/// With a ridge λ the residual says what the dual is: Y = (R − P Qᵀ)/λ has ‖Y‖_op ≤ 1 at the optimum, and ⟨R, Y⟩ is a lower bound
/// of the nuclear norm. One regression without ridge makes P Qᵀ = R exact again: an upper bound.
public struct NuclearNorm: Sendable {
    /// ½(‖P‖² + ‖Q‖²) of factors with P Qᵀ = R.
    public let value: Double
    /// ⟨R, Y⟩ with ‖Y‖_op ≤ 1.
    public let bound: Double
    /// ‖Y‖_op before it was brought to 1 at most.
    public let dualNorm: Double
    /// ‖P Qᵀ − R‖/‖R‖ of the factors behind `value`.
    public let error: Double

    /// - Parameters:
    ///   - ridge: λ relative to the mean singular value's size ‖R‖/√rank.
    public init(_ matrix: Matrix, ridge: Double = 0.01, passes: Int = 600, seed: UInt64 = 1) throws(LinearAlgebraError) {
        let rank = min(matrix.rows, matrix.columns), size = (matrix.squaredNorm / Double(rank)).squareRoot(), lambda = ridge * size
        var source = RandomSource(seed: seed)
        // Rows of both sides as long as a balanced factorisation has them.
        var q = source.gaussian(rows: matrix.columns, columns: rank, deviation: (size / Double(matrix.columns)).squareRoot()), p = q
        for pass in 0..<passes {
            // From strong to weak: small directions leave zero late, and a weak ridge balances the two sides slowly.
            let now = max(lambda, size * power(0.93, Double(pass)))
            p = try NuclearNorm.side(matrix, q, now)
            q = try NuclearNorm.side(matrix.transposed, p, now)
        }
        let dual = (1 / lambda) * (matrix - p.timesTransposed(q))
        let top = try dual.transposedTimes(dual).symmetricEigenvalues().last ?? 0
        dualNorm = max(0, top).squareRoot()
        bound = zip(matrix.values, dual.values).reduce(0) { $0 + $1.0 * $1.1 } / max(1, dualNorm)
        let exact = try NuclearNorm.side(matrix, q, 1e-12 * size)
        value = 0.5 * (exact.squaredNorm + q.squaredNorm)
        error = ((exact.timesTransposed(q) - matrix).squaredNorm / matrix.squaredNorm).squareRoot()
    }

    /// P = R Q (QᵀQ + λ)⁻¹.
    private static func side(_ matrix: Matrix, _ q: Matrix, _ lambda: Double) throws(LinearAlgebraError) -> Matrix {
        try q.transposedTimes(q).addingToDiagonal(lambda).solvePositive(matrix.times(q).transposed).transposed
    }
}
