import Glibc

/// A search among settings that can be tried but not derived: draws around a centre, which then goes to where the better draws lie
/// (the cross-entropy method, Rubinstein 1999, with the weights of Hansen's evolution strategies).
///
/// The centre is a mean of many: what made a single draw look best by luck averages out, and a draw near an edge, where settings
/// turn from best to useless, pulls the centre no further than half way. Coordinates are logarithms of factors, in units of how far
/// each setting is drawn; 0 is where the search begins.
public struct SettingsSearch: Sendable {
    public private(set) var centre: [Double]
    /// How far draws go from the centre: their standard deviation.
    public private(set) var spread = 1.0
    private var random: RandomSource

    public init(dimensions: Int, seed: UInt64) {
        centre = [Double](repeating: 0, count: dimensions)
        random = RandomSource(seed: seed)
    }

    public mutating func draw(_ count: Int) -> [[Double]] {
        (0..<count).map { _ in centre.map { $0 + spread * Double(random.gaussian()) } }
    }

    /// Goes to the weighted mean of the better ones, the best first, and draws nearer from then on.
    public mutating func move(to better: [[Double]]) {
        guard !better.isEmpty else { return }
        let weights = better.indices.map { log(Double(better.count) + 0.5) - log(Double($0) + 1) }, sum = weights.reduce(0, +)
        for dimension in centre.indices {
            centre[dimension] = zip(weights, better).reduce(0) { $0 + $1.0 / sum * $1.1[dimension] }
        }
        spread *= 0.7
    }
}
