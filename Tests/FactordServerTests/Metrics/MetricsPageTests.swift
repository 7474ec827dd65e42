import Foundation
import LinuxSystem
import Testing
import WireFormats

@testable import FactordServer

/// The page that Prometheus reads, and the table that describes it.
@Suite("Metrics")
struct MetricsPageTests {
    private func page(_ stats: String) throws -> MetricsPage {
        var page = MetricsPage()
        // The values are the parser's.
        let parser = JSONParser()
        try withExtendedLifetime(parser) { page.add(try parser.parse(stats)) }
        return page
    }

    @Test("Numbers become metrics: labels for the parts of lists and groups, base units, each family under its help and type")
    func numbers() throws {
        let page = try page(
            #"{"position":7,"events":{"accepted":5},"streams":[{"name":"a \"b\"\\","messages":3,"rejected":{"bad_user":2}}],"trainers":[{"queue_depth":1}],"#
                + #""models":[{"name":"m","kind":"mf","rank":8,"loss":"logistic","rejected":4,"prequential":[{"metric":"log_loss","value":0.5,"recent":0.25}],"proof":{"users":["a"]}}],"#
                + #""tables":{"sides":[{"name":"users","id_bytes":10,"row_bytes":20}]},"snapshot":{"pause_ms":1.5,"exact":true},"now":{"received":3}}"#)
        let lines = page.text.split(separator: "\n").map(String.init)
        for line in [
            "factord_applied_position 7", "factord_interactions_total 5", #"factord_stream_messages_total{stream="a \"b\"\\"} 3"#,
            #"factord_stream_rejected_total{stream="a \"b\"\\",reason="bad_user"} 2"#, #"factord_trainer_queue_depth{trainer="0"} 1"#,
            #"factord_model_quality{model="m",metric="log_loss",window="all"} 0.5"#, #"factord_model_quality{model="m",metric="log_loss",window="recent"} 0.25"#,
            #"factord_model_info{model="m",kind="mf",rank="8",loss="logistic"} 1"#, #"factord_model_rejected_total{model="m"} 4"#,
            #"factord_table_bytes{table="users",part="rows"} 20"#, "factord_snapshot_longest_pause_seconds 0.0015", "factord_snapshot_exact 1",
            "# TYPE factord_interactions_total counter", "# TYPE factord_applied_position gauge",
        ] { #expect(lines.contains(line), "\(line)\n\(page.text)") }
        #expect(lines.count { $0.hasPrefix("# HELP ") } == lines.count { $0.hasPrefix("# TYPE ") })
        #expect(page.undescribed.isEmpty && !page.text.contains("proof"), "\(page.undescribed)")
        #expect(try self.page(#"{"snapshot":{"novel":1}}"#).undescribed == ["snapshot.novel"])
    }

    @Test("A histogram's buckets add up")
    func histogram() {
        let buckets = DurationBuckets()
        for microseconds in [10, 60, 60, 3000, 100_000_000] as [Int64] { buckets.record(microseconds: microseconds) }
        var page = MetricsPage()
        page.add("factord_learning_delay_seconds", times: buckets.counts)
        for line in [#"_bucket{le="0.0001"} 3"#, #"_bucket{le="5.0"} 4"#, #"_bucket{le="+Inf"} 5"#, "_count 5", "_sum 100.00313"] {
            #expect(page.text.contains("factord_learning_delay_seconds\(line)\n"), "\(line)\n\(page.text)")
        }
    }

    @Test("The table of metrics in the documentation is the one that the page is made from; no name stands twice")
    func documentation() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("Deploy/Documentation/metrics.md"), encoding: .utf8)
        #expect(text.contains(Configuration.metricTable), "run `factord check --metrics` and put its output into Deploy/Documentation/metrics.md")
        #expect(Set(MetricDescription.all.map(\.name)).count == MetricDescription.all.count)
        for metric in MetricDescription.all {
            #expect(metric.name.hasSuffix("_total") == (metric.kind == .counter), "\(metric.name): a counter, and nothing else, ends in _total")
            #expect(!metric.help.hasSuffix(".") && !metric.help.contains("|"), "\(metric.name)")
        }
    }
}
