import CKernels
import Testing

@testable import Factorization

/// bfloat16s in and out of floats.
@Suite struct HalfKernelTests {
    private static let all = Kernels.Variant.allCases.compactMap { Kernels($0) }

    private func narrowed(_ kernels: Kernels, _ floats: [Float], _ word: UInt64) -> [UInt16] {
        var out = [UInt16](repeating: 0xABCD, count: floats.count)
        kernels.narrow(&out, floats, floats.count, word)
        return out
    }
    private func widened(_ kernels: Kernels, _ halves: [UInt16]) -> [Float] {
        var out = [Float](repeating: -1, count: halves.count)
        kernels.widen(&out, halves, halves.count)
        return out
    }

    @Test func everyValueIsItsUpperHalfAndComesBack() {
        let halves = (0..<65_536).map { UInt16($0) }
        for kernels in Self.all {
            let floats = widened(kernels, halves)
            #expect(zip(floats, halves).allSatisfy { $0.bitPattern == UInt32($1) << 16 })
            for word in [0, 1, .max, 0x1234_5678_9ABC_DEF0] as [UInt64] { #expect(narrowed(kernels, floats, word) == halves) }
        }
    }

    @Test func variantsRoundAlike() {
        var dice = Dice(3)
        for count in stride(from: 8, through: 520, by: 8) {
            let floats = (0..<count).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: dice.next())) }, word = dice.next()
            let results = Self.all.map { narrowed($0, floats, word) }
            #expect(results.allSatisfy { $0 == results[0] }, "\(count)")
        }
    }

    /// The outcome is one of the two neighbours, in every lane with the odds that make the mean the value.
    @Test func roundingHasNoBias() {
        var dice = Dice(4)
        let count = 40, draws = 20_000
        let floats = (0..<count).map { _ in Float(dice.real(-2...2)) * (dice.below(2) == 0 ? 1 : 1e-3) }
        var sums = [Double](repeating: 0, count: count), total = 0.0, squares = 0.0
        for draw in 0..<draws {
            var sum = 0.0
            for (lane, half) in narrowed(.best, floats, mix64(UInt64(draw))).enumerated() {
                let down = UInt32(half) << 16, exact = floats[lane].bitPattern
                let isNeighbour = down == exact & 0xFFFF_0000 || down == (exact & 0xFFFF_0000) &+ 0x1_0000
                #expect(isNeighbour)
                // In places of the last bit.
                let error = (Double(Float(bitPattern: down)) - Double(floats[lane])) / place(floats[lane])
                sums[lane] += error
                sum += error
            }
            total += sum
            squares += sum * sum
        }
        let variances = floats.map { value in
            let odds = Double(value.bitPattern & 0xFFFF) / 65_536
            return odds * (1 - odds)
        }
        for lane in 0..<count { #expect(abs(sums[lane]) < 5 * (variances[lane] * Double(draws)).squareRoot(), "lane \(lane)") }
        // Lanes are independent: variances of a row's error add up.
        let expected = variances.reduce(0, +), variance = squares / Double(draws) - (total / Double(draws)) * (total / Double(draws))
        #expect(abs(variance / expected - 1) < 0.06, "\(variance) of \(expected)")
    }

    /// The distance of a float's two neighbours.
    private func place(_ value: Float) -> Double {
        let down = Float(bitPattern: value.bitPattern & 0xFFFF_0000), up = Float(bitPattern: (value.bitPattern & 0xFFFF_0000) &+ 0x1_0000)
        return abs(Double(up) - Double(down))
    }

    @Test func whatIsNotFiniteStaysAndNothingElseBecomesIt() {
        let bad: [Float] = [
            .infinity, -.infinity, .nan, -.nan, Float(bitPattern: 0x7F80_0001), Float(bitPattern: 0xFFFF_FFFF),
            Float(bitPattern: 0xFF80_FFFF), .signalingNaN,
        ]
        let good: [Float] = [
            .greatestFiniteMagnitude, -.greatestFiniteMagnitude, Float(bitPattern: 0x7F7F_0001), .leastNonzeroMagnitude, 0, -0,
            Float(bitPattern: 0x007F_FFFF), 3e38,
        ]
        for kernels in Self.all {
            for word in 0..<200 as Range<UInt64> {
                let back = widened(kernels, narrowed(kernels, bad + good, mix64(word)))
                for (value, now) in zip(bad, back) { #expect(value.isNaN ? now.isNaN : now == value) }
                #expect(back[8...].allSatisfy { $0.isFinite })
                #expect(zip(good, back[8...]).allSatisfy { $0.sign == $1.sign })
            }
        }
    }

    @Test func firstValuesAreTheNearestOfTheFloats() {
        for rank in 1...40 {
            let width = KindLayout.padded(rank)
            var floats = [Float](repeating: 1, count: width), halves = [UInt16](repeating: 1, count: width)
            fk_first_factors(&floats, rank, width, 99, 0.3)
            fk_first_bfloats(&halves, rank, width, 99, 0.3)
            for (float, half) in zip(floats, halves) {
                let error = abs(Double(Float(bitPattern: UInt32(half) << 16)) - Double(float))
                #expect(error <= place(float) / 2 && (float != 0 || half == 0))
            }
        }
    }
}
