import CLAPACK
public import Factorization

/// Products by BLAS; those of `Matrix` itself are plain loops for small sizes.
extension Matrix {
    /// A B.
    public func times(_ other: Matrix) -> Matrix { Matrix.multiply(self, CblasNoTrans, other, CblasNoTrans) }
    /// Aᵀ B.
    public func transposedTimes(_ other: Matrix) -> Matrix { Matrix.multiply(self, CblasTrans, other, CblasNoTrans) }
    /// A Bᵀ.
    public func timesTransposed(_ other: Matrix) -> Matrix { Matrix.multiply(self, CblasNoTrans, other, CblasTrans) }

    /// A x.
    public func times(_ x: [Double]) -> [Double] {
        precondition(x.count == columns, "the inner sizes of a product agree")
        var result = [Double](repeating: 0, count: rows)
        values.withUnsafeBufferPointer { a in
            x.withUnsafeBufferPointer { x in
                result.withUnsafeMutableBufferPointer { y in
                    cblas_dgemv(
                        CblasRowMajor, CblasNoTrans, Int32(rows), Int32(columns), 1, a.baseAddress, Int32(max(columns, 1)), x.baseAddress, 1, 0,
                        y.baseAddress, 1)
                }
            }
        }
        return result
    }

    /// Σ_j weights[row, j] · (row j of this matrix): one row of the product of `weights` with this matrix.
    public func combinedRows(weights: Matrix, row: Int) -> [Double] {
        precondition(weights.columns == rows, "one weight for each row")
        var result = [Double](repeating: 0, count: columns)
        values.withUnsafeBufferPointer { a in
            weights.values.withUnsafeBufferPointer { w in
                result.withUnsafeMutableBufferPointer { y in
                    cblas_dgemv(
                        CblasRowMajor, CblasTrans, Int32(rows), Int32(columns), 1, a.baseAddress, Int32(max(columns, 1)),
                        w.baseAddress! + row * weights.columns, 1, 0, y.baseAddress, 1)
                }
            }
        }
        return result
    }

    private static func multiply(_ a: Matrix, _ aForm: CBLAS_TRANSPOSE, _ b: Matrix, _ bForm: CBLAS_TRANSPOSE) -> Matrix {
        let rows = aForm == CblasNoTrans ? a.rows : a.columns, inner = aForm == CblasNoTrans ? a.columns : a.rows
        let columns = bForm == CblasNoTrans ? b.columns : b.rows
        precondition(inner == (bForm == CblasNoTrans ? b.rows : b.columns), "the inner sizes of a product agree")
        var result = Matrix(rows: rows, columns: columns)
        guard rows > 0, columns > 0, inner > 0 else { return result }
        a.values.withUnsafeBufferPointer { left in
            b.values.withUnsafeBufferPointer { right in
                result.values.withUnsafeMutableBufferPointer { out in
                    cblas_dgemm(
                        CblasRowMajor, aForm, bForm, Int32(rows), Int32(columns), Int32(inner), 1, left.baseAddress, Int32(a.columns),
                        right.baseAddress, Int32(b.columns), 0, out.baseAddress, Int32(columns))
                }
            }
        }
        return result
    }

    /// A diag(factors).
    public func scalingColumns(by factors: [Double]) -> Matrix {
        precondition(factors.count == columns, "one factor for each column")
        var result = self
        for r in 0..<rows { for c in 0..<columns { result.values[r * columns + c] *= factors[c] } }
        return result
    }

    /// A + shift · I.
    public func addingToDiagonal(_ shift: Double) -> Matrix { addingToDiagonal([Double](repeating: shift, count: rows)) }

    /// A + diag(shifts).
    public func addingToDiagonal(_ shifts: [Double]) -> Matrix {
        precondition(rows == columns && shifts.count == rows, "one shift for each place of a square matrix's diagonal")
        var result = self
        for index in 0..<rows { result.values[index * columns + index] += shifts[index] }
        return result
    }

    /// Columns `range` alone.
    public func columns(_ range: Range<Int>) -> Matrix {
        var result = Matrix(rows: rows, columns: range.count)
        for r in 0..<rows { for c in range { result.values[r * range.count + c - range.lowerBound] = values[r * columns + c] } }
        return result
    }

    /// Rows `range` alone.
    public func rows(_ range: Range<Int>) -> Matrix {
        var result = Matrix(rows: range.count, columns: columns)
        result.values = Array(values[range.lowerBound * columns..<range.upperBound * columns])
        return result
    }

    /// A below this matrix.
    public func stacked(on other: Matrix) -> Matrix {
        precondition(columns == other.columns, "stacked matrices are equally wide")
        var result = Matrix(rows: rows + other.rows, columns: columns)
        result.values = values + other.values
        return result
    }

    /// ‖A‖² = Σ a².
    public var squaredNorm: Double { values.reduce(0) { $0 + $1 * $1 } }

    public static func - (a: Matrix, b: Matrix) -> Matrix {
        precondition(a.rows == b.rows && a.columns == b.columns, "the sizes of a difference agree")
        var result = a
        for index in result.values.indices { result.values[index] -= b.values[index] }
        return result
    }
}
