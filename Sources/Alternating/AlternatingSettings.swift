import Factorization
import Glibc

/// What the alternating learners have in common.
public struct AlternatingSettings: Sendable {
    public var rank: Int
    public var loss: AlternatingLoss
    /// λ of ½ λ Σ v²: of factors, of linear weights (w_u and w_i too), and of the matrix of `bilinear`.
    public var factorRidge: Double
    public var weightRidge: Double
    public var matrixRidge: Double
    /// Logistic loss: Newton steps of a block at most.
    public var newtonSteps = 4
    /// Of the first factors.
    public var deviation: Double
    public var seed: UInt64

    public init(
        rank: Int, loss: AlternatingLoss = .squared, factorRidge: Double = 0.1, weightRidge: Double = 0.1, matrixRidge: Double = 0.1,
        deviation: Double? = nil, seed: UInt64 = 1
    ) {
        self.rank = rank
        self.loss = loss
        self.factorRidge = factorRidge
        self.weightRidge = weightRidge
        self.matrixRidge = matrixRidge
        self.deviation = deviation ?? 1 / Double(max(rank, 1)).squareRoot()
        self.seed = seed
    }

    /// First factors of one group: Gaussian, a function of seed, group and place.
    func firstFactors(group: Int, rows: Int) -> Matrix {
        var factors = Matrix(rows: rows, columns: rank)
        let start = mix64(seed ^ mix64(UInt64(group) &+ 1))
        for index in factors.values.indices {
            let first = mix64(start &+ 2 &* UInt64(index)), second = mix64(start &+ 2 &* UInt64(index) &+ 1)
            // Box and Muller.
            let radius = (-2 * log((Double(first >> 11) + 0.5) * 0x1p-53)).squareRoot()
            factors.values[index] = deviation * radius * cos(2 * .pi * Double(second >> 11) * 0x1p-53)
        }
        return factors
    }
}
