/// The answer to `stats` for people. Whatever the answer lacks is left out.
public struct StatsReport: Sendable {
    private let stats: JSONTree

    public init(_ stats: JSONTree) {
        self.stats = stats
    }

    /// One line: position, rate, queue, the first model's metric.
    public var summary: String {
        var parts: [String] = []
        if let position = stats["position"]?.integer { parts.append("position \(Quantity.grouped(position))") }
        if let rate = stats["events"]?["rate"]?.number { parts.append("\(Quantity.short(rate)) events/s") }
        if let rejected = StatsReport.rejected(stats), rejected > 0 { parts.append("\(Quantity.grouped(rejected)) rejected") }
        let queued = (stats["trainers"]?.array ?? []).compactMap { $0["queue_depth"]?.integer }
        if !queued.isEmpty { parts.append("queued \(Quantity.grouped(queued.reduce(0, +)))") }
        for metric in metrics { parts.append("\(metric.key) \(Quantity.fixed(metric.recent, 4))") }
        if let answered = stats["requests"]?["answered"]?.integer { parts.append("answered \(Quantity.grouped(answered))") }
        return parts.isEmpty ? stats.json : parts.joined(separator: "  ")
    }

    /// One of a model's prequential metrics.
    public struct Metric: Sendable, Equatable {
        public var model: String
        public var name: String
        /// Over all events.
        public var value: Double
        /// Over the latest ones; `value` where the daemon tells no other.
        public var recent: Double

        /// Tells it from all others: `main rmse`.
        public var key: String { "\(model) \(name)" }
    }

    /// Every metric of every model, in the daemon's order.
    public var metrics: [Metric] {
        (stats["models"]?.array ?? []).flatMap(StatsReport.metrics)
    }

    private static func metrics(of model: JSONTree) -> [Metric] {
        (model["prequential"]?.array ?? []).compactMap { entry in
            guard let value = entry["value"]?.number ?? entry["recent"]?.number else { return nil }
            return Metric(
                model: model["name"]?.string ?? "model", name: entry["metric"]?.string ?? "metric", value: value,
                recent: entry["recent"]?.number ?? value)
        }
    }

    /// All of it, section by section.
    /// - Parameter sparklines: a line of bars for each metric, by its key.
    public func rendered(sparklines: [String: String] = [:]) -> String {
        let sections = [overview, streams, models(sparklines), trainers]
        return sections.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private var overview: String {
        var rows: [(String, String)] = []
        if let position = stats["position"]?.integer {
            var text = Quantity.grouped(position)
            if let durable = stats["durable"]?.integer { text += "  (durable \(Quantity.grouped(durable)))" }
            rows.append(("position", text))
        }
        if let seconds = stats["uptime_seconds"]?.number { rows.append(("up", Quantity.duration(seconds: seconds))) }
        if let events = stats["events"] {
            rows.append(("events", list([
                count(events["received"], "received"), count(events["accepted"], "accepted"),
                events["rate"]?.number.map { "\(Quantity.short($0))/s" },
            ])))
            let reasons = (events["rejected"]?.object ?? []).filter { ($0.value.integer ?? 0) > 0 }
            if !reasons.isEmpty {
                rows.append(("rejected", list(reasons.map { count($0.value, $0.key) })))
            } else if let rejected = events["rejected"]?.integer, rejected > 0 {
                rows.append(("rejected", Quantity.grouped(rejected)))
            }
        }
        if let requests = stats["requests"] {
            rows.append(("requests", list([
                count(requests["answered"], "answered"), count(requests["errors"], "errors"),
                requests["p50_us"]?.number.map { "p50 \(Quantity.latency(microseconds: $0))" },
                requests["p99_us"]?.number.map { "p99 \(Quantity.latency(microseconds: $0))" },
            ])))
            let reasons = (requests["refused"]?.object ?? []).filter { ($0.value.integer ?? 0) > 0 }
            if !reasons.isEmpty { rows.append(("refused", list(reasons.map { count($0.value, $0.key) }))) }
        }
        if let http = stats["http"], let accepted = http["accepted"]?.integer, accepted > 0 {
            rows.append(("HTTP", list([
                count(http["succeeded"], "answered"), count(http["client_errors"], "wrong"), count(http["server_errors"], "failed"),
                count(http["connections"], "connections"),
            ])))
        }
        if let tables = stats["tables"] {
            rows.append(("tables", list([
                count(tables["users"], "users"), count(tables["items"], "items"),
                count(tables["context_features"], "context features"), tables["bytes"]?.integer.map { Quantity.bytes($0) },
            ])))
        }
        if let promotion { rows.append(("promotion", promotion)) }
        if let snapshot = stats["snapshot"] {
            rows.append(("snapshot", snapshot["count"]?.integer == 0 ? "none yet" : list([
                snapshot["position"]?.integer.map { "at \(Quantity.grouped($0))" },
                snapshot["age_seconds"]?.number.map { "\(Quantity.duration(seconds: $0)) ago" },
                count(snapshot["count"], "written since the start"),
            ])))
        }
        let width = rows.map(\.0.count).max() ?? 0
        return rows.filter { !$0.1.isEmpty }.map { name, text in
            name + String(repeating: " ", count: width - name.count + 2) + text + "\n"
        }.joined()
    }

    /// How far the one of two compared models is from being shown to be better.
    private var promotion: String? {
        guard let promotion = stats["promotion"], let model = promotion["model"]?.string, let other = promotion["against"]?.string else { return nil }
        return list([
            "\(model) against \(other)", count(promotion["events"], "events compared"),
            promotion["log_evidence"]?.number.map { "ln evidence \(Quantity.fixed($0, 2)) of \(Quantity.fixed(promotion["log_needed"]?.number ?? 0, 2))" },
            promotion["enough"]?.bool == true ? "may be promoted" : nil,
        ])
    }

    private var streams: String {
        objects("streams", first: "name")
    }

    private var trainers: String {
        objects("trainers", first: nil)
    }

    private func models(_ sparklines: [String: String]) -> String {
        guard let models = stats["models"]?.array, !models.isEmpty else { return "" }
        let hasLines = !sparklines.isEmpty
        var table = TextTable(
            ["model", "kind", "rank", "loss", "events", "metric", "overall", "recent"] + (hasLines ? ["trend"] : []),
            [.left, .left, .right, .left, .right, .left, .right, .right])
        let answering = models.count > 1 ? stats["answering"]?.string : nil
        for model in models {
            let name = model["name"]?.display ?? ""
            let about = [
                name == answering ? "\(name) (answers)" : name, model["kind"]?.display ?? "", model["rank"]?.display ?? "",
                model["loss"]?.display ?? "", model["events"]?.integer.map(Quantity.grouped) ?? "",
            ]
            let metrics = StatsReport.metrics(of: model)
            if metrics.isEmpty { table.add(about) }
            for (index, metric) in metrics.enumerated() {
                // A model with several metrics is named once.
                table.add((index == 0 ? about : about.map { _ in "" }) + [
                    metric.name, Quantity.fixed(metric.value, 4), Quantity.fixed(metric.recent, 4), sparklines[metric.key] ?? "",
                ])
            }
        }
        return table.rendered()
    }

    /// A list of flat objects as a table: its columns are the first object's scalar members.
    private func objects(_ key: String, first: String?) -> String {
        guard let elements = stats[key]?.array, let head = elements.first?.object else { return "" }
        let columns = head.filter { $0.value.array == nil && $0.value.object == nil }.map(\.key)
        let isNumbered = first == nil || !columns.contains(first ?? "")
        let singular = String(key.dropLast())
        let names = columns.map { $0 == first ? singular : $0.replacing("_", with: " ") }
        var table = TextTable(
            (isNumbered ? [singular] : []) + names,
            (isNumbered ? [.right] : []) + columns.map { $0 == first ? .left : .right })
        for (index, element) in elements.enumerated() {
            let cells = columns.map { column in
                element[column].map { value in value.integer.map(Quantity.grouped) ?? value.display } ?? ""
            }
            table.add((isNumbered ? [String(index)] : []) + cells)
        }
        return table.rendered()
    }

    private static func rejected(_ stats: JSONTree) -> Int? {
        guard let rejected = stats["events"]?["rejected"] else { return nil }
        return rejected.integer ?? rejected.object?.reduce(0) { $0 + ($1.value.integer ?? 0) }
    }

    private func count(_ value: JSONTree?, _ name: String) -> String? {
        value?.integer.map { "\(Quantity.grouped($0)) \(name)" }
    }

    private func list(_ parts: [String?]) -> String {
        parts.compactMap { $0 }.joined(separator: ", ")
    }
}
