import WireFormats

/// The daemon's state in the text format of Prometheus.
///
/// It is made of what `stats` tells, number by number, so that nothing there is missing here: `tables.users` becomes
/// `factord_tables_users`, a list's elements are told apart by a label, milliseconds and microseconds become seconds.
struct MetricsText {
    private var families: [String: Family] = [:]
    private var order: [String] = []

    private struct Family {
        var kind: String
        var samples: [(suffix: String, labels: String, value: String)] = []
    }

    /// Lists and groups whose parts are told apart by a label, and its name.
    private static let labels: [String: String] = [
        "streams": "stream", "trainers": "trainer", "models": "model", "sides": "side", "prequential": "metric", "rejected": "reason",
        "answered": "status", "refused": "reason", "threads": "thread",
    ]
    /// Numbers that only grow, by the last part of their path.
    private static let counters: Set<String> = [
        "received", "accepted", "waits", "rejected", "written", "lost", "messages", "oversize", "disconnects", "recreated", "gaps",
        "missing", "reordered", "duplicates", "stale", "answered", "answers_dropped", "row_updates", "clipped", "refolded", "alarms",
        "replay_count", "held_dropped", "evictions", "failed", "errors", "dropped", "refused", "failures", "learned_not_durable",
        "sources_expired", "appended", "accept_failed", "handshake_failures", "succeeded", "client_errors", "server_errors", "evicted", "timed_out",
        "no_descriptor", "requests", "late",
    ]

    /// Adds all numbers of an object.
    mutating func add(_ stats: JSONValue) { add(stats, path: [], labels: []) }

    private mutating func add(_ value: JSONValue, path: [String], labels: [(String, String)]) {
        if let members = value.members {
            let last = path.last.flatMap { MetricsText.labels[$0] }
            for member in members {
                let key = String(decoding: member.key, as: UTF8.self)
                if let last, member.value.double != nil, !labels.contains(where: { $0.0 == last }) {
                    add(member.value, path: path, labels: labels + [(last, key)])
                } else {
                    add(member.value, path: path + [key], labels: labels)
                }
            }
        } else if let elements = value.elements {
            for (index, element) in elements.enumerated() where element.isObject {
                let name = (element["name"] ?? element["metric"])?.string ?? "\(index)"
                add(element, path: path, labels: labels + [(path.last.flatMap { MetricsText.labels[$0] } ?? "index", name)])
            }
        } else if let number = value.double ?? value.bool.map({ $0 ? 1 : 0 }), let last = path.last {
            let isCounter = MetricsText.counters.contains(last) || path.suffix(2) == ["models", "events"]
            var name = "factord_" + path.map(MetricsText.word).joined(separator: "_"), scale = 1.0
            for (ending, factor) in [("_ms", 1e3), ("_us", 1e6)] where name.hasSuffix(ending) {
                name = name.dropLast(3) + "_seconds"
                scale = factor
            }
            var text = "\(number / scale)"
            if scale == 1, let whole = value.int64 { text = "\(whole)" }
            if scale == 1, let whole = value.uint64 { text = "\(whole)" }
            if let flag = value.bool { text = flag ? "1" : "0" }
            add(name + (isCounter ? "_total" : ""), isCounter ? "counter" : "gauge", labels: labels, text)
        }
    }

    /// A key as a part of a name: other characters than letters, digits and `_` are not allowed there.
    private static func word(_ key: String) -> String {
        String(key.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }).lowercased()
    }

    /// Adds one number.
    mutating func add(_ name: String, _ kind: String, labels: [(String, String)] = [], _ value: String, suffix: String = "") {
        if families[name] == nil {
            families[name] = Family(kind: kind)
            order.append(name)
        }
        families[name]?.samples.append((suffix, MetricsText.text(labels), value))
    }

    /// Adds a histogram of times.
    mutating func add(_ name: String, _ labels: [(String, String)], _ histogram: LatencyHistogram) {
        let (counts, seconds) = histogram.cumulative
        for (index, count) in counts.enumerated() {
            let bound = index < LatencyHistogram.bounds.count ? "\(Double(LatencyHistogram.bounds[index]) / 1e6)" : "+Inf"
            add(name, "histogram", labels: labels + [("le", bound)], "\(count)", suffix: "_bucket")
        }
        add(name, "histogram", labels: labels, "\(seconds)", suffix: "_sum")
        add(name, "histogram", labels: labels, "\(counts.last ?? 0)", suffix: "_count")
    }

    /// The page: each family in one piece.
    var text: String {
        var text = ""
        for name in order {
            guard let family = families[name] else { continue }
            text += "# TYPE \(name) \(family.kind)\n"
            for sample in family.samples { text += "\(name)\(sample.suffix)\(sample.labels) \(sample.value)\n" }
        }
        return text
    }

    private static func text(_ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return "" }
        let parts = labels.map { name, value in
            var escaped = ""
            for character in value.unicodeScalars {
                switch character {
                case "\\": escaped += "\\\\"
                case "\"": escaped += "\\\""
                case "\n": escaped += "\\n"
                default: escaped.unicodeScalars.append(character)
                }
            }
            return "\(name)=\"\(escaped)\""
        }
        return "{" + parts.joined(separator: ",") + "}"
    }
}
