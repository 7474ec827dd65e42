/// A small dense matrix in double precision, row after row: what the exact forms of the regularisers are written in.
///
/// Products are plain loops; meant for k × k work (k up to some hundred), not for tables.
public struct Matrix: Sendable, Equatable {
    public let rows: Int
    public let columns: Int
    /// rows × columns values, row after row.
    public var values: [Double]

    /// A matrix of zeros.
    public init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        values = Array(repeating: 0, count: rows * columns)
    }

    /// - Precondition: the rows are equally long.
    public init(_ rows: [[Double]]) {
        let columns = rows.first?.count ?? 0
        precondition(rows.allSatisfy { $0.count == columns }, "the rows of a matrix are equally long")
        self.rows = rows.count
        self.columns = columns
        values = rows.flatMap { $0 }
    }

    @inlinable
    public subscript(row: Int, column: Int) -> Double {
        get { values[row * columns + column] }
        set { values[row * columns + column] = newValue }
    }

    /// One row as a vector.
    public func row(_ index: Int) -> [Double] { Array(values[index * columns..<(index + 1) * columns]) }

    public var transposed: Matrix {
        var result = Matrix(rows: columns, columns: rows)
        for r in 0..<rows { for c in 0..<columns { result[c, r] = self[r, c] } }
        return result
    }

    /// Σ of the diagonal.
    /// - Precondition: the matrix is square.
    public var trace: Double {
        precondition(rows == columns, "a trace is of a square matrix")
        return (0..<rows).reduce(0) { $0 + self[$1, $1] }
    }

    /// M += a x yᵀ.
    public mutating func add(_ a: Double = 1, _ x: [Double], _ y: [Double]) {
        precondition(x.count == rows && y.count == columns, "the vectors span the matrix")
        for r in 0..<rows { for c in 0..<columns { self[r, c] += a * x[r] * y[c] } }
    }

    public static func * (a: Matrix, b: Matrix) -> Matrix {
        precondition(a.columns == b.rows, "the inner sizes of a product agree")
        var result = Matrix(rows: a.rows, columns: b.columns)
        for r in 0..<a.rows {
            for m in 0..<a.columns {
                let x = a[r, m]
                for c in 0..<b.columns { result[r, c] += x * b[m, c] }
            }
        }
        return result
    }

    public static func * (a: Matrix, x: [Double]) -> [Double] {
        precondition(a.columns == x.count, "the inner sizes of a product agree")
        return (0..<a.rows).map { r in (0..<a.columns).reduce(0) { $0 + a[r, $1] * x[$1] } }
    }

    public static func * (factor: Double, a: Matrix) -> Matrix {
        var result = a
        for index in result.values.indices { result.values[index] *= factor }
        return result
    }
}
