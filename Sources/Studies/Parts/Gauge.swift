public import Factorization
public import LinearAlgebra

/// Comparing learned factors with true ones, which agree only up to transformations that leave every score as it is.
public enum Gauge {
    /// A rank-k matrix X as two balanced factors, U√Σ and V√Σ.
    public static func balanced(_ x: Matrix, rank: Int) throws(LinearAlgebraError) -> (left: Matrix, right: Matrix) {
        let (u, values, v) = try x.singular(), roots = values.prefix(rank).map { $0.squareRoot() }
        return (u.columns(0..<rank).scalingColumns(by: roots), v.columns(0..<rank).scalingColumns(by: roots))
    }

    /// Each column's mean taken out.
    public static func centred(_ factors: Matrix) -> Matrix {
        var result = factors
        for c in 0..<factors.columns {
            let mean = (0..<factors.rows).reduce(0) { $0 + factors[$1, c] } / Double(factors.rows)
            for r in 0..<factors.rows { result[r, c] -= mean }
        }
        return result
    }

    /// The orthogonal O that brings `factors` O closest to `target` (Schönemann 1966), and ‖factors O − target‖ ÷ ‖target‖.
    public static func procrustes(_ factors: Matrix, to target: Matrix) throws(LinearAlgebraError) -> (rotation: Matrix, error: Double) {
        let (u, _, v) = try factors.transposedTimes(target).singular()
        let rotation = u.timesTransposed(v)
        return (rotation, ((factors.times(rotation) - target).squaredNorm / target.squaredNorm).squareRoot())
    }

    /// The principal angles between the spaces that the columns span, in degrees, largest first.
    ///
    /// By sines, the singular values of (I − A Aᵀ) B, which hold their digits where cosines are near 1 (Björck and Golub 1973).
    public static func principalAngles(_ a: Matrix, _ b: Matrix) throws(LinearAlgebraError) -> [Double] {
        let left = try a.singular().u, right = try b.singular().u
        let sines = try (right - left.times(left.transposedTimes(right))).singular().values
        return sines.map { arcSine($0) * 180 / .pi }
    }
}
