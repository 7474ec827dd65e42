import CKernels
import Testing

@testable import Factorization

/// The bounds of the first pass: never below what the row kernels answer, and close above it.
@Suite struct ScanKernelTests {
    /// Rows with their weights, and both copies of them.
    private final class Rows {
        let width: Int, count: Int
        var floats: [Float], weights: [Float]
        var coarse: [UInt8], fine: [UInt8]

        init(width: Int, count: Int, _ value: (Int, Int) -> Float, weight: (Int) -> Float) {
            (self.width, self.count) = (width, count)
            floats = (0..<width * count).map { value($0 / width, $0 % width) }
            weights = (0..<count).map(weight)
            coarse = [UInt8](repeating: 0, count: (count + 15) / 16 * fk_coarse_bytes(width))
            fine = [UInt8](repeating: 0, count: (count + 15) / 16 * fk_fine_bytes(width))
        }

        func copy(_ scans: Scans) {
            for row in 0..<count {
                let tile = row / 16
                coarse.withUnsafeMutableBufferPointer { coarse in
                    fine.withUnsafeMutableBufferPointer { fine in
                        floats.withUnsafeBufferPointer {
                            scans.write(
                                coarse.baseAddress! + tile * fk_coarse_bytes(width), fine.baseAddress! + tile * fk_fine_bytes(width), row % 16,
                                $0.baseAddress! + row * width, weights[row], width)
                        }
                    }
                }
            }
        }

        /// Bounds by row of those that may reach the threshold; nil where the query is refused.
        func bounds(_ scans: Scans, _ query: [Float], constant: Float, threshold: Float = -.infinity) -> [UInt32: Float]? {
            let words = ScanQuery()
            guard words.prepare(query, width: width, constant: constant) else { return nil }
            let room = (count + 15) / 16 * 16
            var rows = [UInt32](repeating: 0, count: room), bounds = [Float](repeating: 0, count: room)
            let found = scans.scan(words.words, coarse, fine, room / 16, threshold, 0, &rows, &bounds)
            var byRow: [UInt32: Float] = [:]
            for index in 0..<found where rows[index] < UInt32(count) { byRow[rows[index]] = bounds[index] }
            return byRow
        }

        func scores(_ kernels: Kernels, _ query: [Float], constant: Float) -> [Float] {
            let states = weights.map { fk_row_state(weight: $0, weight_accumulator: 0, factor_accumulator: 0, updates: 0) }
            var out = [Float](repeating: 0, count: count + 8)
            kernels.scoreRows(query, constant, floats, states, count, width, width, &out)
            return Array(out[..<count])
        }
    }

    private static let allKernels = Kernels.Variant.allCases.compactMap { Kernels($0) }
    private static let widths = [8, 16, 24, 32, 40, 64, 104, 128, 136, 256, 512]

    /// No variant of the row kernels may answer more than any variant's bound, whatever the numbers.
    private func expectBounds(_ rows: Rows, _ query: [Float], constant: Float, _ what: String) {
        let scores = ScanKernelTests.allKernels.map { rows.scores($0, query, constant: constant) }
        for scans in Scans.Variant.allCases.compactMap({ Scans($0) }) {
            rows.copy(scans)
            guard let bounds = rows.bounds(scans, query, constant: constant) else { continue }
            #expect(bounds.count == rows.count, "\(what), \(scans.variant): every row reaches minus infinity")
            for row in 0..<rows.count {
                let bound = bounds[UInt32(row)] ?? -.infinity
                for score in scores { #expect(score[row].isNaN || !(bound < score[row]), "\(what), \(scans.variant), row \(row): \(bound) < \(score[row])") }
            }
            // And with a threshold, nobody is lost that reaches it.
            let sorted = scores[0].filter { !$0.isNaN }.sorted(by: >)
            guard sorted.count > 3 else { continue }
            let chosen = rows.bounds(scans, query, constant: constant, threshold: sorted[3]) ?? [:]
            for row in 0..<rows.count where scores.contains(where: { $0[row] >= sorted[3] }) {
                #expect(chosen[UInt32(row)] != nil, "\(what), \(scans.variant): row \(row) reaches the threshold")
            }
        }
    }

    @Test(arguments: widths) func boundsHoldForRandomRows(_ width: Int) {
        var dice = Dice(width)
        for round in 0..<12 {
            let size = Float([1, 0.01, 1e-6, 1e6, 1e-12, 1e12][round % 6]), spread = Float(dice.real(0...1))
            let rows = Rows(width: width, count: 40) { _, _ in
                let x = Float(dice.real())
                // Now and then a factor far above the others.
                return size * (dice.below(20) == 0 ? x * 30 * spread : x)
            } weight: { _ in
                Float(dice.real(-3...3)) * (dice.below(5) == 0 ? size : 1)
            }
            let reach = Float(dice.real(0.001...50))
            let query = (0..<width).map { _ in Float(dice.real()) * reach }
            expectBounds(rows, query, constant: Float(dice.real(-100...100)), "width \(width), round \(round)")
        }
    }

    /// What was rounded off lies along the query: the bound is reached, not only approached.
    @Test(arguments: widths) func boundsHoldWhereTheRestIsAsBadAsItCanBe(_ width: Int) {
        var dice = Dice(width + 1)
        for scale in [Float(1), 0.0078125, 3.1e-5] {
            let signs = (0..<width).map { _ in Float(dice.below(2) == 0 ? -1 : 1) }
            let rows = Rows(width: width, count: 48) { row, f in
                if f == 0 { return 127 * scale * (row % 2 == 0 ? 1 : -1) }
                let whole = Float(dice.below(253) - 126)
                // As far from its whole number as rounds to it, or at an end of the sixteen that share the upper half.
                let end = signs[f] > 0 ? Float(15) : 0
                return row % 3 == 0 ? (whole + 0.499 * signs[f]) * scale : (Float(dice.below(14) + 1) * 16 + end - 128) * scale
            } weight: { row in
                row % 4 == 0 ? 1e5 : 0
            }
            for size in [Float(1), 0.37] { expectBounds(rows, signs.map { $0 * size }, constant: 0, "width \(width), scale \(scale)") }
        }
    }

    @Test(arguments: widths) func numbersBeyondAllBoundsAreScored(_ width: Int) {
        let strange: [Float] = [.nan, .infinity, -.infinity, 1e30, -1e30, .greatestFiniteMagnitude, Float.leastNormalMagnitude / 64, -Float.leastNormalMagnitude / 64, 1e-20, 0, .leastNonzeroMagnitude]
        var dice = Dice(width + 2)
        let rows = Rows(width: width, count: 2 * strange.count + 9) { row, f in
            // All of a row, or one factor of it.
            if row < strange.count { return strange[row] }
            if row < 2 * strange.count { return f == 3 ? strange[row - strange.count] : Float(dice.real()) }
            return Float(dice.real())
        } weight: { row in
            row >= 2 * strange.count ? strange[row - 2 * strange.count] : 0.5
        }
        for query in [[Float](repeating: 0, count: width), (0..<width).map { _ in Float(dice.real()) }, (0..<width).map { $0 == 2 ? 7 : 0 }] {
            for constant in [Float(0), 1, -1e20] { expectBounds(rows, query, constant: constant, "width \(width)") }
        }
        for bad in [Float.nan, .infinity, 1e16, 1e-20] {
            #expect(!ScanQuery().prepare((0..<width).map { $0 == 1 ? bad : 0 }, width: width, constant: 0), "a query with \(bad) is refused")
        }
        #expect(!ScanQuery().prepare([Float](repeating: 1, count: width), width: width, constant: .nan))
    }

    /// All variants read the same sums from the same copy, and the bound is as close as eight bits allow.
    @Test(arguments: widths) func variantsAgreeAndAreClose(_ width: Int) throws {
        var dice = Dice(width + 3)
        let rows = Rows(width: width, count: 100) { _, _ in Float(dice.real()) } weight: { _ in Float(dice.real()) }
        let portable = try #require(Scans(.portable))
        for _ in 0..<5 {
            rows.copy(portable)
            let query = (0..<width).map { _ in Float(dice.real()) }, norm = query.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let expected = try #require(rows.bounds(portable, query, constant: 0.25)), scores = rows.scores(.best, query, constant: 0.25)
            // |r8| is half a step a factor at most, and the steps are 1/127, raised to a bfloat16.
            let most = norm * Float(width).squareRoot() * (0.5 / 127 + 0.0002) * 1.01
            for row in 0..<UInt32(rows.count) {
                let bound = try #require(expected[row])
                #expect(bound - scores[Int(row)] <= 2 * most, "row \(row): \(bound) is far above \(scores[Int(row)])")
            }
            for scans in Scans.Variant.allCases.compactMap({ Scans($0) }) {
                let found = try #require(rows.bounds(scans, query, constant: 0.25))
                for row in 0..<UInt32(rows.count) {
                    #expect(abs(found[row]! - expected[row]!) <= 1e-5 * max(1, norm), "\(scans.variant), row \(row)")
                }
                // Both passes rule out, and never a row that reaches the threshold.
                let threshold = scores.sorted(by: >)[20]
                let kept = Set(try #require(rows.bounds(scans, query, constant: 0.25, threshold: threshold)).keys)
                #expect(kept.isSubset(of: found.filter { !($0.value < threshold) }.keys))
                #expect(kept.isSuperset(of: (0..<UInt32(rows.count)).filter { scores[Int($0)] >= threshold }))
            }
        }
    }
}
