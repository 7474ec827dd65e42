import Factorization
import LinearAlgebra
import StreamTools

/// Which completion has the least ‖V‖²?
struct MinimumNormStudy {
    var settings: StudySettings
    var sizes: [Int]
    /// Size of the matrix on which gradient descent is watched.
    var descended: Int
    var steps: Int
    /// Users and items of the block.
    var block: (users: Int, items: Int)

    init(_ settings: StudySettings) {
        self.settings = settings
        sizes = settings.isQuick ? [20, 40] : [50, 100, 200, 500]
        descended = settings.isQuick ? 10 : 40
        steps = settings.isQuick ? 2000 : 20_000
        block = settings.isQuick ? (16, 10) : (120, 80)
    }

    func run() throws(LinearAlgebraError) -> StudyReport {
        var report = StudyReport(
            name: "minimum-norm", title: "Minimum norm: which completion has the smallest factors?",
            question: """
                Among all V with ⟨v_i, v_j⟩ = M_ij for i ≠ j, which has the least ‖V‖² = tr(VVᵀ), and does L2 regularisation find it?
                """,
            origin: """
                Minimum-trace factor analysis (Bentler and Woodward 1980; Shapiro 1982); the mixing method (Wang, Chang and Kolter 2017); \
                Fazel, Hindi and Boyd (2001) and Srebro (2004) for the nuclear norm of a block.
                """)
        let gaps = try traces(&report)
        let landing = try descent(&report)
        let found = try blocks(&report)
        report.certificates += [
            .init("largest relative duality gap, all sizes", gaps, atMost: 1e-4),
            .init("block: |½‖V‖² ÷ ‖R‖_* − 1| by the alternating solution", (found.solution.value / found.nuclear - 1).magnitude, atMost: 1e-3),
            .init("block: 1 − ⟨R, Y⟩ ÷ ½‖V‖², the gap", 1 - found.solution.bound / found.solution.value, atMost: 1e-3),
            .init("block: ‖Y‖_op before scaling", found.solution.dualNorm, atMost: 1.001),
            .init("block: ‖PQᵀ − R‖ ÷ ‖R‖", found.solution.error, atMost: 1e-8),
            .init("block, only the diagonal free: relative duality gap", found.zeroGap, atMost: 1e-4),
        ]
        report.answer = [
            """
            The completion of least trace, a semidefinite programme; coordinate ascent on its dual solves it to a certified gap of \
            \(Quantity.scientific(gaps, digits: 2)) at most. The shift by −λ_min costs \(Quantity.fixed(landing.shift, 2)) times the least \
            ‖V‖² at n = \(sizes.last!), diagonal dominance \(Quantity.fixed(landing.dominance, 1)) times.
            """,
            """
            Gradient descent with a small L2 penalty goes there: with λ = \(Quantity.scientific(landing.ridge)) it ends at \
            \(Quantity.fixed(landing.ratio, 4)) of the least ‖V‖² with an error of \(Quantity.scientific(landing.error, digits: 2)) off the diagonal. \
            Without a penalty it lands where the start sends it: from small factors at \(Quantity.fixed(landing.small, 3)), from large ones \
            at \(Quantity.fixed(landing.large, 3)) times the least.
            """,
            """
            For users × items the whole blocks within users and within items are free, and the least ½‖V‖² is the nuclear norm of the block: \
            certified by a Y with ‖Y‖_op ≤ 1 and ⟨R, Y⟩ = ‖R‖_*. L2 on the factors of `mf` is therefore nuclear-norm regularisation of \
            the scores. If only the diagonal is free and the blocks must be zero, the answer is \(Quantity.fixed(found.zeroRatio, 2)) times as large.
            """,
        ]
        return report
    }

    /// What the answer quotes of descent and of the completions.
    private struct Landing {
        var shift = 0.0, dominance = 0.0, ridge = 0.0, ratio = 0.0, error = 0.0, small = 0.0, large = 0.0
    }
    private struct Costs {
        var shift = 0.0, dominance = 0.0
    }

    private func costs(_ matrix: Matrix, _ least: Double) throws(LinearAlgebraError) -> Costs {
        let lowest = try matrix.symmetricEigenvalues()[0]
        let sums = matrix.values.reduce(0) { $0 + $1.magnitude }
        return Costs(shift: -lowest * Double(matrix.rows) / least, dominance: sums / least)
    }

    private func matrix(_ size: Int) -> Matrix {
        var source = RandomSource(seed: settings.seed &+ UInt64(size))
        return source.symmetricGaussian(size)
    }

    private func traces(_ report: inout StudyReport) throws(LinearAlgebraError) -> Double {
        var table = StudyTable(
            "Random indefinite M: least ‖V‖², with its bound by duality, and what simpler completions cost",
            ["n", "least ‖V‖² (primal)", "bound (dual)", "relative gap", "sweeps", "shift ÷ least", "dominance ÷ least"])
        var worst = 0.0
        for size in sizes {
            let matrix = matrix(size), solution = try MinimumTrace(matrix, tolerance: 2e-5, seed: settings.seed)
            let costs = try costs(matrix, solution.value)
            worst = max(worst, solution.gap)
            table.add([
                .whole(size), .fixed(solution.value, 3), .fixed(solution.bound, 3), .number(solution.gap), .whole(solution.sweeps),
                .fixed(costs.shift, 3), .fixed(costs.dominance, 3),
            ])
        }
        report.parts.append(.table(table))
        return worst
    }

    // MARK: Gradient descent

    private func descent(_ report: inout StudyReport) throws(LinearAlgebraError) -> Landing {
        let matrix = matrix(descended), least = try MinimumTrace(matrix, tolerance: 1e-10, sweeps: 5000, seed: settings.seed).value
        var table = StudyTable(
            "n = \(descended), k = n: where gradient descent on ½ Σ_{i<j} (⟨v_i, v_j⟩ − M_ij)² + ½ λ ‖V‖² lands",
            ["λ", "first factors", "‖V‖² ÷ least", "‖error‖ ÷ ‖M‖"])
        var lines = [LinePlot.Line("from small factors (0.01)", []), LinePlot.Line("from large factors (1)", [], style: .dashed)], landing = Landing()
        let smallest = 0.01
        for ridge in [3, 1, 0.3, 0.1, 0.03, smallest, 0] {
            for (index, deviation) in [0.01, 1.0].enumerated() {
                let v = try descend(matrix, ridge: ridge, deviation: deviation)
                let ratio = v.squaredNorm / least, error = MinimumNormStudy.error(v, matrix)
                table.add([.number(ridge), .text(index == 0 ? "small" : "large"), .fixed(ratio, 4), .number(error)])
                if ridge > 0 { lines[index].points.append((ridge, ratio)) }
                if index == 0 && ridge == smallest { (landing.ridge, landing.ratio, landing.error) = (ridge, ratio, error) }
                if ridge == 0 { if index == 0 { landing.small = ratio } else { landing.large = ratio } }
            }
        }
        let biggest = self.matrix(sizes.last!), costs = try costs(biggest, MinimumTrace(biggest, tolerance: 2e-5, seed: settings.seed).value)
        (landing.shift, landing.dominance) = (costs.shift, costs.dominance)
        report.parts += [
            .table(table),
            .plot(LinePlot("Gradient descent with L2 against the certified least", x: ("λ", .logarithmic), y: ("‖V‖² ÷ least", .linear), lines)),
        ]
        return landing
    }

    /// Plain gradient descent, the step bounded by the curvature at the solution.
    private func descend(_ matrix: Matrix, ridge: Double, deviation: Double) throws(LinearAlgebraError) -> Matrix {
        let size = matrix.rows
        var source = RandomSource(seed: settings.seed &+ 5)
        var v = source.gaussian(rows: size, columns: size, deviation: deviation / Double(size).squareRoot() * 2)
        let spread = try matrix.symmetricEigenvalues()
        let rate = 0.4 / (spread.last! - spread.first!)
        for _ in 0..<steps {
            var error = v.timesTransposed(v) - matrix
            for index in 0..<size { error[index, index] = 0 }
            let gradient = error.times(v)
            for index in v.values.indices { v.values[index] -= rate * (gradient.values[index] + ridge * v.values[index]) }
        }
        return v
    }

    private static func error(_ v: Matrix, _ matrix: Matrix) -> Double {
        var error = v.timesTransposed(v) - matrix
        for index in 0..<matrix.rows { error[index, index] = 0 }
        return (error.squaredNorm / matrix.squaredNorm).squareRoot()
    }

    // MARK: The block case

    private func blocks(
        _ report: inout StudyReport
    ) throws(LinearAlgebraError) -> (solution: NuclearNorm, nuclear: Double, zeroRatio: Double, zeroGap: Double) {
        var source = RandomSource(seed: settings.seed &+ 17)
        let r = source.gaussian(rows: block.users, columns: block.items)
        let nuclear = try r.singular().values.reduce(0, +)
        let solution = try NuclearNorm(r, seed: settings.seed)
        var whole = Matrix(rows: block.users + block.items, columns: block.users + block.items)
        for u in 0..<block.users {
            for i in 0..<block.items {
                whole[u, block.users + i] = r[u, i]
                whole[block.users + i, u] = r[u, i]
            }
        }
        let zero = try MinimumTrace(whole, tolerance: 2e-5, seed: settings.seed)
        var table = StudyTable(
            "A block R of \(block.users) users × \(block.items) items: least ½‖V‖²", ["what is free", "found by", "½‖V‖²", "bound", "÷ ‖R‖_*"])
        table.add(["blocks within each side", "singular values (‖R‖_*)", .fixed(nuclear, 3), "", .fixed(1, 5)])
        table.add([
            "blocks within each side", "alternating ridge regressions", .fixed(solution.value, 3), .fixed(solution.bound, 3),
            .fixed(solution.value / nuclear, 5),
        ])
        table.add([
            "the diagonal; zero within each side", "minimum trace", .fixed(zero.value / 2, 3), .fixed(zero.bound / 2, 3), .fixed(zero.value / 2 / nuclear, 5),
        ])
        report.parts.append(.table(table))
        return (solution, nuclear, zero.value / 2 / nuclear, zero.gap)
    }
}
