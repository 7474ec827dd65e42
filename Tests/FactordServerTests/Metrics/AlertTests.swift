import Foundation
import Testing

@testable import FactordServer

/// What operators load, against what there is: alert rules, Grafana's dashboard, the pages that explain them.
@Suite("Alerts and dashboards")
struct AlertTests {
    private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func text(_ path: String) throws -> String { try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8) }
    private var rules: String { get throws { try text("Deploy/prometheus/factord-alerts.yaml") } }

    @Test("Each alert is explained, and nothing is explained that is no alert")
    func documented() throws {
        let alerts = try rules.matches(of: #/- alert: (\w+)/#).map { String($0.output.1) }, page = try text("Deploy/Documentation/alerts.md")
        let headings = page.split(separator: "\n").filter { $0.hasPrefix("## ") }.map { String($0.dropFirst(3)) }
        #expect(alerts.count > 20 && alerts == headings, "rules: \(alerts)\npage: \(headings)")
        for alert in alerts { #expect(try rules.contains("remedy: \"alerts.md#\(alert.lowercased())\""), "\(alert) names its remedy") }
        // Every key that the page names is one.
        let keys = Configuration.keyTable
        for match in page.matches(of: #/`([a-z_]+(\.[a-z_]+)+)(: [^`]+)?`/#) {
            let key = match.output.1
            #expect(["md", "yaml", "json"].contains(key.split(separator: ".").last.map(String.init) ?? "") || keys.contains("`\(key)`") || keys.contains("`\(key).") || keys.contains("`models[].\(key)`"), "no key \(key)")
        }
    }

    @Test("Rules, their tests and Grafana's dashboard name metrics that there are, with labels that they have", arguments: [
        "Deploy/prometheus/factord-alerts.yaml", "Tests/Prometheus/factord-alerts-test.yaml", "Deploy/grafana/factord.json", "Deploy/Documentation/alerts.md",
    ])
    func names(_ file: String) throws {
        let metrics = Dictionary(uniqueKeysWithValues: MetricDescription.all.map { ($0.name, $0) })
        var found = 0
        for match in try text(file).matches(of: #/\b((factord|process)_[a-z0-9_]+)(\{([^}]*)\})?/#) {
            var name = String(match.output.1)
            for suffix in ["_bucket", "_sum", "_count"] where metrics[String(name.dropLast(suffix.count))]?.kind == .histogram { if name.hasSuffix(suffix) { name = String(name.dropLast(suffix.count)) } }
            guard let metric = metrics[name] else {
                Issue.record("\(file): no metric \(name)")
                continue
            }
            found += 1
            let labels = (match.output.4 ?? "").matches(of: #/([a-z_]+)(=~|!=|!~|=)/#).map { String($0.output.1) }
            for label in labels { #expect(metric.labels.contains(label) || ["instance", "job", "le"].contains(label), "\(file): \(name) has no label \(label)") }
        }
        #expect(found > 3)
    }

    @Test("Grafana's dashboard is JSON with a number of its own for each panel, and none lies on another")
    func grafana() throws {
        let document = try #require(try JSONSerialization.jsonObject(with: Data(try text("Deploy/grafana/factord.json").utf8)) as? [String: Any])
        let panels = try #require(document["panels"] as? [[String: Any]])
        #expect(panels.count > 20 && Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
        var taken: Set<[Int]> = []
        for panel in panels {
            let place = try #require(panel["gridPos"] as? [String: Int])
            for x in place["x"]!..<(place["x"]! + place["w"]!) {
                for y in place["y"]!..<(place["y"]! + place["h"]!) { #expect(x < 24 && taken.insert([x, y]).inserted, "\(panel["title"] ?? "") at \(x), \(y)") }
            }
        }
    }
}
