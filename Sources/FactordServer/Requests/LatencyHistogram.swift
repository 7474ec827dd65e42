import Histogram
import LinuxSystem

/// Times of answers: percentiles, and counts by bucket as Prometheus wants them. Any thread.
final class LatencyHistogram: Sendable {
    /// Upper bounds of the buckets, microseconds; one without a bound follows.
    static let bounds: [Int64] = [25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000]
    private static let most: Int64 = 60_000_000

    private struct Values: ~Copyable {
        var histogram = Histogram<UInt32>(
            lowestDiscernibleValue: 1, highestTrackableValue: UInt64(LatencyHistogram.most), numberOfSignificantValueDigits: .two)
        var buckets = [UInt64](repeating: 0, count: LatencyHistogram.bounds.count + 1)
        var sum: Int64 = 0
    }
    private let values = Lock(Values())

    func record(microseconds: Int64) {
        let time = max(0, min(microseconds, LatencyHistogram.most))
        var bucket = 0
        while bucket < LatencyHistogram.bounds.count, time > LatencyHistogram.bounds[bucket] { bucket += 1 }
        values.withLock {
            _ = $0.histogram.record(UInt64(time))
            $0.buckets[bucket] += 1
            $0.sum += time
        }
    }

    /// Microseconds at a percentile.
    func percentile(_ percent: Double) -> UInt64 { values.withLock { $0.histogram.valueAtPercentile(percent) } }

    /// How many came up to each bound, then all; and the sum of all times in seconds.
    var cumulative: (counts: [UInt64], seconds: Double) {
        values.withLock { values in
            var total: UInt64 = 0
            return (values.buckets.map { total += $0; return total }, Double(values.sum) / 1e6)
        }
    }
}
