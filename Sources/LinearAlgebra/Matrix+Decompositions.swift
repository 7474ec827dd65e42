import CLAPACK
public import Factorization

extension Matrix {
    /// A = V diag(values) Vᵀ of a symmetric matrix (dsyevd): eigenvalues ascending, eigenvectors as columns.
    public func symmetricEigen() throws(LinearAlgebraError) -> (values: [Double], vectors: Matrix) {
        precondition(rows == columns, "eigenvalues are of a square matrix")
        var vectors = self, found = [Double](repeating: 0, count: rows)
        let info = vectors.values.withUnsafeMutableBufferPointer { a in
            found.withUnsafeMutableBufferPointer { w in
                LAPACKE_dsyevd(LAPACK_ROW_MAJOR, Matrix.letter("V"), Matrix.letter("U"), Int32(rows), a.baseAddress, Int32(max(rows, 1)), w.baseAddress)
            }
        }
        guard info == 0 else { throw .noConvergence(routine: "dsyevd") }
        return (found, vectors)
    }

    /// The eigenvalues of a symmetric matrix alone, ascending.
    public func symmetricEigenvalues() throws(LinearAlgebraError) -> [Double] {
        precondition(rows == columns, "eigenvalues are of a square matrix")
        var work = self, found = [Double](repeating: 0, count: rows)
        let info = work.values.withUnsafeMutableBufferPointer { a in
            found.withUnsafeMutableBufferPointer { w in
                LAPACKE_dsyevd(LAPACK_ROW_MAJOR, Matrix.letter("N"), Matrix.letter("U"), Int32(rows), a.baseAddress, Int32(max(rows, 1)), w.baseAddress)
            }
        }
        guard info == 0 else { throw .noConvergence(routine: "dsyevd") }
        return found
    }

    /// A = U diag(values) Vᵀ (dgesdd), thin: singular values descending, U rows × m, V columns × m with m the lesser of the two.
    public func singular() throws(LinearAlgebraError) -> (u: Matrix, values: [Double], v: Matrix) {
        let size = min(rows, columns)
        var work = self, found = [Double](repeating: 0, count: size)
        var u = Matrix(rows: rows, columns: size), vt = Matrix(rows: size, columns: columns)
        let info = work.values.withUnsafeMutableBufferPointer { a in
            found.withUnsafeMutableBufferPointer { s in
                u.values.withUnsafeMutableBufferPointer { left in
                    vt.values.withUnsafeMutableBufferPointer { right in
                        LAPACKE_dgesdd(
                            LAPACK_ROW_MAJOR, Matrix.letter("S"), Int32(rows), Int32(columns), a.baseAddress, Int32(columns), s.baseAddress,
                            left.baseAddress, Int32(size), right.baseAddress, Int32(columns))
                    }
                }
            }
        }
        guard info == 0 else { throw .noConvergence(routine: "dgesdd") }
        return (u, found, vt.transposed)
    }

    /// The lower triangular L with A = L Lᵀ (dpotrf).
    public func cholesky() throws(LinearAlgebraError) -> Matrix {
        precondition(rows == columns, "a Cholesky factor is of a square matrix")
        var lower = self
        let info = lower.values.withUnsafeMutableBufferPointer { a in
            LAPACKE_dpotrf(LAPACK_ROW_MAJOR, Matrix.letter("L"), Int32(rows), a.baseAddress, Int32(max(rows, 1)))
        }
        guard info == 0 else { throw .notPositiveDefinite(order: Int(info)) }
        for r in 0..<rows { for c in r + 1..<max(columns, r + 1) { lower.values[r * columns + c] = 0 } }
        return lower
    }

    /// The x with A x = b, A symmetric and positive definite (dposv).
    public func solvePositive(_ b: [Double]) throws(LinearAlgebraError) -> [Double] {
        precondition(rows == columns && b.count == rows, "a system has as many equations as unknowns")
        var work = self, x = b
        let info = work.values.withUnsafeMutableBufferPointer { a in
            x.withUnsafeMutableBufferPointer { x in
                // Symmetric: the order of rows and columns does not matter, and column order saves LAPACKE a copy.
                LAPACKE_dposv(
                    LAPACK_COL_MAJOR, Matrix.letter("U"), Int32(rows), 1, a.baseAddress, Int32(max(rows, 1)), x.baseAddress, Int32(max(rows, 1)))
            }
        }
        guard info == 0 else { throw .notPositiveDefinite(order: Int(info)) }
        return x
    }

    /// The X with A X = B, A symmetric and positive definite.
    public func solvePositive(_ b: Matrix) throws(LinearAlgebraError) -> Matrix {
        precondition(rows == columns && b.rows == rows, "a system has as many equations as unknowns")
        var work = self, x = b
        let info = work.values.withUnsafeMutableBufferPointer { a in
            x.values.withUnsafeMutableBufferPointer { x in
                LAPACKE_dposv(
                    LAPACK_ROW_MAJOR, Matrix.letter("U"), Int32(rows), Int32(b.columns), a.baseAddress, Int32(max(rows, 1)), x.baseAddress,
                    Int32(max(b.columns, 1)))
            }
        }
        guard info == 0 else { throw .notPositiveDefinite(order: Int(info)) }
        return x
    }

    /// The x with A x = b for any invertible A (dgesv).
    public func solve(_ b: [Double]) throws(LinearAlgebraError) -> [Double] {
        precondition(rows == columns && b.count == rows, "a system has as many equations as unknowns")
        var work = self, x = b, pivots = [Int32](repeating: 0, count: rows)
        let info = work.values.withUnsafeMutableBufferPointer { a in
            x.withUnsafeMutableBufferPointer { x in
                pivots.withUnsafeMutableBufferPointer { p in
                    LAPACKE_dgesv(LAPACK_ROW_MAJOR, Int32(rows), 1, a.baseAddress, Int32(max(rows, 1)), p.baseAddress, x.baseAddress, 1)
                }
            }
        }
        guard info == 0 else { throw .noConvergence(routine: "dgesv") }
        return x
    }

    static func letter(_ letter: Unicode.Scalar) -> CChar { CChar(letter.value) }
}
