/// How rows fade: a row that nobody touched for Δ positions counts 2^(-Δ/h) of what it was.
///
/// Time goes in steps of h/1024 positions, so that a row that is touched all the time is not scaled each time by a factor
/// that rounds to 1, and most touches cost one comparison. A row's stamp is the end of the step in which it was last
/// touched, never 0; 0 is a row that nobody touched yet.
struct HalfLife: Sendable {
    /// h, in events; 0 where rows do not fade. Stamps then tell each position apart.
    let events: UInt64
    /// Positions of a step.
    let step: UInt64
    /// What a row keeps of itself in one step.
    private let keep: Double
    /// Steps after which nothing is left: 64 half-lives, long before a float is too small to compute with.
    private let longest: UInt64

    static let stepsPerHalfLife: UInt64 = 1024

    init(events: UInt64) {
        self.events = events
        step = max(1, events / HalfLife.stepsPerHalfLife)
        // 2^(-step/h), one binary digit of the exponent after the other, by square roots alone: the same bits everywhere.
        var rest = events > 0 ? Double(step) / Double(events) : 0
        var root = 0.5, product = 1.0
        while rest > 0 {
            if rest >= 1 {
                product *= root
                rest -= 1
            }
            rest *= 2
            root = root.squareRoot()
        }
        keep = product
        longest = events > 0 ? 64 * events / step : .max
    }

    /// The stamp of a row that is touched at `position`.
    @inline(__always)
    func stamp(_ position: UInt64) -> UInt64 { position - position % step + step }

    /// What is left of a row with the stamp `then` at the stamp `now`.
    func factor(from then: UInt64, to now: UInt64) -> Float {
        guard events > 0 && then != 0 && then < now else { return 1 }
        var steps = (now - then) / step
        guard steps < longest else { return 0 }
        var power = 1.0, square = keep
        while steps > 0 {
            if steps & 1 != 0 { power *= square }
            square *= square
            steps >>= 1
        }
        return Float(power)
    }
}
