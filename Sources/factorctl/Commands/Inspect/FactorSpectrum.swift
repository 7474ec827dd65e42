import Factorization
import Glibc
import LinearAlgebra
import StreamTools

/// What a table of factors is like as a matrix.
struct FactorSpectrum {
    let name: String
    let rows: Int
    /// Descending.
    let singularValues: [Double]

    /// - Throws: where LAPACK does.
    init(_ group: FactorGroup) throws(LinearAlgebraError) {
        try self.init(group.name, rows: group.ids.count, values: FactorSpectrum.gram(group).symmetricEigenvalues().reversed().map { max(0, $0).squareRoot() })
    }

    private init(_ name: String, rows: Int, values: [Double]) {
        (self.name, self.rows, singularValues) = (name, rows, values)
    }

    /// Σ v vᵀ.
    private static func gram(_ group: FactorGroup) -> Matrix {
        var gram = Matrix(rows: group.rank, columns: group.rank)
        let block = 4096
        for start in stride(from: 0, to: group.ids.count, by: block) {
            let end = min(group.ids.count, start + block)
            var part = Matrix(rows: end - start, columns: group.rank)
            part.values = group.factors[start * group.rank..<end * group.rank].map { Double($0) }
            let own = part.transposedTimes(part)
            for index in gram.values.indices { gram.values[index] += own.values[index] }
        }
        return gram
    }

    /// Of all scores ⟨u, v⟩ together, U Vᵀ: their squares are the eigenvalues of G_U^½ G_I G_U^½.
    static func product(_ users: FactorGroup, _ items: FactorGroup) throws(LinearAlgebraError) -> FactorSpectrum {
        let (values, vectors) = try gram(users).symmetricEigen()
        let root = vectors.scalingColumns(by: values.map { max(0, $0).squareRoot() })
        let inner = root.transposedTimes(gram(items).times(root))
        return FactorSpectrum("users × items", rows: users.ids.count, values: try inner.symmetricEigenvalues().reversed().map { max(0, $0).squareRoot() })
    }

    private var squares: [Double] { singularValues.map { $0 * $0 } }
    private var sum: Double { squares.reduce(0, +) }

    /// exp of the entropy of σ²/Σσ² (Roy and Vetterli 2007): how many directions are in use, evenly counted.
    var effectiveRank: Double {
        guard sum > 0 else { return 0 }
        return exp(-squares.reduce(0) { entropy, square in square > 0 ? entropy + square / sum * log(square / sum) : entropy })
    }

    /// Σσ²/σ₁².
    var stableRank: Double { sum > 0 ? sum / squares[0] : 0 }

    /// Directions that hold so much of Σσ².
    func directions(holding share: Double) -> Int {
        var held = 0.0
        for (number, square) in squares.enumerated() {
            held += square
            if held >= share * sum { return number + 1 }
        }
        return squares.count
    }

    var tree: JSONTree {
        [
            "name": .string(name), "rows": .integer(Int64(rows)), "effective_rank": .number(effectiveRank), "stable_rank": .number(stableRank),
            "directions_90": .integer(Int64(directions(holding: 0.9))), "directions_99": .integer(Int64(directions(holding: 0.99))),
            "singular_values": .array(singularValues.map { .number($0) }),
        ]
    }
}

/// Rows of one side by how often they came: ten groups of equal size, rarest first.
struct PopularityNorms {
    struct Tenth {
        var ids: Int
        var events: Double
        var norm: Double
        var weight: Double?
    }
    let name: String
    let tenths: [Tenth]

    /// - Parameter popularity: interactions of each row, in the group's order.
    init(_ group: FactorGroup, popularity: [Double]) {
        name = group.name
        let order = group.ids.indices.sorted { (popularity[$0], $0) < (popularity[$1], $1) }
        let parts = min(10, order.count)
        tenths = (0..<parts).map { part in
            let rows = order[part * order.count / parts..<(part + 1) * order.count / parts], count = Double(rows.count)
            return Tenth(
                ids: rows.count, events: rows.reduce(0) { $0 + popularity[$1] } / count,
                norm: rows.reduce(0) { $0 + group.row($1).reduce(0.0) { $0 + Double($1 * $1) }.squareRoot() } / count,
                weight: group.weights.map { weights in rows.reduce(0) { $0 + Double(weights[$1]) } / count })
        }
    }

    var tree: JSONTree {
        ["name": .string(name), "tenths": .array(tenths.map {
            ["ids": .integer(Int64($0.ids)), "events": .number($0.events), "norm": .number($0.norm), "weight": JSONTree(optional: $0.weight)]
        })]
    }
}
