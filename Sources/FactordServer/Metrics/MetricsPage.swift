import LinuxSystem
import WireFormats

/// The page that Prometheus reads: families of `MetricDescription.all`, in their order, with the values that `stats` tells and those added by hand.
struct MetricsPage {
    private typealias Sample = (suffix: String, labels: String, value: String)
    /// By the family's name.
    private var samples: [String: [Sample]] = [:]
    /// Paths of numbers of `stats` that no description knows: there should be none.
    private(set) var undescribed: Set<String> = []

    private struct Target {
        let name: String
        let fixed: [(String, String)]
        let divisor: Double
    }

    private static let targets: [String: Target] = {
        var targets: [String: Target] = [:]
        for metric in MetricDescription.all {
            guard case .stats(let parts, let divisor) = metric.source else { continue }
            for part in parts { targets[part.path] = Target(name: metric.name, fixed: part.fixed, divisor: divisor) }
        }
        return targets
    }()
    private static let infos: [String: (name: String, keys: [String])] = {
        var infos: [String: (String, [String])] = [:]
        for metric in MetricDescription.all {
            if case .info(let path, let keys) = metric.source { infos[path] = (metric.name, keys) }
        }
        return infos
    }()

    /// Adds all numbers of an answer of `stats`.
    mutating func add(_ stats: JSONValue) { add(stats, path: [], labels: []) }

    private mutating func add(_ value: JSONValue, path: [String], labels: [(String, String)]) {
        if let members = value.members {
            if let info = MetricsPage.infos[path.joined(separator: ".")] { addInfo(info.name, info.keys, value, labels) }
            let label = path.last.flatMap { MetricDescription.labelled[$0] }
            for member in members {
                let key = String(decoding: member.key, as: UTF8.self)
                if let label, member.value.double != nil, !labels.contains(where: { $0.0 == label }) {
                    add(member.value, path: path, labels: labels + [(label, key)])
                } else {
                    add(member.value, path: path + [key], labels: labels)
                }
            }
        } else if let elements = value.elements {
            let label = path.last.flatMap { MetricDescription.labelled[$0] } ?? "index"
            for (index, element) in elements.enumerated() where element.isObject {
                add(element, path: path, labels: labels + [(label, (element["name"] ?? element["metric"])?.string ?? "\(index)")])
            }
        } else {
            addNumber(value, path: path.joined(separator: "."), labels: labels)
        }
    }

    private mutating func addNumber(_ value: JSONValue, path: String, labels: [(String, String)]) {
        let text: String? = value.bool.map { $0 ? "1" : "0" } ?? value.int64.map { "\($0)" } ?? value.uint64.map { "\($0)" } ?? value.double.map { "\($0)" }
        guard let text else { return }
        guard let target = MetricsPage.targets[path] else {
            if MetricDescription.omitted[path] == nil, !path.hasPrefix("now.") { undescribed.insert(path) }
            return
        }
        add(target.name, labels + target.fixed, target.divisor == 1 ? text : "\((value.double ?? 0) / target.divisor)")
    }

    private mutating func addInfo(_ name: String, _ keys: [String], _ object: JSONValue, _ labels: [(String, String)]) {
        var labels = labels
        guard let members = object.members else { return }
        for member in members {
            let key = String(decoding: member.key, as: UTF8.self)
            if keys.contains(key) { labels.append((key, member.value.string ?? member.value.int64.map { "\($0)" } ?? "")) }
        }
        add(name, labels, "1")
    }

    /// Adds one value.
    mutating func add(_ name: String, _ labels: [(String, String)] = [], _ value: String, suffix: String = "") {
        samples[name, default: []].append((suffix, MetricsPage.text(labels), value))
    }

    /// Adds a histogram of times.
    mutating func add(_ name: String, _ labels: [(String, String)] = [], times: DurationBuckets.Counts) {
        var total: UInt64 = 0
        for (index, count) in times.counts.enumerated() {
            total += count
            let bound = index < DurationBuckets.bounds.count ? "\(Double(DurationBuckets.bounds[index]) / 1e6)" : "+Inf"
            add(name, labels + [("le", bound)], "\(total)", suffix: "_bucket")
        }
        add(name, labels, "\(Double(times.microseconds) / 1e6)", suffix: "_sum")
        add(name, labels, "\(total)", suffix: "_count")
    }

    /// The page: each family in one piece, under its HELP and TYPE; families without a value are left out.
    var text: String {
        var text = ""
        for metric in MetricDescription.all {
            guard let samples = samples[metric.name] else { continue }
            let help = metric.help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
            text += "# HELP \(metric.name) \(help).\n# TYPE \(metric.name) \(metric.kind.rawValue)\n"
            for sample in samples { text += "\(metric.name)\(sample.suffix)\(sample.labels) \(sample.value)\n" }
        }
        // For whoever adds a number to `stats`: a test looks for these lines.
        for path in undescribed.sorted() { text += "# Undescribed: \(path)\n" }
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
