import Histogram
import LinuxSystem

/// Times of answers: percentiles over all and over the time since somebody last looked, and counts by bucket. Any thread.
final class LatencyHistogram: Sendable {
    private static let most: Int64 = 60_000_000

    /// Times by percentile.
    struct Times: Sendable {
        private var histogram = Histogram<UInt32>(
            lowestDiscernibleValue: 1, highestTrackableValue: UInt64(LatencyHistogram.most), numberOfSignificantValueDigits: .two)

        /// How many.
        var count: UInt64 { histogram.totalCount }
        /// Microseconds at a percentile.
        func percentile(_ percent: Double) -> UInt64 { histogram.valueAtPercentile(percent) }

        mutating func add(microseconds: Int64) { _ = histogram.record(UInt64(microseconds)) }
        mutating func add(_ other: Times) { histogram.add(other.histogram) }
        mutating func removeAll() { histogram.reset() }
    }

    private struct Values: ~Copyable {
        var all = Times()
        var recent = Times()
        var buckets = DurationBuckets.Counts()
    }
    private let values = Lock(Values())

    func record(microseconds: Int64) {
        let time = max(0, min(microseconds, LatencyHistogram.most))
        values.withLock {
            $0.all.add(microseconds: time)
            $0.recent.add(microseconds: time)
            $0.buckets.add(time)
        }
    }

    /// Microseconds at a percentile.
    func percentile(_ percent: Double) -> UInt64 { values.withLock { $0.all.percentile(percent) } }

    /// What was recorded since the last call; for one caller.
    func takeRecent() -> Times {
        values.withLock { values in
            let recent = values.recent
            if recent.count > 0 { values.recent.removeAll() }
            return recent
        }
    }

    var buckets: DurationBuckets.Counts { values.withLock { $0.buckets } }
}
