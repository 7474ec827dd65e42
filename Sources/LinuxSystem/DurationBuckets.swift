/// Times counted by bucket, as Prometheus wants them. Any thread.
public final class DurationBuckets: Sendable {
    /// Upper bounds, microseconds; one bucket without a bound follows.
    public static let bounds: [Int64] = [25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000]

    public struct Counts: Sendable {
        /// By bucket; those of lower buckets are not part of a higher one.
        public private(set) var counts = [UInt64](repeating: 0, count: DurationBuckets.bounds.count + 1)
        /// The sum of all times.
        public private(set) var microseconds: Int64 = 0

        public init() {}

        public mutating func add(_ time: Int64) {
            var bucket = 0
            while bucket < DurationBuckets.bounds.count, time > DurationBuckets.bounds[bucket] { bucket += 1 }
            counts[bucket] += 1
            microseconds += time
        }
    }
    private let values = Lock(Counts())

    public init() {}

    public func record(microseconds: Int64) { values.withLock { $0.add(max(0, microseconds)) } }

    public var counts: Counts { values.withLock { $0 } }
}
