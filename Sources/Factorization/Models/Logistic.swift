import CKernels

extension Float {
    /// base^exponent by repeated multiplication: the same bits on every machine.
    static func power(_ base: Float, _ exponent: Int) -> Float {
        (0..<exponent).reduce(1) { power, _ in power * base }
    }

    /// σ(x) = 1 / (1 + e⁻ˣ).
    public static func logistic(_ x: Float) -> Float { fk_sigmoid(x) }

    /// σ of the log-odds x after multiplying the odds by `odds`.
    public static func logistic(_ x: Float, odds: Float) -> Float {
        // o = e^x · odds; p = o / (1 + o), written through σ so that large x cannot overflow.
        let p = fk_sigmoid(x)
        return p * odds / (p * odds + (1 - p))
    }
}
