/// What `watch` remembers from one look at `stats` to the next: rates and the trend of each metric.
public struct StatsHistory: Sendable {
    private let width: Int
    private var rate: Sparkline
    private var metrics: [String: Sparkline] = [:]
    private var last: (received: Int, nanoseconds: Int64)?
    /// Events a second between the last two looks.
    public private(set) var eventsPerSecond: Double?

    /// - Parameter width: looks that a trend shows.
    public init(width: Int) {
        self.width = width
        rate = Sparkline(width: width)
    }

    /// Takes in an answer to `stats` got at a monotonic time.
    public mutating func add(_ stats: JSONTree, nanoseconds: Int64) {
        if let received = stats["events"]?["received"]?.integer ?? stats["position"]?.integer {
            // A daemon that restarted counts from the beginning.
            if let last, nanoseconds > last.nanoseconds, received >= last.received {
                eventsPerSecond = Double(received - last.received) / (Double(nanoseconds - last.nanoseconds) / 1e9)
                rate.add(eventsPerSecond ?? 0)
            }
            last = (received, nanoseconds)
        }
        for metric in StatsReport(stats).metrics {
            metrics[metric.key, default: Sparkline(width: width)].add(metric.recent)
        }
    }

    /// The report with trends.
    public func rendered(_ stats: JSONTree) -> String {
        var text = StatsReport(stats).rendered(sparklines: metrics.mapValues(\.rendered))
        if let eventsPerSecond { text = "now  \(Quantity.short(eventsPerSecond)) events/s  \(rate.rendered)\n\n" + text }
        return text
    }
}
