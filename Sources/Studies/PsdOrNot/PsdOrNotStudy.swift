public import Factorization
public import LinearAlgebra
import StreamTools

/// Interactions between groups of features: X_g J X_hᵀ for g ≠ h, J of r₊ ones and r₋ minus ones; within a group nothing is given.
public struct GroupedInteractions: Sendable {
    public let groups: Int
    public let features: Int
    public let positive: Int
    public let negative: Int
    /// X, all groups one after the other.
    let x: Matrix
    /// X J Xᵀ; within groups it does not count.
    public let matrix: Matrix

    public init(groups: Int, features: Int, positive: Int, negative: Int, seed: UInt64) {
        self.groups = groups
        self.features = features
        self.positive = positive
        self.negative = negative
        var source = RandomSource(seed: seed)
        x = source.gaussian(rows: groups * features, columns: positive + negative)
        let signs = [Double](repeating: 1, count: positive) + [Double](repeating: -1, count: negative)
        matrix = x.scalingColumns(by: signs).timesTransposed(x)
    }

    func isGiven(_ a: Int, _ b: Int) -> Bool { a / features != b / features }

    /// r₊ + (G − 1) r₋: the rank that an `fm` needs.
    public var machineRank: Int { positive + (groups - 1) * negative }

    /// The least rank of a `gfm`: k positive and k negative directions at hand, a direction of the data costs one of its own sign
    /// or G − 1 of the other. It is max(r₊, r₋) unless the signs are lopsided.
    public var generalizedRank: Int {
        var rank = max(positive, negative)
        for a in 0...positive {
            for c in 0...negative { rank = min(rank, max(a + (groups - 1) * (negative - c), c + (groups - 1) * (positive - a))) }
        }
        return rank
    }

    /// V Vᵀ with exactly these interactions, of rank `machineRank`, written down: positive directions as they are, each negative one
    /// through the corners of a simplex, ⟨e_g, e_h⟩ = −1 for g ≠ h, one corner for each group.
    public func explicitMachine() throws(LinearAlgebraError) -> Matrix {
        var simplex = Matrix(rows: groups, columns: groups)
        for g in 0..<groups { for h in 0..<groups { simplex[g, h] = g == h ? Double(groups - 1) : -1 } }
        let (values, vectors) = try simplex.symmetricEigen()
        // The least eigenvalue is zero: G corners span G − 1 dimensions.
        let corners = vectors.columns(1..<groups).scalingColumns(by: values.dropFirst().map { max(0, $0).squareRoot() })
        var v = Matrix(rows: x.rows, columns: machineRank)
        for row in 0..<x.rows {
            for column in 0..<positive { v[row, column] = x[row, column] }
            for direction in 0..<negative {
                for corner in 0..<groups - 1 {
                    v[row, positive + direction * (groups - 1) + corner] = x[row, positive + direction] * corners[row / features, corner]
                }
            }
        }
        return v
    }

    /// Least relative error over the given entries with these signs.
    public func leastError(signs: [Double], starts: Int, seed: UInt64) throws(LinearAlgebraError) -> Double {
        guard !signs.isEmpty else { return 1 }
        return try MaskedFit(matrix, signs: signs, counts: isGiven).leastError(starts: starts, seed: seed)
    }

    /// Relative error of a V Vᵀ.
    public func error(of v: Matrix) -> Double {
        MaskedFit(matrix, signs: [Double](repeating: 1, count: v.columns), counts: isGiven).error(of: v)
    }
}

/// Kinds without and with a constraint on signs.
public enum SignedKind: String, CaseIterable, Sendable {
    case fm, gfm, bilinear

    /// The signs that a rank gives: fixed, but for `bilinear`, where the best of all is asked for.
    func signs(rank: Int) -> [[Double]] {
        func signs(_ positive: Int, _ negative: Int) -> [Double] {
            [Double](repeating: 1, count: positive) + [Double](repeating: -1, count: negative)
        }
        return switch self {
        case .fm: [signs(rank, 0)]
        case .gfm: [signs(rank, rank)]
        case .bilinear: (0...rank).map { signs(rank - $0, $0) }
        }
    }

    /// Factors of a feature.
    func width(rank: Int) -> Int { self == .gfm ? 2 * rank : rank }
}

/// Does the semidefinite form of an FM cost anything?
struct PsdOrNotStudy {
    var settings: StudySettings
    var features: Int
    var groupCounts: [Int]
    var starts: Int

    init(_ settings: StudySettings) {
        self.settings = settings
        features = settings.isQuick ? 6 : 12
        groupCounts = settings.isQuick ? [2, 3] : [2, 3, 4, 5]
        starts = settings.isQuick ? 2 : 4
    }

    func run() throws(LinearAlgebraError) -> StudyReport {
        var report = StudyReport(
            name: "psd-or-not", title: "Semidefinite or not: does an FM lose anything against gfm and bilinear?",
            question: """
                VVᵀ is positive semidefinite, a user may dislike what others like. Does the constraint of `fm` bind, against `gfm` (two \
                vectors a feature) and symmetric `bilinear` (V W Vᵀ, W indefinite)?
                """,
            origin: "Lin, Zhang, Sun and Cao, AAAI 2019 (view 4340), for the generalised machine; Sylvester's law of inertia for the exact ranks.")
        let worst = try exactRanks(&report)
        let lopsided = try lopsided(&report)
        try curves(&report)
        report.certificates += [
            .init("fm, explicit V of rank r₊ + (G − 1) r₋: largest relative error", worst.explicit, atMost: 1e-12),
            .init("fm, fitted at that rank: largest relative error", worst.at, atMost: 1e-6),
            .init("fm, fitted one below: least relative error", worst.below, atLeast: 1e-2),
            .init("gfm at its rank: largest relative error", max(worst.generalizedAt, lopsided.at), atMost: 1e-6),
            .init("gfm one below: least relative error", min(worst.generalizedBelow, lopsided.below), atLeast: 1e-2),
        ]
        report.answer = [
            """
            It costs rank, never reach. Within a group of features (two users never meet) nothing is given, so an `fm` can be completed to a \
            semidefinite matrix whatever the signs: exactly at rank k = r₊ + (G − 1) r₋ for G groups, each negative direction through the \
            corners of a simplex. The constraint binds if and only if k is below that. With two groups, users and items, the price of a \
            negative direction is 1, the same as of a positive one: nothing is lost at all.
            """,
            """
            A `gfm` of rank k has k directions of each sign and needs max(r₊, r₋) where the signs are balanced, for 2k factors a feature; where \
            they are lopsided it needs less, since its spare directions of one sign serve the other at the same price of G − 1 (with two groups \
            half of r₊ + r₋, rounded up). Symmetric `bilinear` needs r₊ + r₋, for k factors a feature. At equal parameters `bilinear` is never \
            behind, `fm` equals it for G = 2 and falls behind with every group more when there are negative directions.
            """,
        ]
        return report
    }

    private struct Worst {
        var explicit = 0.0, at = 0.0, below = Double.infinity, generalizedAt = 0.0, generalizedBelow = Double.infinity
    }

    private func leastError(_ kind: SignedKind, rank: Int, _ data: GroupedInteractions) throws(LinearAlgebraError) -> Double {
        var best = Double.infinity
        for signs in kind.signs(rank: rank) where best > 1e-9 {
            best = min(best, try data.leastError(signs: signs, starts: starts, seed: settings.seed))
        }
        return best
    }

    private func exactRanks(_ report: inout StudyReport) throws(LinearAlgebraError) -> Worst {
        var table = StudyTable(
            "r₊ = 2, r₋ = 2, \(features) features a group: least relative error over pairs of different groups",
            ["G", "fm: rank k", "written down", "fitted at k", "at k − 1", "gfm: rank k", "fitted at k", "at k − 1"])
        var worst = Worst()
        for groups in groupCounts {
            let data = GroupedInteractions(groups: groups, features: features, positive: 2, negative: 2, seed: settings.seed &+ UInt64(groups))
            let k = data.machineRank, g = data.generalizedRank
            let explicit = data.error(of: try data.explicitMachine())
            let at = try leastError(.fm, rank: k, data), below = try leastError(.fm, rank: k - 1, data)
            let generalAt = try leastError(.gfm, rank: g, data), generalBelow = try leastError(.gfm, rank: g - 1, data)
            table.add([
                .whole(groups), .whole(k), .number(explicit), .number(at), .number(below), .whole(g), .number(generalAt), .number(generalBelow),
            ])
            worst.explicit = max(worst.explicit, explicit)
            worst.at = max(worst.at, at)
            worst.below = min(worst.below, below)
            worst.generalizedAt = max(worst.generalizedAt, generalAt)
            worst.generalizedBelow = min(worst.generalizedBelow, generalBelow)
        }
        report.parts.append(.table(table))
        return worst
    }

    /// gfm where nearly all directions have one sign.
    private func lopsided(_ report: inout StudyReport) throws(LinearAlgebraError) -> (at: Double, below: Double) {
        var table = StudyTable(
            "Lopsided signs: a gfm needs fewer than max(r₊, r₋)", ["G", "r₊", "r₋", "max(r₊, r₋)", "gfm: rank k", "fitted at k", "at k − 1"])
        var worst = 0.0, least = Double.infinity
        for (groups, positive, negative) in settings.isQuick ? [(2, 3, 1)] : [(2, 3, 1), (2, 4, 0), (3, 3, 0), (3, 4, 1)] {
            let data = GroupedInteractions(
                groups: groups, features: features, positive: positive, negative: negative, seed: settings.seed &+ UInt64(10 * groups + positive))
            let k = data.generalizedRank
            let at = try leastError(.gfm, rank: k, data), below = try leastError(.gfm, rank: k - 1, data)
            table.add([
                .whole(groups), .whole(positive), .whole(negative), .whole(max(positive, negative)), .whole(k), .number(at), .number(below),
            ])
            worst = max(worst, at)
            least = min(least, below)
        }
        report.parts.append(.table(table))
        return (worst, least)
    }

    /// Error by rank, and by factors of a feature, for G = 3.
    private func curves(_ report: inout StudyReport) throws(LinearAlgebraError) {
        let data = GroupedInteractions(groups: 3, features: features, positive: 2, negative: 2, seed: settings.seed &+ 3)
        var byRank: [LinePlot.Line] = [], byWidth: [LinePlot.Line] = []
        for (index, kind) in SignedKind.allCases.enumerated() {
            var ranks: [(x: Double, y: Double)] = [], widths = ranks
            for rank in 1...data.machineRank {
                let error = max(try leastError(kind, rank: rank, data), 1e-10)
                ranks.append((Double(rank), error))
                widths.append((Double(kind.width(rank: rank)), error))
                if error <= 1e-9 { break }
            }
            byRank.append(.init(kind == .bilinear ? "bilinear, symmetric" : kind.rawValue, ranks, colour: index))
            byWidth.append(.init(kind == .bilinear ? "bilinear, symmetric" : kind.rawValue, widths, colour: index))
        }
        let title = "G = 3, r₊ = 2, r₋ = 2: least error at equal"
        report.parts += [
            .plot(LinePlot("\(title) rank", x: ("rank k", .linear), y: ("relative error", .logarithmic), byRank)),
            .plot(LinePlot("\(title) parameters", x: ("factors a feature", .linear), y: ("relative error", .logarithmic), byWidth)),
        ]
    }
}
