/// G = Σ_j v_j v_jᵀ over a set of rows (k × k), exact, with what happens to it as rows move.
///
/// The live form, in float and shared by trainers, is `GramState`; this one serves studies and tests.
public struct Gram: Sendable, Equatable {
    public private(set) var matrix: Matrix

    /// G of no rows.
    public init(rank: Int) { matrix = Matrix(rows: rank, columns: rank) }

    /// G of the rows of a matrix: Vᵀ V.
    public init(_ vectors: Matrix) { matrix = vectors.transposed * vectors }

    /// A row joins the set.
    public mutating func add(_ row: [Double]) { matrix.add(1, row, row) }

    /// A row of the set goes from `old` to `new`: G ← G + v'v'ᵀ − v vᵀ. For a side whose vector is one row.
    public mutating func move(_ old: [Double], to new: [Double]) {
        matrix.add(1, new, new)
        matrix.add(-1, old, old)
    }

    /// A row moves by d that is a part of many vectors p_u = Σ_a x_ua v_a: G ← G + s dᵀ + d sᵀ + n d dᵀ.
    /// - Parameters:
    ///   - sum: s_a = Σ_u x_ua p_u, from before the move.
    ///   - count: n_a = Σ_u x_ua².
    public mutating func moveShared(by d: [Double], sum: [Double], count: Double) {
        matrix.add(1, sum, d)
        matrix.add(1, d, sum)
        matrix.add(count, d, d)
    }
}
