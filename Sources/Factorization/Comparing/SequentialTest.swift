import CKernels

/// Whether one forecaster's losses are lower than another's, by a test that may be looked at after every event: the evidence is
/// an e-process, so that to stop as soon as it is large, or to go on looking for ever, does not raise the chance of error.
///
/// Losses lie in 0…1, so that a difference d = loss of A − loss of B lies in −1…1. For the events i = 1, 2, … with the past
/// F(i−1), and m(i−1) the mean of the differences before i (0 before the first), which the past tells:
///
///     S = Σ d(i)/2     V = Σ ((d(i) − m(i−1))/2)²     E(λ) = exp(λ·S − ψ(λ)·V)     ψ(λ) = −ln(1 − λ) − λ,  0 < λ < 1
///
/// **Null hypothesis**: B is not better on the stream so far; at every time, the sum of the conditional means
/// μ(i) = E[d(i) | F(i−1)] is not above 0. Means may change from event to event, and events may depend on each other in any way.
///
/// **Why the chance of error is bounded.** With y = (d − m)/2, which lies in −1…1: exp(λy − ψ(λ)y²) ≤ 1 + λy for y ≥ −1
/// (Fan, Grama and Liu 2015, (4.11)). The conditional mean of the right side is 1 + λ(μ − m)/2 ≤ exp(λ(μ − m)/2). So
/// E(λ)·exp(−λ·Σμ(i)/2) is a supermartingale that begins at 1, and so is its mean over a fixed set of λ's. Under the null
/// hypothesis it is nowhere below the mean of the E(λ)'s, and by Ville's inequality (1939) that ever reaches 1/α with a chance of
/// α at most. (Howard, Ramdas, McAuliffe and Sekhon 2021, theorem 4; Choe and Ramdas 2023, "Comparing sequential
/// forecasters", who use it for just this.)
///
/// The only assumption is that losses are bounded, which `Comparison` sees to by a cap; without one, the bound would have to be
/// assumed. Sums over several trainers add: each event has one factor, whoever learned it.
public struct SequentialTest: Sendable, Equatable {
    /// Events compared.
    public internal(set) var events: UInt64 = 0
    /// Σ d.
    public internal(set) var sum = 0.0
    /// Σ (d − m)².
    public internal(set) var squares = 0.0

    public init() {}

    /// Takes the losses of one event.
    @inline(__always)
    public mutating func take(_ lossOfA: Double, _ lossOfB: Double) {
        let difference = lossOfA - lossOfB, off = difference - mean
        events += 1
        sum += difference
        squares += off * off
    }

    /// By how much the losses of A are above those of B.
    public var mean: Double { events == 0 ? 0 : sum / Double(events) }

    /// The same the other way round: whether A is better than B.
    public var reversed: SequentialTest {
        var reversed = self
        reversed.sum = -sum
        return reversed
    }

    public static func + (a: SequentialTest, b: SequentialTest) -> SequentialTest {
        var both = a
        both.events += b.events
        both.sum += b.sum
        both.squares += b.squares
        return both
    }

    /// λ's of the mixture, all of the same weight: factors of two, so that one is within √2 of whatever would be best.
    static let lambdas = (0..<16).map { 0.9 / Double(1 << $0) }
    private static let terms = lambdas.map { (lambda: $0, psi: -fk_log(1 - $0) - $0) }

    /// ln of the evidence that B is better: the test rejects "B is not better" at level α where it reaches ln(1/α).
    public var logEvidence: Double {
        let exponents = SequentialTest.terms.map { $0.lambda * sum / 2 - $0.psi * squares / 4 }
        let largest = exponents.max()!
        let rest = exponents.reduce(0) { $0 + fk_power(2.718281828459045, $1 - largest) }
        return largest + fk_log(rest / Double(exponents.count))
    }

    /// Whether B is better, with a chance of error of at most `alpha` over all looks together.
    public func isDecided(alpha: Double) -> Bool { logEvidence >= SequentialTest.logNeeded(alpha: alpha) }

    /// ln(1/α).
    public static func logNeeded(alpha: Double) -> Double { -fk_log(alpha) }

    /// Events of this kind after which the evidence reaches 1/α, about; nil where it does not grow.
    public func expectedEvents(alpha: Double) -> Double? {
        guard events > 0, sum > 0 else { return nil }
        let growth = SequentialTest.terms.map { ($0.lambda * sum / 2 - $0.psi * squares / 4) / Double(events) }.max()!
        guard growth > 0 else { return nil }
        return (-fk_log(alpha) + fk_log(Double(SequentialTest.terms.count))) / growth
    }
}
