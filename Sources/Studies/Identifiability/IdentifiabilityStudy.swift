import Alternating
import Factorization
import LinearAlgebra
import StreamTools

/// What can be learned at all, and from how many events?
struct IdentifiabilityStudy {
    /// A model whose threshold is looked for.
    struct Case {
        var kind: Truth.Kind
        var sizes: [Int]
        var rank: Int
        var name: String { "\(kind.rawValue), k = \(rank)" }
    }

    var settings: StudySettings
    var cases: [Case]
    var ratios: [Double]
    var seeds: Int

    init(_ settings: StudySettings) {
        self.settings = settings
        if settings.isQuick {
            cases = [Case(kind: .mf, sizes: [20, 20], rank: 1), Case(kind: .bilinear, sizes: [20, 20], rank: 2)]
            ratios = [0.8, 4]
            seeds = 1
        } else {
            cases = [1, 2, 4].map { Case(kind: .mf, sizes: [80, 80], rank: $0) }
            cases += [Case(kind: .bilinear, sizes: [80, 80], rank: 2), Case(kind: .bilinear, sizes: [80, 80], rank: 4)]
            cases.append(Case(kind: .fm, sizes: [30, 25, 20], rank: 2))
            ratios = [0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 6]
            seeds = 3
        }
    }

    func run() throws(LinearAlgebraError) -> StudyReport {
        var report = StudyReport(
            name: "identifiability", title: "Identifiability: what can be learned, and from how many events?",
            question: """
                The saturated user × item model is never identifiable. Which of a factorisation machine's parameters are, up to which \
                transformations, and how many observed pairs does it take?
                """,
            origin: """
                The project's notes ("our design matrix is low rank"); Lin et al. (AAAI 2019) for O(kd · polylog); Schönemann (1966), \
                Björck and Golub (1973) for the comparison of factors.
                """)
        try designs(&report)
        let threshold = try thresholds(&report)
        let noise = try noise(&report)
        let clicks = try clicks(&report)
        let gauge = try gauges(&report)
        report.certificates += [
            .init("without noise, n ≥ 4 × dimension: largest median error", threshold.from4, atMost: 1e-2),
            .init("without noise, n < dimension: least median error", threshold.below, atLeast: 0.1),
            .init("with noise, n ≥ \(IdentifiabilityStudy.settled) × dimension: largest |error ÷ formula − 1|", noise, atMost: 0.25),
            .init("without noise, n = 4 × dimension: largest principal angle, degrees", gauge.angle, atMost: 0.1),
            .init("without noise, n = 4 × dimension: largest Procrustes error", gauge.aligned, atMost: 1e-2),
        ]
        report.answer = [
            """
            Scores are learned, parameters only up to a gauge. The saturated model has more columns than rows and cannot be identified without \
            constraints. A model of rank k depends on far fewer numbers, its dimension, and the scores of all pairs follow from between \
            \(Quantity.fixed(threshold.first, 2)) and \(Quantity.fixed(threshold.last, 2)) times as many observed pairs, depending on kind and rank; from \
            4 times on all of them are known. In units of k · features the threshold lies between \(Quantity.fixed(threshold.scaled.0, 1)) and \
            \(Quantity.fixed(threshold.scaled.1, 1)).
            """,
            """
            Factors are found up to GL(k) and translations (mf), independent affine maps of each side (bilinear), a rotation and translations (fm \
            with three groups). As they come, without noise and with every score known, they still differ from the true ones by up to \
            \(Quantity.fixed(100 * gauge.raw, 0)) % of their size; once gauges are taken out, angles between the spaces and Procrustes errors are at \
            the level of the scores' own error.
            """,
            """
            With noise σ the error follows σ√(dimension/n)/rms within \(Quantity.fixed(100 * noise, 0)) % from \(IdentifiabilityStudy.settled) times the \
            dimension on, and lies above it nearer the threshold. With 0/1 labels it is \(Quantity.fixed(clicks.large, 2)) times \
            √(dimension/(n · mean p(1 − p)))/rms at the most events of the table (\(Quantity.fixed(clicks.small, 2)) times where log-odds are small): \
            the formula counts every label alike, but pairs of extreme odds say little, and rows of equal labels nothing at all. One row \
            a pair cannot give a pair's own probability or its noise: the saturated model fits every label exactly, so only the assumption of a low \
            rank tells interaction from chance.
            """,
        ]
        return report
    }

    /// From this many times the dimension on, the formula for noise is held to its bound.
    static let settled = 6

    // MARK: The saturated design

    private func designs(_ report: inout StudyReport) throws(LinearAlgebraError) {
        var table = StudyTable("Design matrices with every pair once", ["users", "items", "design", "columns", "rank", "expected rank"])
        for (users, items) in [(4, 3), (6, 5), (9, 8)] {
            for isSaturated in [false, true] {
                let design = IdentifiabilityStudy.design(users, items, isSaturated: isSaturated)
                let values = try design.singular().values, rank = values.count { $0 > 1e-10 * values[0] }
                table.add([
                    .whole(users), .whole(items), .text(isSaturated ? "saturated" : "main effects"), .whole(design.columns), .whole(rank),
                    .whole(isSaturated ? users * items : users + items - 1),
                ])
            }
        }
        report.parts.append(.table(table))
    }

    /// A row for each pair: intercept, user, item and, where saturated, the pair.
    static func design(_ users: Int, _ items: Int, isSaturated: Bool) -> Matrix {
        var design = Matrix(rows: users * items, columns: 1 + users + items + (isSaturated ? users * items : 0))
        for user in 0..<users {
            for item in 0..<items {
                let row = user * items + item
                design[row, 0] = 1
                design[row, 1 + user] = 1
                design[row, 1 + users + item] = 1
                if isSaturated { design[row, 1 + users + items + row] = 1 }
            }
        }
        return design
    }

    // MARK: Without noise

    private struct Threshold {
        var from4 = 0.0, below = Double.infinity
        /// Least and greatest n/dimension at which a model is first found.
        var first = Double.infinity, last = 0.0
        /// The same by k · features.
        var scaled = (Double.infinity, 0.0)
    }

    private func thresholds(_ report: inout StudyReport) throws(LinearAlgebraError) -> Threshold {
        var threshold = Threshold(), byDimension: [LinePlot.Line] = [], bySize: [LinePlot.Line] = []
        var table = StudyTable(
            "Labels without noise: relative error of all scores (median of draws: \(seeds)), by observed pairs n ÷ dimension",
            ["model", "features", "pairs", "dimension"] + ratios.map { Quantity.scientific($0) + "×" })
        for item in cases {
            var points: [(x: Double, y: Double)] = [], scaled = points, cells: [StudyTable.Cell] = [], isFound = false
            var head: [StudyTable.Cell] = []
            for ratio in ratios {
                var errors: [Double] = []
                var count = 0
                for draw in 0..<seeds {
                    let seed = settings.seed &+ UInt64(draw) &* 977
                    let truth = Truth(item.kind, sizes: item.sizes, rank: item.rank, seed: seed)
                    if head.isEmpty { head = [.text(item.name), .whole(item.sizes.reduce(0, +)), .whole(truth.scores.count), .whole(truth.dimension)] }
                    count = Int(ratio * Double(truth.dimension))
                    let data = truth.observed(count, .scores(noise: 0), seed: seed &+ 7)
                    errors.append(try Recovery(truth, data, loss: .squared, starts: 4, seed: seed &+ 3).error)
                }
                let error = max(errors.median, 1e-9), size = Double(count) / Double(item.rank * item.sizes.reduce(0, +))
                cells.append(.number(error))
                // Where scores are not known, how wrong they are says nothing.
                points.append((ratio, min(error, 10)))
                scaled.append((size, min(error, 10)))
                if ratio >= 4 { threshold.from4 = max(threshold.from4, error) }
                if ratio < 1 { threshold.below = min(threshold.below, error) }
                if error <= 1e-2 && !isFound {
                    isFound = true
                    threshold.first = min(threshold.first, ratio)
                    threshold.last = max(threshold.last, ratio)
                    threshold.scaled = (min(threshold.scaled.0, size), max(threshold.scaled.1, size))
                }
            }
            table.add(head + cells)
            byDimension.append(.init(item.name, points))
            bySize.append(.init(item.name, scaled))
        }
        report.parts += [
            .table(table),
            .plot(
                LinePlot(
                    "Where scores become known (no noise)", x: ("observed pairs ÷ dimension", .linear), y: ("relative error of all scores", .logarithmic),
                    byDimension, marks: [.init(x: 1, name: "dimension"), .init(x: 4, name: "4×")])),
            .plot(
                LinePlot(
                    "The same by k · features", x: ("observed pairs ÷ (k · features)", .linear), y: ("relative error of all scores", .logarithmic), bySize)),
        ]
        return threshold
    }

    // MARK: With noise

    private func noise(_ report: inout StudyReport) throws(LinearAlgebraError) -> Double {
        let quick = settings.isQuick
        let noisy = quick
            ? [Case(kind: .mf, sizes: [24, 24], rank: 1)]
            : [Case(kind: .mf, sizes: [100, 100], rank: 2), Case(kind: .bilinear, sizes: [100, 100], rank: 2), Case(kind: .fm, sizes: [30, 25, 20], rank: 2)]
        let ratios = quick ? [6.0] : [2.5, 3, 4, 6, 8, 12, 16]
        var worst = 0.0, lines: [LinePlot.Line] = []
        var table = StudyTable("Labels with Gaussian noise: relative error of all scores ÷ σ√(dimension/n)/rms", ["model", "σ"] + ratios.map { Quantity.scientific($0) + "×" })
        for item in noisy {
            for sigma in [0.1, 0.5] {
                var cells: [StudyTable.Cell] = [.text(item.name), .number(sigma)], points: [(x: Double, y: Double)] = []
                for ratio in ratios {
                    var quotients: [Double] = []
                    for draw in 0..<seeds {
                        let seed = settings.seed &+ 50 &+ UInt64(draw) &* 977, truth = Truth(item.kind, sizes: item.sizes, rank: item.rank, seed: seed)
                        let count = min(Int(ratio * Double(truth.dimension)), truth.scores.count), labels = Truth.Labels.scores(noise: sigma)
                        let data = truth.observed(count, labels, seed: seed &+ 7)
                        let error = try Recovery(truth, data, loss: .squared, starts: item.kind == .bilinear ? 4 : 1, seed: seed &+ 3).error
                        quotients.append(error / truth.expectedError(count, labels))
                    }
                    let quotient = quotients.median
                    cells.append(.fixed(quotient, 3))
                    points.append((ratio, quotient))
                    if ratio >= Double(IdentifiabilityStudy.settled) { worst = max(worst, (quotient - 1).magnitude) }
                }
                table.add(cells)
                lines.append(.init("\(item.name), σ = \(sigma)", points))
            }
        }
        report.parts += [
            .table(table),
            .plot(
                LinePlot(
                    "Error against σ√(dimension/n)/rms", x: ("observed pairs ÷ dimension", .linear), y: ("error ÷ formula", .logarithmic),
                    lines, marks: [.init(x: Double(IdentifiabilityStudy.settled), name: "from here within 25 %")])),
        ]
        return worst
    }

    /// Answers error ÷ formula at the most events, for large and for small log-odds.
    private func clicks(_ report: inout StudyReport) throws(LinearAlgebraError) -> (large: Double, small: Double) {
        let side = settings.isQuick ? 20 : 120, ratios = settings.isQuick ? [6.0] : [6, 10, 15, 20, 25, 30]
        let seeds = min(2, seeds)
        var table = StudyTable(
            "Labels 0/1 by the score as log-odds (mf, k = 1, \(side) × \(side), IRLS): relative error against √(dimension/(n · mean p(1 − p)))/rms",
            ["rms of log-odds", "pairs ÷ dimension", "n", "error", "formula", "÷"])
        var last: [Double] = []
        for size in [1.0, 0.4] {
            var quotient = 0.0
            for ratio in ratios {
                var errors: [Double] = [], formula = 0.0, count = 0, rms = 0.0
                for draw in 0..<seeds {
                    let seed = settings.seed &+ 80 &+ UInt64(draw) &* 977
                    let truth = Truth(.mf, sizes: [side, side], rank: 1, size: size, seed: seed)
                    count = min(Int(ratio * Double(truth.dimension)), truth.scores.count)
                    let data = truth.observed(count, .clicks, seed: seed &+ 7)
                    errors.append(try Recovery(truth, data, loss: .logistic, starts: 1, passes: 60, seed: seed &+ 3).error)
                    formula += truth.expectedError(count, .clicks) / Double(seeds)
                    rms += truth.rms / Double(seeds)
                }
                quotient = errors.median / formula
                table.add([.number(rms), .fixed(ratio, 0), .whole(count), .fixed(errors.median, 4), .fixed(formula, 4), .fixed(quotient, 3)])
            }
            last.append(quotient)
        }
        report.parts.append(.table(table))
        return (last[0], last[1])
    }

    // MARK: Factors

    private func gauges(_ report: inout StudyReport) throws(LinearAlgebraError) -> (angle: Double, aligned: Double, raw: Double) {
        var table = StudyTable(
            "Factors beside the true ones: as they come, and once the gauge is taken out",
            ["model", "σ", "pairs ÷ dimension", "error of scores", "‖F̂ − F‖ ÷ ‖F‖ as they come", "after Procrustes", "largest angle by group, degrees"])
        var angle = 0.0, aligned = 0.0, raw = 0.0
        for item in cases where item.rank > 1 || settings.isQuick {
            for (sigma, ratio) in [(0.0, 4.0), (0.1, 4), (0.1, 6)] {
                let truth = Truth(item.kind, sizes: item.sizes, rank: item.rank, seed: settings.seed)
                let data = truth.observed(Int(ratio * Double(truth.dimension)), .scores(noise: sigma), seed: settings.seed &+ 7)
                let found = try Recovery(truth, data, loss: .squared, starts: 8, seed: settings.seed &+ 3)
                table.add([
                    .text(item.name), .number(sigma), .fixed(ratio, 0), .number(found.error), .number(found.rawError), .number(found.alignedError),
                    .text(found.angles.map { Quantity.scientific($0, digits: 2) }.joined(separator: ", ")),
                ])
                if sigma == 0 {
                    angle = max(angle, found.angles.max()!)
                    aligned = max(aligned, found.alignedError)
                    raw = max(raw, found.rawError)
                }
            }
        }
        report.parts.append(.table(table))
        return (angle, aligned, raw)
    }
}
