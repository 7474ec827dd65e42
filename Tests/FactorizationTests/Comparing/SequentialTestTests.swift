import Testing

@testable import Factorization

@Suite struct SequentialTestTests {
    /// Differences whose conditional mean is never above 0, and that depend on the past: their size, and which of two ways they go
    /// wrong, follow from what came before. Looked at after every event.
    private func isEverDecided(seed: Int, events: Int, alpha: Double, gain: Double = 0) -> Int? {
        var dice = Dice(seed), test = SequentialTest(), last = 0.0
        for event in 1...events {
            let size = abs(last) > 0.3 ? 0.05 : 0.4 + 0.2 * test.mean, base = 0.5
            // Either way alike, or rare and large against often and small: the mean is 0 both times.
            let difference = event % 3 == 0 ? (dice.below(10) == 0 ? -0.9 * size : 0.1 * size) : (dice.below(2) == 0 ? size : -size)
            last = difference
            test.take(base + difference / 2 + gain / 2, base - difference / 2 - gain / 2)
            if test.isDecided(alpha: alpha) { return event }
        }
        return nil
    }

    @Test func aModelThatIsNotBetterIsRarelyTakenForOne() {
        // Ten times the level that counts, so that there is something to count.
        let decided = (0..<500).count { isEverDecided(seed: $0, events: 2000, alpha: 0.1) != nil }
        #expect(decided <= 50, "\(decided) of 500 at alpha 0.1")
    }

    @Test func aModelThatIsBetterIsFoundOut() {
        let after = (0..<50).map { isEverDecided(seed: $0, events: 20_000, alpha: 0.01, gain: 0.03) }
        #expect(after.count { $0 != nil } == 50)
        #expect(after.compactMap(\.self).allSatisfy { $0 > 100 })
    }

    @Test func theExponentInequalityHolds() {
        // exp(λy − ψ(λ)y²) ≤ 1 + λy for y ≥ −1: what the bound stands on.
        for lambda in SequentialTest.lambdas {
            let psi = SequentialTest.logNeeded(alpha: 1 - lambda) - lambda
            for step in 0...400 {
                let y = -1 + Double(step) / 200
                #expect(exponential(lambda * y - psi * y * y) <= 1 + lambda * y + 1e-12, "λ \(lambda), y \(y)")
            }
        }
    }

    private func exponential(_ x: Double) -> Double {
        var term = 1.0, sum = 1.0
        for index in 1..<60 {
            term *= x / Double(index)
            sum += term
        }
        return sum
    }

    @Test func partsAddUpAndTheOtherWayRoundIsTheOtherModel() {
        var dice = Dice(4), whole = SequentialTest(), opposite = SequentialTest()
        for _ in 0..<1000 {
            let a = dice.real(0...1), b = dice.real(0...0.8)
            whole.take(a, b)
            opposite.take(b, a)
        }
        #expect(abs(whole.reversed.logEvidence - opposite.logEvidence) < 1e-9)
        #expect(whole.isDecided(alpha: 0.01) && !opposite.isDecided(alpha: 0.01))
        let both = whole + whole
        #expect(both.events == 2000 && both.sum == 2 * whole.sum && abs(both.mean - whole.mean) < 1e-12)
        #expect(both.logEvidence > whole.logEvidence)
        #expect(SequentialTest().logEvidence == 0 && !SequentialTest().isDecided(alpha: 0.5))
    }
}
