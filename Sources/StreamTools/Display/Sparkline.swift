/// The last values of a quantity as a line of bars.
public struct Sparkline: Sendable {
    public let width: Int
    private var values: [Double] = []

    public init(width: Int) {
        precondition(width >= 1, "a sparkline has at least one column")
        self.width = width
    }

    /// Adds a value at the right; the oldest leaves at the left. Infinities and NaN leave a gap.
    public mutating func add(_ value: Double) {
        values.append(value)
        if values.count > width { values.removeFirst() }
    }

    /// Bars between the least and the greatest value held; all alike when these are equal.
    public var rendered: String {
        let bars = Array("▁▂▃▄▅▆▇█")
        let finite = values.filter(\.isFinite)
        guard let least = finite.min(), let greatest = finite.max() else { return String(repeating: " ", count: values.count) }
        return String(values.map { value in
            guard value.isFinite else { return " " }
            guard greatest > least else { return bars[3] }
            return bars[min(7, Int((value - least) / (greatest - least) * 8))]
        })
    }
}
