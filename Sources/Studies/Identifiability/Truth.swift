public import Alternating
import Factorization
import LinearAlgebra
import StreamTools

/// Known parameters from which labels are made, and which are to be found again.
public struct Truth: Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Users and items with linear terms.
        case mf
        /// Users and items through W, w_u and w_i.
        case bilinear
        /// Three groups of features with linear terms.
        case fm
    }
    public enum Labels: Sendable, Equatable {
        /// The score itself, with Gaussian noise of this deviation.
        case scores(noise: Double)
        /// 0 or 1, by the score as log-odds.
        case clicks
    }

    public let kind: Kind
    public let sizes: [Int]
    public let rank: Int
    /// By group.
    let factors: [Matrix]
    /// `bilinear`: w0, w_u, w_i, W.
    let bilinear: (bias: Double, user: [Double], item: [Double], matrix: Matrix)?
    /// Of every cell; the last group runs fastest.
    public let scores: [Double]

    /// - Parameter size: deviation that scores have about.
    public init(_ kind: Kind, sizes: [Int], rank: Int, size: Double = 1, seed: UInt64) {
        self.kind = kind
        self.sizes = sizes
        self.rank = rank
        var source = RandomSource(seed: seed)
        // ⟨p, q⟩ then has deviation `size`, whatever the rank.
        let deviation = (size / Double(rank).squareRoot()).squareRoot()
        factors = sizes.map { source.gaussian(rows: $0, columns: rank, deviation: deviation) }
        if kind == .bilinear {
            let matrix = source.gaussian(rows: rank, columns: rank, deviation: 0.3).addingToDiagonal(1)
            let user = (0..<rank).map { _ in 0.4 * source.gaussian() }, item = (0..<rank).map { _ in 0.4 * source.gaussian() }
            bilinear = (0.3 * size, user, item, matrix)
        } else {
            bilinear = nil
        }
        let weights = sizes.map { count in (0..<count).map { _ in 0.4 * size * source.gaussian() } }
        let factors = factors, bilinear = bilinear
        scores = Truth.cells(sizes).map { cell in
            if let bilinear {
                let p = factors[0].row(cell[0]), q = factors[1].row(cell[1]), image = bilinear.matrix * q
                var score = bilinear.bias
                for k in 0..<rank { score += p[k] * (image[k] + bilinear.user[k]) + bilinear.item[k] * q[k] }
                return score
            }
            var score = 0.3 * size
            for g in cell.indices {
                score += weights[g][cell[g]]
                for h in g + 1..<cell.count {
                    for k in 0..<rank { score += factors[g][cell[g], k] * factors[h][cell[h], k] }
                }
            }
            return score
        }
    }

    /// Every combination of features, the last group fastest.
    static func cells(_ sizes: [Int]) -> [[Int]] {
        (0..<sizes.reduce(1, *)).map { cell(sizes, $0) }
    }

    static func cell(_ sizes: [Int], _ number: Int) -> [Int] {
        var rest = number, cell = [Int](repeating: 0, count: sizes.count)
        for group in sizes.indices.reversed() { (rest, cell[group]) = rest.quotientAndRemainder(dividingBy: sizes[group]) }
        return cell
    }

    /// Numbers that the scores depend on, once what leaves them unchanged is taken out.
    public var dimension: Int {
        let total = sizes.reduce(0, +)
        return switch kind {
        // Linear terms; factors up to GL(k), and up to translations, which the linear terms absorb.
        case .mf: total - 1 + rank * (total - 2 - rank)
        // A constant and a matrix of rank k.
        case .bilinear: 1 + rank * (total - rank)
        // Linear terms; factors centred by group, up to O(k).
        case .fm: total - sizes.count + 1 + rank * (total - sizes.count) - rank * (rank - 1) / 2
        }
    }

    /// √(mean score²).
    public var rms: Double { (scores.reduce(0) { $0 + $1 * $1 } / Double(scores.count)).squareRoot() }

    /// So many cells, none twice, with their labels.
    public func observed(_ count: Int, _ labels: Labels, seed: UInt64) -> Observations {
        var source = RandomSource(seed: seed)
        let chosen = source.sample(min(count, scores.count), of: scores.count), cells = chosen.map { Truth.cell(sizes, $0) }
        return Observations(
            sizes: sizes, features: sizes.indices.map { group in cells.map { $0[group] } },
            labels: chosen.map { cell in
                switch labels {
                case .scores(let noise): scores[cell] + noise * source.gaussian()
                case .clicks: source.unit() < sigmoid(scores[cell]) ? 1 : 0
                }
            })
    }

    /// The relative error that `count` labels must leave at least: √(dimension/(n · information a label)) ÷ rms.
    public func expectedError(_ count: Int, _ labels: Labels) -> Double {
        let information: Double
        switch labels {
        case .scores(let noise): information = 1 / (noise * noise)
        case .clicks: information = scores.reduce(0) { $0 + sigmoid($1) * (1 - sigmoid($1)) } / Double(scores.count)
        }
        return (Double(dimension) / (Double(count) * information)).squareRoot() / rms
    }
}
