/// A token bucket: `perSecond` events on average, at most a tenth of a second's worth at once.
struct RateLimiter {
    private let perNanosecond: Double
    private let capacity: Double
    private var tokens: Double
    private var last: Int64

    init(perSecond: Double, now: Int64) {
        precondition(perSecond > 0, "a rate is positive")
        perNanosecond = perSecond / 1e9
        capacity = max(1, perSecond / 10)
        tokens = capacity
        last = now
    }

    /// Takes `count` tokens.
    /// - Returns: how many nanoseconds to wait before going on. Debts are allowed, so that a message larger than the
    ///   bucket passes, and paid by waiting longer.
    mutating func take(_ count: Int, now: Int64) -> Int64 {
        tokens = min(capacity, tokens + Double(now - last) * perNanosecond)
        last = now
        tokens -= Double(count)
        return tokens >= 0 ? 0 : Int64(-tokens / perNanosecond)
    }
}
