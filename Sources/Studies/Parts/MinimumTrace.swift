public import Factorization
public import LinearAlgebra
import StreamTools

/// The diagonal of least trace that completes a symmetric matrix to a positive semidefinite one: minimum-trace factor analysis.
///
/// The primal, min Σ d with M + diag(d) ⪰ 0, has the dual max −⟨M, Y⟩ with Y ⪰ 0 and diag(Y) = 1. The dual is climbed by
/// coordinates on Y = R Rᵀ with rows of length 1, r_i ← −g_i/‖g_i‖, g_i = Σ_j M_ij r_j (the mixing method, Wang and Kolter 2017);
/// d_i = ‖g_i‖, lifted by −λ_min where M + diag(d) is not yet semidefinite, is feasible. The gap between the two certifies both.
public struct MinimumTrace: Sendable {
    /// Feasible: M + diag(d) is positive semidefinite up to rounding.
    public let diagonal: [Double]
    /// Σ d.
    public let value: Double
    /// What no feasible diagonal can be below.
    public let bound: Double
    public let sweeps: Int

    /// (value − bound) / value.
    public var gap: Double { (value - bound) / max(value.magnitude, .leastNormalMagnitude) }

    /// - Parameters:
    ///   - matrix: symmetric; its diagonal does not count.
    ///   - tolerance: relative gap that is enough.
    ///   - sweeps: most passes over all coordinates.
    public init(_ matrix: Matrix, tolerance: Double = 1e-6, sweeps most: Int = 2000, seed: UInt64 = 1) throws(LinearAlgebraError) {
        let size = matrix.rows
        // Past r(r + 1)/2 = n the factored dual has no bad local maxima (Barvinok and Pataki).
        let rank = max(2, Int((2 * Double(size)).squareRoot().rounded(.up)) + 1)
        var clean = matrix
        for index in 0..<size { clean[index, index] = 0 }
        var source = RandomSource(seed: seed), rows = source.gaussian(rows: size, columns: rank)
        for index in 0..<size { MinimumTrace.put(rows.row(index), scale: 1, into: &rows, index) }
        var best: (diagonal: [Double], value: Double)?, bound = -Double.infinity, sweep = 0, check = 10
        while true {
            var norms = [Double](repeating: 0, count: size)
            for index in 0..<size {
                let pull = rows.combinedRows(weights: clean, row: index)
                norms[index] = MinimumTrace.put(pull, scale: -1, into: &rows, index)
            }
            sweep += 1
            guard sweep >= check || sweep >= most else { continue }
            check = sweep + max(10, sweep / 4)
            // Y has a unit diagonal by construction: −⟨M, Y⟩ is a bound whatever the state of the climb.
            bound = max(bound, -zip(clean.times(rows).values, rows.values).reduce(0) { $0 + $1.0 * $1.1 })
            let least = try clean.addingToDiagonal(norms).symmetricEigenvalues()[0]
            let diagonal = norms.map { $0 + max(0, -least) }, value = diagonal.reduce(0, +)
            if best.map({ value < $0.value }) ?? true { best = (diagonal, value) }
            if best!.value - bound <= tolerance * best!.value.magnitude || sweep >= most { break }
        }
        diagonal = best!.diagonal
        value = best!.value
        self.bound = bound
        self.sweeps = sweep
    }

    /// Writes a vector, brought to length 1, as a row; answers the length it had. A zero vector leaves the row.
    @discardableResult
    private static func put(_ vector: [Double], scale: Double, into rows: inout Matrix, _ index: Int) -> Double {
        let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard norm > 0 else { return 0 }
        for column in vector.indices { rows.values[index * rows.columns + column] = scale * vector[column] / norm }
        return norm
    }
}
