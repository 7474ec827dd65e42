import CLAPACK
import Factorization

/// The library underneath.
public enum BLAS {
    /// How many threads one operation may use. One gives the same rounding on every run; OpenBLAS takes all processors unless
    /// told.
    public static func limitThreads(_ count: Int) { openblas_set_num_threads(Int32(count)) }

    /// Multiplies and decomposes matrices whose results are known otherwise, since old builds of OpenBLAS compute wrong results
    /// on processors that came after them.
    /// - Throws: `wrongResults` with what to do.
    public static func check() throws(LinearAlgebraError) {
        // Sizes past every blocking of the kernels, and no multiple of any.
        for size in [7, 37, 131, 293] {
            var a = Matrix(rows: size, columns: size)
            for index in a.values.indices { a.values[index] = Double(mix64(UInt64(index)) >> 11) * 0x1p-53 - 0.5 }
            // (A A) x against A (A x), the latter by plain loops: a wrong product agrees for no random x (Freivalds 1977).
            let x = a.row(size / 2), wanted = a * (a * x), found = a.times(a) * x
            let error = zip(found, wanted).reduce(0) { ($1.0 - $1.1).isNaN ? .infinity : max($0, ($1.0 - $1.1).magnitude) }
            guard error < 1e-11 * Double(size) else { throw .wrongResults(routine: "dgemm", error: error) }
            let symmetric = a.timesTransposed(a), (values, vectors) = try symmetric.symmetricEigen()
            let rebuilt = vectors.scalingColumns(by: values).timesTransposed(vectors)
            let eigenError = largest(difference: rebuilt, symmetric)
            guard eigenError < 1e-11 * Double(size) else { throw .wrongResults(routine: "dsyevd", error: eigenError) }
            let lower = try symmetric.addingToDiagonal(1).cholesky()
            let factorError = largest(difference: lower.timesTransposed(lower), symmetric.addingToDiagonal(1))
            guard factorError < 1e-11 * Double(size) else { throw .wrongResults(routine: "dpotrf", error: factorError) }
        }
    }

    private static func largest(difference a: Matrix, _ b: Matrix) -> Double {
        // A value that is not a number must not pass as small.
        zip(a.values, b.values).reduce(0) { worst, pair in
            let error = (pair.0 - pair.1).magnitude
            return error.isNaN ? .infinity : max(worst, error)
        }
    }
}
