import CKernels
import Testing

@testable import Factorization

/// Scores of blocks of rows.
@Suite struct ScoreKernelTests {
    private struct Rows {
        var query: [Float], floats: [Float], halves: [UInt16], states: [fk_row_state]
        let width: Int, stride: Int, count: Int

        init(width: Int, stride: Int, count: Int, seed: Int) {
            var dice = Dice(seed)
            (self.width, self.stride, self.count) = (width, stride, count)
            query = (0..<width).map { _ in Float(dice.real()) }
            halves = (0..<stride * count).map { _ in UInt16(Float(dice.real()).bitPattern >> 16) }
            // The same numbers, so that both kernels are held to one sum.
            floats = halves.map { Float(bitPattern: UInt32($0) << 16) }
            states = (0..<count).map { _ in fk_row_state(weight: Float(dice.real()), weight_accumulator: 7, factor_accumulator: 8, updates: 9) }
        }

        func exact(_ row: Int) -> Double {
            (0..<width).reduce(0.25 + Double(states[row].weight)) { $0 + Double(query[$1]) * Double(floats[row * stride + $1]) }
        }

        /// Scores `count` rows from `first` on; what lies behind them must stay.
        func scores(_ kernels: Kernels, first: Int = 0, count: Int, halves isHalf: Bool) -> [Float] {
            var out = [Float](repeating: -77, count: count + 8)
            states.withUnsafeBufferPointer { states in
                let states = states.baseAddress! + first
                if isHalf {
                    halves.withUnsafeBufferPointer {
                        kernels.scoreBfloats(query, 0.25, $0.baseAddress! + first * stride, states, count, width, stride, &out)
                    }
                } else {
                    floats.withUnsafeBufferPointer {
                        kernels.scoreRows(query, 0.25, $0.baseAddress! + first * stride, states, count, width, stride, &out)
                    }
                }
            }
            #expect(out[count...].allSatisfy { $0 == -77 })
            return Array(out[..<count])
        }
    }

    /// Every width, rows with and without a tail, every number of rows up to three blocks: the sum in double, and the same
    /// bits wherever a row stands.
    @Test(arguments: Kernels.Variant.present) func scoresAreTheSumsAndDoNotDependOnPlace(_ variant: Kernels.Variant) throws {
        let kernels = try #require(Kernels(variant))
        for width in stride(from: 8, through: 512, by: 8) {
            let rows = Rows(width: width, stride: width + (width / 8 % 3 == 0 ? 8 : 0), count: 25, seed: width)
            for isHalf in [false, true] {
                let whole = rows.scores(kernels, count: 25, halves: isHalf)
                let tolerance = 3e-7 * Double(width).squareRoot() + 1e-6
                for row in 0..<25 { #expect(abs(Double(whole[row]) - rows.exact(row)) <= tolerance, "\(width), row \(row)") }
                for row in 0..<25 { #expect(rows.scores(kernels, first: row, count: 1, halves: isHalf) == [whole[row]], "\(width), row \(row)") }
                for count in 0..<25 { #expect(rows.scores(kernels, count: count, halves: isHalf) == Array(whole[..<count]), "\(width), \(count) rows") }
                #expect(rows.scores(kernels, first: 3, count: 19, halves: isHalf) == Array(whole[3..<22]))
            }
        }
    }

    @Test(arguments: Kernels.Variant.present) func aBadRowSpoilsNoOther(_ variant: Kernels.Variant) throws {
        let kernels = try #require(Kernels(variant))
        for width in [8, 24, 32, 128] {
            var rows = Rows(width: width, stride: width, count: 20, seed: 5)
            let before = rows.scores(kernels, count: 20, halves: false)
            rows.floats[6 * width + 3] = .nan
            let after = rows.scores(kernels, count: 20, halves: false)
            #expect(after[6].isNaN)
            for row in 0..<20 where row != 6 { #expect(after[row] == before[row]) }
        }
    }
}
