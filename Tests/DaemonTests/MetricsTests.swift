import Foundation
import Glibc
import StreamTools
import Testing

/// What a running daemon tells Prometheus, against the table in the documentation.
@Suite("Metrics of a daemon")
struct MetricsTests {
    private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private struct Metric: Equatable {
        var kind: String
        var labels: Set<String>
    }

    /// A daemon with everything on that a metric may depend on, and what it tells.
    private func scrape() throws -> (page: String, stats: JSONTree, daemon: DaemonProcess) {
        let configuration = NSTemporaryDirectory() + "factord-metrics-\(UUID().uuidString.prefix(8)).yaml"
        defer { unlink(configuration) }
        try """
            models: [{name: a, rank: 8}, {name: b, rank: 16}]
            promotion: {model: b, against: a}
            replay: {capacity: 100000}
            exploration: {log: {enabled: true}}
            """.write(toFile: configuration, atomically: true, encoding: .utf8)
        let daemon = try DaemonProcess(isStarted: false)
        daemon.configuration = configuration
        try daemon.start()
        try daemon.sender().deliver(#"{"columns":1}"#)
        try daemon.sender().deliver(eventsJSON(0..<500))
        try daemon.wait(for: 500)
        _ = try daemon.client().call("recommend", ["user": "u1", "n": 3])
        _ = try daemon.client().call("score", ["user": "u1", "items": ["i1"]])
        try daemon.snapshot()
        let page = try HTTPClient(path: daemon.http).ask("GET", "/metrics").body
        return (page, try daemon.stats(), daemon)
    }

    @Test("A scrape and the table in the documentation name the same metrics, of the same types and labels")
    func table() throws {
        var documented: [String: Metric] = [:]
        for line in try String(contentsOf: root.appendingPathComponent("Deploy/Documentation/metrics.md"), encoding: .utf8).split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
            let labels = cells[3].split(separator: ",").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) }
            documented[cells[1].trimmingCharacters(in: CharacterSet(charactersIn: "`"))] = Metric(kind: cells[2], labels: Set(labels))
        }
        let (page, stats, daemon) = try scrape()
        var told: [String: Metric] = [:], current = ""
        for line in page.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                current = String(words[2])
                told[current] = Metric(kind: String(words[3]), labels: [])
            } else if !line.hasPrefix("#") {
                #expect(line.hasPrefix(current), "\(line) stands under \(current)")
                let labels = line.matches(of: #/([a-z_]+)="/#).map { String($0.output.1) }.filter { $0 != "le" }
                if told[current]?.labels.isEmpty == true { told[current]?.labels = Set(labels) }
                #expect(told[current]?.labels == Set(labels), "\(line)")
            }
        }
        #expect(Set(told.keys) == Set(documented.keys), "missing: \(Set(documented.keys).subtracting(told.keys).sorted()), extra: \(Set(told.keys).subtracting(documented.keys).sorted())")
        for (name, metric) in told { #expect(documented[name] == metric, "\(name)") }
        #expect(!page.contains("# Undescribed"), "numbers of stats that MetricDescription knows nothing of:\n\(page.split(separator: "\n").filter { $0.hasPrefix("# Undescribed") }.joined(separator: "\n"))")
        // And its numbers are those of `stats`.
        for line in ["factord_applied_position 500", "factord_interactions_total 500", "factord_snapshot_position 500", "factord_ready 1",
            #"factord_stream_rejected_total{stream="events",reason="bad_header"} 1"#, #"factord_requests_total{socket="requests",method="recommend",outcome="ok"} 1"#,
            #"factord_request_duration_seconds_count{socket="requests",method="score"} 1"#, #"factord_requests_total{socket="admin",method="snapshot",outcome="ok"} 1"#,
        ] { #expect(page.contains("\n\(line)\n"), "\(line)") }
        #expect(stats["events"]?["rejected"]?["bad_header"]?.integer == 1)
        #expect(try daemon.stop() == .exited(0))
    }

    @Test("promtool takes the scrape, the alert rules and the rules' own tests", .enabled(if: RunningProgram.find("promtool") != nil, "promtool, of Debian's package prometheus, is not here"))
    func promtool() throws {
        let tool = try #require(RunningProgram.find("promtool")), (page, _, daemon) = try scrape()
        let file = daemon.folder + "/scrape"
        try page.write(toFile: file, atomically: true, encoding: .utf8)
        func check(_ command: String) throws {
            let program = try RunningProgram("/bin/sh", ["-c", command], logs: daemon.folder)
            let ending = try program.wait()
            #expect(ending == .exited(0) && program.standardError.isEmpty, "\(command): \(ending)\n\(program.standardOutput)\(program.standardError)")
        }
        try check("'\(tool)' check metrics < '\(file)'")
        try check("'\(tool)' check rules '\(root.path)/Deploy/prometheus/factord-alerts.yaml'")
        try check("'\(tool)' test rules '\(root.path)/Tests/Prometheus/factord-alerts-test.yaml'")
    }

    @Test("The dashboard's page, its files and its samples are served, strictly guarded; nothing beside them is")
    func dashboard() throws {
        let daemon = try DaemonProcess()
        let http = try HTTPClient(path: daemon.http)
        let page = try http.ask("GET", "/")
        #expect(page.status == 200 && page.fields["content-type"] == "text/html; charset=utf-8" && page.body.contains("<main>"))
        let policy = page.fields["content-security-policy"] ?? ""
        for word in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] { #expect(policy.contains(word), "\(policy)") }
        #expect(!policy.contains("unsafe") && page.fields["x-content-type-options"] == "nosniff")
        // Each file that the page or a script names is there.
        var named: Set<String> = ["main.js"], looked: Set<String> = [], texts = [page.body]
        for match in page.body.matches(of: #/"\/dashboard\/([\w.]+)"/#) { named.insert(String(match.output.1)) }
        while let name = named.subtracting(looked).first {
            looked.insert(name)
            if name == "chart.min.js" { continue }
            let file = try http.ask("GET", "/dashboard/\(name)")
            #expect(file.status == 200, "\(name)")
            texts.append(file.body)
            for match in file.body.matches(of: #/from '\.\/([\w.]+)'/#) { named.insert(String(match.output.1)) }
        }
        #expect(looked.count > 8, "\(looked)")
        // Nothing that the policy would forbid, and no markup made from what the daemon says.
        for text in texts {
            for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=", "onclick=", "<script>", "http://", "https://"] {
                #expect(!text.replacing("http://www.w3.org/2000/svg", with: "").contains(word), "\(word)")
            }
        }
        for path in ["/dashboard/../index.html", "/dashboard/../../../etc/passwd", "/dashboard/", "/dashboard", "/dashboard/%2e%2e/x", "/dashboard//main.js"] {
            #expect(try http.ask("GET", path).status == 404, "\(path)")
        }
        #expect(try http.ask("POST", "/dashboard/main.js", "{}").status == 405)
        // The past grows by itself.
        let samples = try eventually { () -> JSONTree? in
            let samples = try http.ask("GET", "/samples/seconds.json").json
            return (samples?["number"]?.integer ?? -1) >= 0 ? samples : nil
        }
        let count = samples?["time_ms"]?.array?.count ?? 0, series = samples?["series"]?.object ?? []
        #expect(count > 0 && series.count > 30 && series.allSatisfy { $0.value.array?.count == count })
        #expect(try http.ask("GET", "/samples/minutes.json").json?["interval_seconds"]?.integer == 60)
        #expect(try daemon.stats()["now"]?["number"]?.integer ?? -1 >= 0)
        #expect(try daemon.stop() == .exited(0))
        // Without its files the daemon serves all the rest, and says what is missing.
        let bare = try DaemonProcess(["http.assets=/nowhere"])
        let plain = try HTTPClient(path: bare.http).ask("GET", "/")
        #expect(plain.status == 200 && plain.fields["content-type"]?.hasPrefix("text/plain") == true && plain.body.contains("/nowhere") && plain.body.contains("/v1/recommend"))
    }
}
