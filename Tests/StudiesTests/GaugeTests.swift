import Alternating
import Factorization
import LinearAlgebra
import StreamTools
import Testing

@testable import Studies

/// Known parameters found again, up to what leaves the scores as they are.
@Suite("Studies: gauges and recovery")
struct GaugeTests {
    private func gaussian(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix {
        var source = RandomSource(seed: seed)
        return source.gaussian(rows: rows, columns: columns)
    }

    @Test("Procrustes undoes a rotation, and nothing else")
    func procrustes() throws {
        let target = gaussian(20, 3, seed: 1), rotation = try gaussian(3, 3, seed: 2).singular().u
        #expect(try Gauge.procrustes(target.times(rotation), to: target).error < 1e-12)
        #expect(try Gauge.procrustes(2 * target, to: target).error > 0.5)
        let found = try Gauge.procrustes(gaussian(20, 3, seed: 3), to: target).rotation
        #expect((found.transposedTimes(found) - Matrix(rows: 3, columns: 3).addingToDiagonal(1)).squaredNorm < 1e-20)
    }

    @Test("Principal angles: nothing for the same space, right angles and small ones")
    func angles() throws {
        let a = gaussian(15, 2, seed: 4)
        #expect(try Gauge.principalAngles(a, a.times(gaussian(2, 2, seed: 5)))[0] < 1e-6)
        var left = Matrix(rows: 4, columns: 2), right = left
        (left[0, 0], left[1, 1]) = (1, 1)
        (right[2, 0], right[1, 1]) = (1, 1)
        let found = try Gauge.principalAngles(left, right)
        #expect((found[0] - 90).magnitude < 1e-6 && found[1].magnitude < 1e-6)
        (right[2, 0], right[0, 0]) = (0.001, 1)
        #expect((try Gauge.principalAngles(left, right)[0] - 0.0573).magnitude < 1e-4)
    }

    @Test("Without noise, four times the dimension gives every score, and the factors up to their gauge", arguments: Truth.Kind.allCases)
    func recovery(_ kind: Truth.Kind) throws {
        let truth = Truth(kind, sizes: kind == .fm ? [12, 10, 9] : [24, 22], rank: 2, seed: 3)
        let data = truth.observed(4 * truth.dimension, .scores(noise: 0), seed: 4)
        let found = try Recovery(truth, data, loss: .squared, starts: 2, seed: 5)
        #expect(found.error < 1e-3)
        #expect(found.alignedError < 1e-2 && found.angles.allSatisfy { $0 < 0.5 })
        #expect(found.rawError > 0.3, "as they come, factors are not the true ones")
    }

    @Test("Below the dimension nothing is known")
    func belowDimension() throws {
        let truth = Truth(.mf, sizes: [24, 22], rank: 2, seed: 3)
        let found = try Recovery(truth, truth.observed(truth.dimension * 3 / 4, .scores(noise: 0), seed: 4), loss: .squared, starts: 1, seed: 5)
        #expect(found.error > 0.1)
    }

    /// The rank of the scores' derivative by all parameters, numerically: nothing that was assumed of gauges.
    @Test("A model's dimension is the rank of its derivative", arguments: [1, 2])
    func dimension(rank: Int) throws {
        let sizes = [6, 5], parameters = 1 + sizes.reduce(0, +) * (1 + rank)
        let theta = gaussian(parameters, 1, seed: 6).values
        func scores(_ theta: [Double]) -> [Double] {
            Truth.cells(sizes).map { cell in
                let u = cell[0], i = sizes[0] + cell[1], first = 1 + sizes.reduce(0, +)
                return theta[0] + theta[1 + u] + theta[1 + i] + (0..<rank).reduce(0) { $0 + theta[first + u * rank + $1] * theta[first + i * rank + $1] }
            }
        }
        var derivative = Matrix(rows: 30, columns: parameters)
        for column in theta.indices {
            // Quadratic in each: a central difference is exact.
            var up = theta, down = theta
            up[column] += 0.5
            down[column] -= 0.5
            for (row, (a, b)) in zip(scores(up), scores(down)).enumerated() { derivative[row, column] = a - b }
        }
        let values = try derivative.singular().values
        #expect(values.count { $0 > 1e-9 * values[0] } == Truth(.mf, sizes: sizes, rank: rank, seed: 1).dimension)
    }

    @Test("With noise the error is near σ√(dimension/n)/rms")
    func noise() throws {
        let truth = Truth(.mf, sizes: [40, 40], rank: 1, seed: 8), labels = Truth.Labels.scores(noise: 0.3)
        let count = 8 * truth.dimension
        let found = try Recovery(truth, truth.observed(count, labels, seed: 9), loss: .squared, starts: 1, seed: 5)
        #expect((found.error / truth.expectedError(count, labels) - 1).magnitude < 0.25)
    }
}
