import CLAPACK
public import Factorization

/// The normal equations of a ridge regression, gathered observation by observation: (Σ w z zᵀ + diag(ridge)) θ = Σ w y z.
public struct NormalEquations: Sendable {
    /// Unknowns.
    public let order: Int
    /// Σ w z zᵀ; the upper triangle counts.
    private var matrix: [Double]
    private var right: [Double]

    public init(order: Int) {
        self.order = order
        matrix = [Double](repeating: 0, count: order * order)
        right = [Double](repeating: 0, count: order)
    }

    /// Starts anew, from a matrix that all regressions share (Gram of the other side) or from nothing.
    public mutating func reset(to shared: Matrix? = nil) {
        precondition(shared.map { $0.rows == order && $0.columns == order } ?? true, "the shared part has the order of the equations")
        if let shared { matrix = shared.values } else { for index in matrix.indices { matrix[index] = 0 } }
        for index in right.indices { right[index] = 0 }
    }

    /// Adds w z zᵀ and t z: for a regression t = w y.
    @inline(__always)
    public mutating func add(_ z: [Double], weight: Double, target: Double) {
        precondition(z.count == order, "one regressor for each unknown")
        z.withUnsafeBufferPointer { z in
            matrix.withUnsafeMutableBufferPointer { a in
                for r in 0..<order {
                    let scaled = weight * z[r]
                    for c in r..<order { a[r &* order &+ c] += scaled * z[c] }
                }
            }
            for r in 0..<order { right[r] += target * z[r] }
        }
    }

    /// The same for many observations at once: rows of `z`, a weight and a target each.
    public mutating func add(rows z: Matrix, weights: [Double], targets: [Double]) {
        precondition(z.columns == order && weights.count == z.rows && targets.count == z.rows, "a weight and a target for each row")
        var scaled = z
        for r in 0..<z.rows { for c in 0..<order { scaled.values[r * order + c] *= weights[r] } }
        let gram = z.transposedTimes(scaled)
        for index in matrix.indices { matrix[index] += gram.values[index] }
        for r in 0..<z.rows { for c in 0..<order { right[c] += targets[r] * z.values[r * order + c] } }
    }

    /// Moves the right side by −ridge · θ: what a Newton step from θ needs of a ridge.
    public mutating func pullBack(_ theta: [Double], ridge: [Double]) {
        for index in 0..<order { right[index] -= ridge[index] * theta[index] }
    }

    /// θ, with a ridge for each unknown.
    /// - Throws: `notPositiveDefinite` where observations and ridge do not fix every unknown.
    public func solved(ridge: [Double]) throws(LinearAlgebraError) -> [Double] {
        var work = matrix, theta = right
        let info = work.withUnsafeMutableBufferPointer { a in
            theta.withUnsafeMutableBufferPointer { x in
                for index in 0..<order { a[index * order + index] += ridge[index] }
                // The upper triangle by rows is the lower one by columns.
                return LAPACKE_dposv_work(
                    LAPACK_COL_MAJOR, Matrix.letter("L"), Int32(order), 1, a.baseAddress, Int32(order), x.baseAddress, Int32(order))
            }
        }
        guard info == 0 else { throw .notPositiveDefinite(order: Int(info)) }
        return theta
    }
}
