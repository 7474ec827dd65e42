import Glibc

/// A straight line through a quantity over time, with what is known of its slope.
struct Trend {
    let mean: Double
    /// Per second.
    let slope: Double
    /// Half of the slope's 95 % confidence interval.
    let slopeError: Double
    /// Of the line: where it ends, divided by where it begins.
    let endOverStart: Double

    /// Neighbouring samples resemble each other, so that to take each for an observation of its own would make the interval
    /// too narrow: samples are averaged in blocks, and the line is fitted by least squares through the blocks' means.
    /// - Parameter blocks: how many; the series has twice as many points at least, else all is not a number.
    init(_ points: [(time: Double, value: Double)], blocks: Int = 20) {
        guard points.count >= 2 * blocks, let first = points.first, let last = points.last else {
            (mean, slope, slopeError, endOverStart) = (.nan, .nan, .nan, .nan)
            return
        }
        let means = (0..<blocks).map { block in
            let part = points[points.count * block / blocks..<points.count * (block + 1) / blocks], count = Double(part.count)
            return (time: part.reduce(0) { $0 + $1.time } / count, value: part.reduce(0) { $0 + $1.value } / count)
        }
        let count = Double(blocks)
        let time = means.reduce(0) { $0 + $1.time } / count, value = means.reduce(0) { $0 + $1.value } / count
        let spread = means.reduce(0) { $0 + ($1.time - time) * ($1.time - time) }
        let slope = means.reduce(0) { $0 + ($1.time - time) * ($1.value - value) } / spread
        let squares = means.reduce(0) { sum, point in
            let rest = point.value - value - slope * (point.time - time)
            return sum + rest * rest
        }
        mean = value
        self.slope = slope
        slopeError = Trend.quantile(blocks - 2) * (squares / (count - 2) / spread).squareRoot()
        endOverStart = (value + slope * (last.time - time)) / (value + slope * (first.time - time))
    }

    /// The 97.5 % quantile of Student's distribution, by the first terms of its expansion about the normal one (Cornish and
    /// Fisher): within 0.1 % from ten degrees on.
    private static func quantile(_ degrees: Int) -> Double {
        let z = 1.959964, n = Double(degrees)
        return z + (pow(z, 3) + z) / (4 * n) + (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * n * n)
    }
}
