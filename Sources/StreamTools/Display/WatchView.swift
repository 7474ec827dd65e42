/// What `watch` shows on a terminal: rates, quality, latencies, drops, queues, memory, storage, with their trends since it began. It takes the size of the
/// terminal: lines are cut to its width, trends fill what is left of it, and what is least urgent goes first where there are too few rows.
public struct WatchView: Sendable {
    /// Values of each trend, oldest first.
    private var trends: [String: [Double]] = [:]
    private var stats = JSONTree.null
    private var last: (received: Int, nanoseconds: Int64)?
    /// Events a second between the last two looks.
    public private(set) var eventsPerSecond: Double?
    private static let trendLimit = 400

    public init() {}

    /// Takes in an answer to `stats` got at a monotonic time.
    public mutating func add(_ stats: JSONTree, nanoseconds: Int64) {
        self.stats = stats
        if let received = stats["events"]?["received"]?.integer ?? stats["position"]?.integer {
            // A daemon that restarted counts from the beginning.
            if let last, nanoseconds > last.nanoseconds, received >= last.received {
                eventsPerSecond = Double(received - last.received) / (Double(nanoseconds - last.nanoseconds) / 1e9)
            }
            last = (received, nanoseconds)
        }
        note("events", eventsPerSecond)
        for name in ["rejected", "refused", "lag", "learning_delay_seconds", "requests", "requests_p50_seconds", "requests_p99_seconds", "resident_bytes"] {
            note(name, stats["now"]?[name]?.number)
        }
        for metric in StatsReport(stats).metrics { note(metric.key, metric.recent) }
    }

    private mutating func note(_ name: String, _ value: Double?) {
        trends[name, default: []].append(value ?? .nan)
        if trends[name, default: []].count > WatchView.trendLimit { trends[name]?.removeFirst() }
    }

    // MARK: Drawing

    private enum Tone {
        case plain, good, warning, bad, soft
    }

    /// A line: a name, a value, how it moved, and a remark.
    private struct Row {
        var name: String
        var value = ""
        var trend: String?
        /// A share of a whole, drawn in the trend's place.
        var share: Double?
        var remark = ""
        var tone = Tone.plain
    }

    private struct Group {
        var title: String
        var rows: [Row]
    }

    /// The view, at most `rows` lines of at most `columns` columns.
    /// - Parameter title: stands first: whom it is about.
    public func lines(title: String, columns: Int, rows: Int, isColoured: Bool) -> [String] {
        var groups = [flow, quality, drops, queues, memory, storage].filter { !$0.rows.isEmpty }
        func height(_ isAiry: Bool) -> Int { groups.reduce(1) { $0 + $1.rows.count + (isAiry ? 2 : 1) } }
        while groups.count > 1, height(false) > rows { groups.removeLast() }
        let isAiry = height(true) <= rows
        let layout = Layout(columns: columns, isColoured: isColoured)
        var lines = [layout.title(title, state)]
        for group in groups {
            if isAiry { lines.append("") }
            lines.append(layout.heading(group.title))
            lines += group.rows.map { layout.line($0, trends: trends) }
        }
        return Array(lines.prefix(max(1, rows)))
    }

    private var state: (text: String, tone: Tone) {
        if stats["degraded"] != nil { return ("degraded: storage", .bad) }
        return stats["uptime_seconds"]?.number.map { ("learning, up \(Quantity.duration(seconds: $0))", .good) } ?? ("", .plain)
    }

    private var now: JSONTree { stats["now"] ?? [:] }

    private var flow: Group {
        var rows: [Row] = []
        if let rate = eventsPerSecond ?? now["received"]?.number ?? stats["events"]?["rate"]?.number {
            rows.append(Row(name: "events/s", value: Quantity.short(rate), trend: "events", remark: count(stats["events"]?["received"], "received")))
        }
        if let position = stats["position"]?.integer {
            let lag = now["lag"]?.number ?? stats["sequenced"]?.number.map { $0 - Double(position) } ?? 0
            rows.append(Row(name: "lag", value: Quantity.short(lag), trend: "lag", remark: "position \(Quantity.grouped(position))", tone: (now["queue_fill"]?.number ?? 0) > 0.9 ? .warning : .plain))
        }
        if let delay = now["learning_delay_seconds"]?.number { rows.append(Row(name: "to learn", value: Quantity.latency(microseconds: delay * 1e6), trend: "learning_delay_seconds")) }
        if let requests = stats["requests"] {
            rows.append(Row(name: "requests/s", value: Quantity.short(now["requests"]?.number ?? .nan), trend: "requests", remark: list([count(requests["answered"], "answered"), positive(requests["errors"], "errors")])))
            for (name, all) in [("p50", "p50_us"), ("p99", "p99_us")] {
                let recent = now["requests_\(name)_seconds"]?.number.map { $0 * 1e6 }
                rows.append(Row(
                    name: "latency \(name)", value: Quantity.latency(microseconds: recent ?? requests[all]?.number ?? .nan), trend: "requests_\(name)_seconds",
                    remark: requests[all]?.number.map { "\(Quantity.latency(microseconds: $0)) of all" } ?? ""))
            }
        }
        return Group(title: "now", rows: rows)
    }

    private var quality: Group {
        let models = Dictionary((stats["models"]?.array ?? []).map { ($0["name"]?.string ?? "", $0) }, uniquingKeysWith: { $1 })
        let metrics = StatsReport(stats).metrics, isAlone = Set(metrics.map(\.model)).count < 2
        var named: Set<String> = []
        return Group(title: "each event predicted, then learned (recent)", rows: metrics.map { metric in
            let alarms = named.insert(metric.model).inserted ? positive(models[metric.model]?["drift"]?["alarms"], "drift alarms") : ""
            return Row(name: isAlone ? metric.name : metric.key, value: Quantity.fixed(metric.recent, 4), trend: metric.key, remark: list(["overall \(Quantity.fixed(metric.value, 4))", alarms]))
        })
    }

    private var drops: Group {
        var rows: [Row] = []
        let reasons = (stats["events"]?["rejected"]?.object ?? []).filter { ($0.value.integer ?? 0) > 0 }.sorted { ($0.value.integer ?? 0) > ($1.value.integer ?? 0) }
        for reason in reasons { rows.append(Row(name: reason.key, value: Quantity.grouped(reason.value.integer ?? 0), tone: .warning)) }
        for stream in stats["streams"]?.array ?? [] {
            let losses = stream["losses"] ?? [:], missing = losses["missing"]?.integer ?? 0, duplicates = losses["duplicates"]?.integer ?? 0
            guard missing > 0 || duplicates > 0 || (stream["oversize"]?.integer ?? 0) > 0 else { continue }
            rows.append(Row(
                name: stream["name"]?.display ?? "stream", value: Quantity.grouped(missing),
                remark: list(["missing in \(count(losses["gaps"], "gaps"))", positive(losses["duplicates"], "twice"), positive(stream["oversize"], "too large")]), tone: .warning))
        }
        let refused = (stats["requests"]?["refused"]?.object ?? []).filter { ($0.value.integer ?? 0) > 0 }
        for reason in refused { rows.append(Row(name: "request: \(reason.key)", value: Quantity.grouped(reason.value.integer ?? 0), tone: .warning)) }
        return Group(title: "set aside, missing, refused", rows: rows.isEmpty ? [Row(name: "nothing", tone: .soft)] : rows)
    }

    private var queues: Group {
        Group(title: "queues", rows: (stats["trainers"]?.array ?? []).enumerated().compactMap { index, trainer in
            guard let depth = trainer["queue_depth"]?.integer, let capacity = trainer["queue_capacity"]?.integer, capacity > 0 else { return nil }
            let share = Double(depth) / Double(capacity)
            return Row(name: "trainer \(index)", value: Quantity.grouped(depth), share: share, remark: "of \(Quantity.grouped(capacity))", tone: share > 0.9 ? .warning : .plain)
        })
    }

    private var memory: Group {
        guard let tables = stats["tables"] else { return Group(title: "", rows: []) }
        var rows: [Row] = []
        if let resident = stats["process"]?["resident_bytes"]?.integer { rows.append(Row(name: "process", value: Quantity.bytes(resident), trend: "resident_bytes")) }
        if let bytes = tables["bytes"]?.integer, let budget = tables["budget"]?.integer, budget > 0 {
            let share = Double(bytes) / Double(budget)
            rows.append(Row(name: "tables", value: Quantity.bytes(bytes), share: share, remark: "of a budget of \(Quantity.bytes(budget))", tone: share > 0.95 ? .warning : .plain))
        }
        let sides = (tables["sides"]?.array ?? []).map { side in
            (name: side["name"]?.display ?? "", ids: side["ids"]?.integer ?? 0, bytes: (side["id_bytes"]?.integer ?? 0) + (side["row_bytes"]?.integer ?? 0))
        }
        let most = sides.map(\.bytes).max() ?? 0
        for side in sides where most > 0 {
            rows.append(Row(name: side.name, value: Quantity.bytes(side.bytes), share: Double(side.bytes) / Double(most), remark: "\(Quantity.grouped(side.ids)) ids"))
        }
        return Group(title: "memory", rows: rows)
    }

    private var storage: Group {
        var rows: [Row] = []
        if let snapshot = stats["snapshot"] {
            let age = snapshot["age_seconds"]?.number
            rows.append(Row(
                name: "snapshot", value: age.map { Quantity.duration(seconds: $0) } ?? "none yet",
                remark: list([snapshot["position"].map { "old, at \(count($0, "").dropLast())" }, positive(snapshot["failed"], "failed")]), tone: (snapshot["failed"]?.integer ?? 0) > 0 ? .bad : .plain))
        }
        if let journal = stats["journal"], let appended = journal["appended"]?.integer, let durable = journal["durable"]?.integer {
            rows.append(Row(name: "journal", value: Quantity.grouped(max(0, appended - durable)), remark: list(["batches not on disk", count(journal["segments"], "segments"), positive(journal["holes"], "holes")])))
        }
        return Group(title: "storage", rows: rows)
    }

    private func count(_ value: JSONTree?, _ name: String) -> String { value?.integer.map { "\(Quantity.grouped($0)) \(name)" } ?? "" }
    private func positive(_ value: JSONTree?, _ name: String) -> String { (value?.integer ?? 0) > 0 ? count(value, name) : "" }
    private func list(_ parts: [String?]) -> String { parts.compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ", ") }

    /// Where the parts of a line stand.
    private struct Layout {
        let columns: Int
        let isColoured: Bool
        private let nameWidth: Int, remarkWidth: Int, middleWidth: Int
        private static let valueWidth = 11

        init(columns: Int, isColoured: Bool) {
            self.columns = columns
            self.isColoured = isColoured
            nameWidth = max(0, min(26, max(14, columns / 5), columns - Layout.valueWidth))
            remarkWidth = columns >= 60 ? min(44, columns * 2 / 5) : 0
            let rest = columns - nameWidth - Layout.valueWidth - remarkWidth - 6
            middleWidth = rest >= 8 ? min(rest, 100) : 0
        }

        func title(_ text: String, _ state: (text: String, tone: Tone)) -> String {
            let room = columns - text.count - 3
            guard room > 0, !state.text.isEmpty else { return cut(text, columns) }
            return "\(text)   " + paint(cut(state.text, room), state.tone)
        }

        func heading(_ text: String) -> String { paint(String(("── \(text) " + String(repeating: "─", count: columns)).prefix(columns)), .soft) }

        func line(_ row: Row, trends: [String: [Double]]) -> String {
            let value = cut(row.value, Layout.valueWidth)
            var line = pad(cut(row.name, nameWidth - 1), nameWidth) + String(repeating: " ", count: Layout.valueWidth - value.count) + paint(value, row.tone)
            if middleWidth > 0, row.trend != nil || row.share != nil || !row.remark.isEmpty {
                var middle = ""
                if let share = row.share {
                    let filled = Int((min(1, max(0, share)) * Double(middleWidth)).rounded())
                    middle = String(repeating: "█", count: filled) + String(repeating: "░", count: middleWidth - filled)
                } else if let trend = row.trend {
                    var sparkline = Sparkline(width: middleWidth)
                    for value in (trends[trend] ?? []).suffix(middleWidth) { sparkline.add(value) }
                    middle = sparkline.rendered
                }
                line += "  " + paint(pad(middle, middleWidth), .soft)
            }
            if remarkWidth > 0, !row.remark.isEmpty { line += "  " + cut(row.remark, remarkWidth) }
            return line
        }

        private func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
        private func cut(_ text: String, _ width: Int) -> String { text.count <= width ? text : String(text.prefix(max(0, width - 1))) + (width > 0 ? "…" : "") }

        private func paint(_ text: String, _ tone: Tone) -> String {
            guard isColoured, !text.isEmpty else { return text }
            let code = switch tone {
            case .plain: "1"
            case .good: "32"
            case .warning: "33"
            case .bad: "31;1"
            case .soft: "36"
            }
            return "\u{1B}[\(code)m\(text)\u{1B}[0m"
        }
    }
}
