import Factorization

/// xoshiro256++ (Blackman and Vigna 2021), seeded by SplitMix64: the same numbers from the same seed on every machine.
public struct RandomSource: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    public init(seed: UInt64) {
        // Four successive outputs of SplitMix64, whose state advances by the golden-ratio constant.
        let step: UInt64 = 0x9E37_79B9_7F4A_7C15
        state = (mix64(seed), mix64(seed &+ step), mix64(seed &+ 2 &* step), mix64(seed &+ 3 &* step))
    }

    @inline(__always)
    public mutating func next() -> UInt64 {
        func rotate(_ value: UInt64, _ by: UInt64) -> UInt64 { value << by | value >> (64 &- by) }
        let result = rotate(state.0 &+ state.3, 23) &+ state.0
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotate(state.3, 45)
        return result
    }

    /// Uniform in 0..<1.
    @inline(__always)
    public mutating func unit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    /// Uniform in 0..<bound, by multiply-and-shift (the bias is below bound / 2^64).
    @inline(__always)
    public mutating func below(_ bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }
}
