/// A family of metrics as Prometheus and people see it: one row of `MetricDescription.all`, from which the page, its HELP and TYPE lines and the
/// table in the documentation are made.
struct MetricDescription: Sendable {
    enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    /// Where its values come from.
    enum Source: Sendable {
        /// Numbers of `stats` by their path, such as `streams.losses.gaps`, where a list's elements and a `labelled` group's members are told
        /// apart by a label. Each may bring a fixed label of its own, and is divided by `divisor`.
        case stats([Part], divisor: Double = 1)
        /// Texts and numbers of an object of `stats`, as labels of the value 1.
        case info(path: String, keys: [String])
        /// Written by `MetricsPage` by itself.
        case own
    }

    struct Part: Sendable {
        let path: String
        var fixed: [(String, String)] = []
    }

    let name: String
    let kind: Kind
    let labels: [String]
    /// What is counted or measured, in base units.
    let unit: String
    /// One sentence without its full stop.
    let help: String
    let source: Source

    static func counter(_ name: String, _ path: String, _ unit: String, labels: [String] = [], divisor: Double = 1, _ help: String) -> MetricDescription {
        MetricDescription(name: name, kind: .counter, labels: labels, unit: unit, help: help, source: .stats([Part(path: path)], divisor: divisor))
    }

    static func gauge(_ name: String, _ path: String, _ unit: String, labels: [String] = [], divisor: Double = 1, _ help: String) -> MetricDescription {
        MetricDescription(name: name, kind: .gauge, labels: labels, unit: unit, help: help, source: .stats([Part(path: path)], divisor: divisor))
    }

    /// Several numbers of `stats` under one name, told apart by a label.
    static func gauge(_ name: String, _ parts: [(path: String, value: String)], by label: String, _ unit: String, labels: [String] = [], _ help: String) -> MetricDescription {
        let parts = parts.map { Part(path: $0.path, fixed: [(label, $0.value)]) }
        return MetricDescription(name: name, kind: .gauge, labels: labels + [label], unit: unit, help: help, source: .stats(parts))
    }

    static func info(_ name: String, _ path: String, labels: [String] = [], keys: [String], _ help: String) -> MetricDescription {
        MetricDescription(name: name, kind: .gauge, labels: labels + keys, unit: "", help: help, source: .info(path: path, keys: keys))
    }

    static func own(_ name: String, _ kind: Kind, _ unit: String, labels: [String] = [], _ help: String) -> MetricDescription {
        MetricDescription(name: name, kind: kind, labels: labels, unit: unit, help: help, source: .own)
    }

    /// By what the elements of a list, and the members of a group, of `stats` are told apart.
    static let labelled: [String: String] = [
        "streams": "stream", "trainers": "trainer", "models": "model", "sides": "table", "prequential": "metric", "rejected": "reason", "refused": "reason",
        "answered": "status", "keys": "role", "admitted": "role", "turned_away": "role", "reloads": "outcome",
    ]

    /// The table of the documentation, in Markdown.
    fileprivate static var markdown: String {
        var rows = ["| Name | Type | Labels | Unit | Meaning |", "|---|---|---|---|---|"]
        for metric in all {
            let labels = metric.labels.map { "`\($0)`" }.joined(separator: ", ")
            rows.append("| `\(metric.name)` | \(metric.kind.rawValue) | \(labels) | \(metric.unit) | \(metric.help) |")
        }
        return rows.joined(separator: "\n") + "\n"
    }
}

extension Configuration {
    /// All metrics as a Markdown table.
    public static var metricTable: String { MetricDescription.markdown }
}
