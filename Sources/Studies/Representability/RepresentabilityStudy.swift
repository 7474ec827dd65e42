public import Factorization
public import LinearAlgebra
import StreamTools

/// How an interaction matrix is completed on its diagonal and factored.
public enum Completion: String, CaseIterable, Sendable {
    case dominance, shift
    case minimumTrace = "minimum trace"
}

/// A factorisation V Vᵀ of a matrix whose diagonal was free.
public struct CompletedFactors: Sendable {
    /// V, n × k.
    public let factors: Matrix
    /// Largest |⟨v_i, v_j⟩ − M_ij| off the diagonal.
    public let error: Double
    /// Dimensions without which every entry is still within 1e-6.
    public let rankToMillionth: Int
    /// Σ v².
    public var squaredNorm: Double { factors.squaredNorm }
    public var rank: Int { factors.columns }

    /// - Parameter matrix: symmetric with zero diagonal.
    public init(_ matrix: Matrix, _ completion: Completion, seed: UInt64 = 1, sweeps: Int = 4000) throws(LinearAlgebraError) {
        let eigenvalues: [Double]
        switch completion {
        case .dominance:
            // Weak dominance is enough; the trace more keeps Cholesky clear of rounding.
            let sums = (0..<matrix.rows).map { row in matrix.row(row).reduce(0) { $0 + $1.magnitude } * (1 + 1e-12) }
            let completed = matrix.addingToDiagonal(sums)
            eigenvalues = try completed.symmetricEigenvalues()
            factors = try completed.cholesky()
        case .shift:
            let (values, vectors) = try matrix.symmetricEigen()
            eigenvalues = values.map { $0 - values[0] }
            factors = CompletedFactors.factors(eigenvalues, vectors, below: 1e-11)
        case .minimumTrace:
            let solution = try MinimumTrace(matrix, tolerance: 1e-13, sweeps: sweeps, seed: seed)
            let (values, vectors) = try matrix.addingToDiagonal(solution.diagonal).symmetricEigen()
            eigenvalues = values
            factors = CompletedFactors.factors(values, vectors, below: 1e-10)
        }
        rankToMillionth = eigenvalues.count { $0 > 1e-6 }
        error = CompletedFactors.error(factors, matrix)
    }

    /// V = Q √Λ without the eigenvalues that are nothing: what is cut changes no entry by more than `least`.
    private static func factors(_ values: [Double], _ vectors: Matrix, below least: Double) -> Matrix {
        let first = values.firstIndex { $0 > least } ?? values.count
        let kept = first..<values.count
        return vectors.columns(kept).scalingColumns(by: values[kept].map { $0.squareRoot() })
    }

    private static func error(_ factors: Matrix, _ matrix: Matrix) -> Double {
        let product = factors.timesTransposed(factors)
        var worst = 0.0
        for r in 0..<matrix.rows { for c in 0..<matrix.rows where c != r { worst = max(worst, (product[r, c] - matrix[r, c]).magnitude) } }
        return worst
    }
}

/// Can an FM, whose VVᵀ is positive semidefinite, hold any matrix of interactions?
struct RepresentabilityStudy {
    var settings: StudySettings
    var sizes: [Int]
    /// Size of the matrix that is fitted at each rank.
    var fitted: Int

    init(_ settings: StudySettings) {
        self.settings = settings
        sizes = settings.isQuick ? [10, 20] : [50, 100, 200, 500]
        fitted = settings.isQuick ? 8 : 20
    }

    /// Below n + ½ − ½√(8n + 1) a generic symmetric matrix has too many entries off its diagonal (Ledermann 1937).
    static func ledermann(_ n: Int) -> Double { Double(n) + 0.5 - 0.5 * (8 * Double(n) + 1).squareRoot() }

    func run() throws(LinearAlgebraError) -> StudyReport {
        var report = StudyReport(
            name: "representability", title: "Representability: which interactions can a factorisation machine hold?",
            question: """
                An FM scores a pair by ⟨v_i, v_j⟩, so its matrix of interactions is positive semidefinite. But the diagonal is never used. \
                Given any symmetric M without a diagonal, is there a V with ⟨v_i, v_j⟩ = M_ij for all i ≠ j, and how large must the rank be?
                """,
            origin: """
                Rendle, Factorization Machines (ICDM 2010), for the claim; Lin et al. (AAAI 2019) for the doubt; Ledermann, Psychometrika 2 (1937), \
                for the bound.
                """)
        let worst = try completions(&report)
        let ranks = try ranks(&report)
        scaling(&report)
        report.certificates += [
            .init("largest error off the diagonal, all sizes and completions", worst, atMost: 1e-10),
            .init("n = \(fitted): relative error of the best fit below the Ledermann bound (k = \(ranks.below))", ranks.errorBelow, atLeast: 1e-4),
            .init("n = \(fitted): relative error of the best fit at k = n − 1", ranks.errorAtMost, atMost: 1e-8),
        ]
        report.answer = [
            """
            Yes: every symmetric matrix off the diagonal is reproduced to rounding once k is large enough, and k = n − 1 always suffices: add \
            −λ_min(M) to the diagonal, which makes it semidefinite and singular. The least trace does it with a few dimensions less. At \
            n = \(fitted) direct fits reach a generic M from k = \(ranks.first) on; below the Ledermann bound, \
            \(Quantity.fixed(RepresentabilityStudy.ledermann(fitted), 1)), there are fewer free numbers than entries, and nothing does.
            """,
            """
            Diagonal dominance is the wasteful way: it needs k = n and the largest ‖V‖². A strictly dominant VVᵀ is nonsingular, so no V of rank \
            k < n has one: the notes' "sounds impossible" is right. Written with squares, ‖v_i‖² > Σ_j ⟨v_i, v_j⟩², the condition says \
            nothing: the left side shrinks with c² and the right with c⁴ when V is scaled by c, so any V satisfies it once it is small.
            """,
        ]
        return report
    }

    private func completions(_ report: inout StudyReport) throws(LinearAlgebraError) -> Double {
        var table = StudyTable(
            "Random indefinite M (standard normal off the diagonal), completed and factored",
            [
                "n", "completion", "k", "k to 1e-6", "Ledermann", "largest error off the diagonal", "‖V‖²", "÷ least",
            ])
        var norms = Completion.allCases.map { LinePlot.Line($0.rawValue, []) }, worst = 0.0
        for size in sizes {
            var source = RandomSource(seed: settings.seed &+ UInt64(size))
            let matrix = source.symmetricGaussian(size)
            var found: [CompletedFactors] = []
            for completion in Completion.allCases { found.append(try CompletedFactors(matrix, completion, seed: settings.seed)) }
            for (index, factors) in found.enumerated() {
                worst = max(worst, factors.error)
                norms[index].points.append((Double(size), factors.squaredNorm))
                table.add([
                    .whole(size), .text(Completion.allCases[index].rawValue), .whole(factors.rank), .whole(factors.rankToMillionth),
                    .fixed(RepresentabilityStudy.ledermann(size), 1),
                    .number(factors.error), .number(factors.squaredNorm),
                    .fixed(factors.squaredNorm / found[2].squaredNorm, 3),
                ])
            }
        }
        report.parts += [
            .table(table),
            .plot(LinePlot("What the diagonal costs", x: ("n", .logarithmic), y: ("‖V‖²", .logarithmic), norms)),
        ]
        return worst
    }

    private func ranks(_ report: inout StudyReport) throws(LinearAlgebraError) -> (below: Int, errorBelow: Double, errorAtMost: Double, first: Int) {
        let bound = RepresentabilityStudy.ledermann(fitted), below = Int(bound.rounded(.up)) - 1
        var source = RandomSource(seed: settings.seed)
        let matrix = source.symmetricGaussian(fitted)
        var line = LinePlot.Line("best of several starts", []), errors: [Int: Double] = [:]
        for rank in max(1, below - 4)...fitted - 1 {
            let fit = MaskedFit(matrix, signs: [Double](repeating: 1, count: rank)) { _, _ in true }
            // Below 1e-12 it is reached; a logarithm wants to be above zero.
            let error = max(try fit.leastError(starts: settings.isQuick ? 4 : 12, steps: 400, seed: settings.seed), 1e-12)
            errors[rank] = error
            line.points.append((Double(rank), error))
        }
        let least = try CompletedFactors(matrix, .minimumTrace, seed: settings.seed).rank
        report.parts.append(
            .plot(
                LinePlot(
                    "n = \(fitted): least error of V of rank k over entries off the diagonal", x: ("rank k", .linear),
                    y: ("relative error", .logarithmic), [line],
                    marks: [.init(x: bound, name: "Ledermann"), .init(x: Double(least), name: "minimum trace"), .init(x: Double(fitted - 1), name: "n − 1")])))
        return (below, errors[below]!, errors[fitted - 1]!, errors.filter { $0.value < 1e-8 }.keys.min() ?? fitted)
    }

    /// Both forms of dominance for one V of rank below n, at several scales.
    private func scaling(_ report: inout StudyReport) {
        let size = 30, rank = 10
        var source = RandomSource(seed: settings.seed &+ 99)
        let v = source.gaussian(rows: size, columns: rank), gram = v.timesTransposed(v)
        var table = StudyTable(
            "One random V (n = \(size), k = \(rank)) scaled by c: rows that are dominated by their diagonal",
            ["c", "with absolute values", "with squares, as in the notes", "largest Σ|⟨v_i, v_j⟩| ÷ ‖v_i‖²", "largest Σ⟨v_i, v_j⟩² ÷ ‖v_i‖²"])
        for scale in [1.0, 0.3, 0.1, 0.03] {
            var sums: [(absolute: Double, square: Double)] = []
            for i in 0..<size {
                let others = (0..<size).filter { $0 != i }.map { scale * scale * gram[i, $0] }, own = scale * scale * gram[i, i]
                sums.append((others.reduce(0) { $0 + $1.magnitude } / own, others.reduce(0) { $0 + $1 * $1 } / own))
            }
            table.add([
                .number(scale), .text("\(sums.count { $0.absolute < 1 }) of \(size)"), .text("\(sums.count { $0.square < 1 }) of \(size)"),
                .number(sums.map(\.absolute).max()!), .number(sums.map(\.square).max()!),
            ])
        }
        report.parts.append(.table(table))
    }
}
