/// What each client of a reply socket has under way, and how fast it asks. Belongs to the socket's thread.
///
/// A client is a connection, known by a hash of its routing id.
struct ClientAccounts {
    private let limits: RequestLimits
    private var inFlight: [UInt64: Int] = [:]
    private var buckets: [UInt64: Bucket] = [:]
    /// Clients whose rate is remembered at most; past it those with nothing to remember go.
    static let remembered = 10_000
    var rememberedCount: Int { buckets.count }

    private struct Bucket {
        var tokens: Double
        var time: Int64
    }

    init(_ limits: RequestLimits) { self.limits = limits }

    /// Whether the client may have one more request that is not answered at once; counts it.
    mutating func begin(_ client: UInt64) -> Bool {
        let now = inFlight[client, default: 0]
        guard now < limits.inFlight else { return false }
        inFlight[client] = now + 1
        return true
    }

    mutating func end(_ client: UInt64) {
        let rest = (inFlight[client] ?? 1) - 1
        inFlight[client] = rest > 0 ? rest : nil
    }

    /// Whether the client is within its rate with one request more. A second's worth may come at once.
    mutating func admits(_ client: UInt64, at now: Int64) -> Bool {
        let rate = limits.rate
        guard rate > 0 else { return true }
        let most = Double(rate)
        if buckets.count >= ClientAccounts.remembered, buckets[client] == nil { forget(at: now, most) }
        var bucket = buckets[client] ?? Bucket(tokens: most, time: now)
        bucket.tokens = min(most, bucket.tokens + Double(now - bucket.time) / 1e9 * most)
        bucket.time = now
        defer { buckets[client] = bucket }
        guard bucket.tokens >= 1 else { return false }
        bucket.tokens -= 1
        return true
    }

    /// Forgets buckets that have filled up since. Were none of them full, all start anew: memory is bounded first.
    private mutating func forget(at now: Int64, _ most: Double) {
        buckets = buckets.filter { $0.value.tokens + Double(now - $0.value.time) / 1e9 * most < most }
        if buckets.count >= ClientAccounts.remembered { buckets.removeAll() }
    }
}
