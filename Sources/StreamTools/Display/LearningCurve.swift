/// How the metrics of a daemon's models move while a stream goes in: a table that grows by a line for each part.
public struct LearningCurve {
    private let parts: Int
    private var trends: [String: Sparkline] = [:]
    private var hasHeader = false

    /// - Parameter parts: how many lines there will be.
    public init(parts: Int) {
        self.parts = parts
    }

    /// The next line, below the header at the first: the events so far and each metric's recent value with its trend.
    /// - Returns: nil where the answer holds no metric.
    public mutating func line(events: Int, _ stats: JSONTree) -> String? {
        let metrics = StatsReport(stats).metrics
        guard !metrics.isEmpty else { return nil }
        var header = padded("events", 10)
        var line = padded(Quantity.grouped(events), 10)
        for metric in metrics {
            trends[metric.key, default: Sparkline(width: parts)].add(metric.recent)
            let trend = trends[metric.key]?.rendered ?? ""
            let blanks = String(repeating: " ", count: parts + 2)
            header += padded(metric.key, 12) + blanks
            line += padded(Quantity.fixed(metric.recent, 4), 12) + "  " + trend + blanks.dropLast(2 + trend.count)
        }
        defer { hasHeader = true }
        return (hasHeader ? [line] : [header, line]).map(LearningCurve.trimmed).joined(separator: "\n")
    }

    private func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(2, width - text.count)) + text
    }

    private static func trimmed(_ line: String) -> String {
        var line = line
        while line.last == " " { line.removeLast() }
        return line
    }
}
