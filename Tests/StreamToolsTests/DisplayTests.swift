@testable import StreamTools
import Testing

@Suite("Displays")
struct DisplayTests {
    @Test("Tables align by what a terminal shows")
    func table() {
        var table = TextTable(["item", "score", "title"], [.left, .right])
        table.add(["1", "0.25", "Toy Story"])
        table.add(["日本", "-12.5"])
        #expect(table.rendered(indent: 1) == """
             item  score  title
             ────  ─────  ─────────
             1      0.25  Toy Story
             日本  -12.5

            """)
    }

    @Test("Numbers for people", arguments: [
        (Quantity.short(0), "0"), (Quantity.short(12.34), "12.3"), (Quantity.short(999.9), "1.00 k"),
        (Quantity.short(1_234_567), "1.23 M"), (Quantity.short(.nan), "–"), (Quantity.grouped(-1_234_567), "-1,234,567"),
        (Quantity.grouped(100), "100"), (Quantity.bytes(1536), "1.50 KiB"), (Quantity.bytes(12), "12 B"),
        (Quantity.duration(seconds: 0.44), "0.4 s"), (Quantity.duration(seconds: 185), "3 min 05 s"),
        (Quantity.duration(seconds: 7620), "2 h 07 min"), (Quantity.duration(seconds: 90_000), "1 d 01 h"),
        (Quantity.latency(microseconds: 34), "34 µs"), (Quantity.latency(microseconds: 1060), "1.06 ms"),
        (Quantity.latency(microseconds: 999.7), "1.00 ms"), (Quantity.latency(microseconds: 2_500_000), "2.50 s"),
        (Quantity.fixed(-0.005, 2), "-0.01"), (Quantity.fixed(-0.001, 2), "0.00"), (Quantity.fixed(2.5, 0), "3"),
        (Quantity.fixed(.infinity, 2), "–"),
    ])
    func quantities(given: String, wanted: String) {
        #expect(given == wanted)
    }

    @Test("Sparklines span least to greatest, forget the oldest, leave gaps")
    func sparkline() {
        var line = Sparkline(width: 4)
        #expect(line.rendered == "")
        line.add(100)
        line.add(5)
        #expect(line.rendered == "█▁")
        for value in [0, .nan, 3.5, 7] { line.add(value) }
        #expect(line.rendered == "▁ ▅█")
        var flat = Sparkline(width: 3)
        for _ in 0..<3 { flat.add(2) }
        #expect(flat.rendered == "▄▄▄")
    }

    @Test("Progress: bar, rate, time left; narrow terminals; unknown end")
    func progress() {
        #expect(ProgressBar.line(label: "f.csv", done: 5000, fraction: 0.5, seconds: 2, columns: 80)
            == "f.csv  ███████████████░░░░░░░░░░░░░░░  50%  5,000 events  2.50 k/s  2.0 s left")
        #expect(ProgressBar.line(label: "f.csv", done: 10_000, fraction: 1, seconds: 4, columns: 100).hasSuffix("100%  10,000 events  2.50 k/s  in 4.0 s"))
        #expect(ProgressBar.line(label: "-", done: 10, fraction: nil, seconds: 1, columns: 80) == "-  10 events  10/s")
        #expect(ProgressBar.line(label: "verified", done: 3 << 20, unit: .bytes, fraction: 0.25, seconds: 2, columns: 100)
            == "verified  ███████░░░░░░░░░░░░░░░░░░░░░░░  25%  3 MiB  1.50 MiB/s  6.0 s left")
        for columns in 10...120 {
            let line = ProgressBar.line(label: "some/long/file.tsv.gz", done: 123_456, fraction: 0.37, seconds: 3, columns: columns)
            #expect(line.count < columns)
        }
    }

    @Test("Steps are counted, with the time that the rest will take, in any width")
    func steps() {
        #expect(StepProgress.line("evaluate", "a, seed 1", step: 1, of: 4, seconds: 0, columns: 100) == "evaluate  ░░░░░░░░░░░░░░░░░░░░  1 of 4  a, seed 1")
        #expect(StepProgress.line("evaluate", "b", step: 3, of: 4, seconds: 20, columns: 100) == "evaluate  ██████████░░░░░░░░░░  3 of 4, about 20 s left  b")
        for columns in 1...80 { #expect(StepProgress.line("evaluate", "b", step: 3, of: 4, seconds: 20, columns: columns).count < columns) }
        #expect(Array(ShownSteps("x", [3, 1, 2], name: { "\($0)" })) == [3, 1, 2])
    }

    /// The answer as the daemon's contract has it.
    static let stats: JSONTree = [
        "position": 120_000, "durable": 0, "uptime_seconds": 12.5,
        "events": ["received": 120_010, "accepted": 120_000, "rejected": ["missing_user": 10, "bad_time": 0], "rate": 9876.5],
        "streams": [["name": "main", "received": 120_010, "dropped": 0]],
        "trainers": [["queue_depth": 3, "queue_capacity": 64, "applied": 119_000], ["queue_depth": 4, "queue_capacity": 64, "applied": 900]],
        "models": [["name": "default", "kind": "mf", "rank": 16, "loss": "squared", "events": 120_000,
                    "prequential": [["metric": "rmse", "value": 0.9612, "recent": 0.9405], ["metric": "auc", "value": 0.81, "recent": 0.85]]]],
        "tables": ["users": 943, "items": 1682, "context_features": 0, "bytes": 1_048_576],
        "snapshot": ["position": 100_000, "age_seconds": 4, "count": 2],
        "requests": ["answered": 17, "errors": 1, "p50_us": 45, "p99_us": 210],
    ]

    @Test("The stats report tells all that is there")
    func report() {
        let text = StatsReport(DisplayTests.stats).rendered(sparklines: ["default rmse": "█▁"])
        for part in [
            "120,000  (durable 0)", "120,010 received", "9.88 k/s", "10 missing_user", "943 users", "1 MiB", "at 100,000",
            "17 answered", "p99 210 µs", "main", "0.9612", "0.9405", "█▁", "auc", "0.8100", "0.8500", "119,000",
        ] { #expect(text.contains(part), "\(part)") }
        #expect(!text.contains("bad_time"))
        let summary = StatsReport(DisplayTests.stats).summary
        for part in ["position 120,000", "queued 7", "10 rejected", "default rmse 0.9405", "default auc 0.8500"] { #expect(summary.contains(part)) }
    }

    @Test("Before the first snapshot the report says so")
    func noSnapshot() {
        #expect(StatsReport(["snapshot": ["count": 0, "failed": 0]]).rendered() == "snapshot  none yet\n")
    }

    @Test("A learning curve gives each metric's recent value and its trend so far")
    func curve() {
        var curve = LearningCurve(parts: 3)
        func line(_ events: Int, _ rmse: Double) -> String? {
            curve.line(events: events, ["models": [["name": "m", "prequential": [["metric": "rmse", "value": 9, "recent": .number(rmse)]]]]])
        }
        #expect(line(1000, 2) == "    events      m rmse\n     1,000      2.0000  ▄")
        #expect(line(2000, 1) == "     2,000      1.0000  █▁")
        #expect(curve.line(events: 3000, [:]) == nil)
    }

    @Test("Any part may be absent, null or of another type")
    func robustness() {
        guard case .object(let members) = DisplayTests.stats else { return }
        for index in members.indices {
            for other in [nil, JSONTree.null, 1, "x", [], [:], [1], [["a": ["b": 1]]]] as [JSONTree?] {
                var changed = members
                if let other { changed[index].value = other } else { changed.remove(at: index) }
                let report = StatsReport(.object(changed))
                #expect(!report.rendered().contains("Optional"))
                #expect(!report.summary.isEmpty)
            }
        }
        #expect(StatsReport([:]).rendered() == "")
    }

    @Test("Rates come from the difference between looks, and survive a restart")
    func rates() {
        var view = WatchView()
        view.add(["events": ["received": 1000]], nanoseconds: 0)
        #expect(view.eventsPerSecond == nil)
        view.add(["events": ["received": 3000]], nanoseconds: 2_000_000_000)
        #expect(view.eventsPerSecond == 1000)
        view.add(["events": ["received": 10]], nanoseconds: 3_000_000_000)
        view.add(["events": ["received": 60]], nanoseconds: 4_000_000_000)
        #expect(view.eventsPerSecond == 50)
    }

    @Test("The live view fits every terminal, tells what is most urgent in the smallest, and has colours only where they are wanted")
    func watch() {
        var view = WatchView()
        for look in 0..<30 { view.add(DisplayTests.stats, nanoseconds: Int64(look) * 1_000_000_000) }
        for columns in stride(from: 20, through: 240, by: 7) {
            for rows in 1...60 {
                let lines = view.lines(title: "factord at x", columns: columns, rows: rows, isColoured: false)
                #expect(lines.count <= rows && lines.allSatisfy { $0.count <= columns }, "\(columns) × \(rows): \(lines)")
            }
        }
        let all = view.lines(title: "factord at x", columns: 120, rows: 60, isColoured: false).joined(separator: "\n")
        for part in ["events/s", "120,010 received", "rmse", "0.9405", "overall 0.9612", "auc", "missing_user", "trainer 1", "p99", "210 µs", "snapshot", "old, at 100,000"] {
            #expect(all.contains(part), "\(part)\n\(all)")
        }
        #expect(!all.contains("bad_time") && !all.contains("\u{1B}"))
        let small = view.lines(title: "factord at x", columns: 60, rows: 12, isColoured: true).joined(separator: "\n")
        #expect(small.contains("events/s") && !small.contains("snapshot") && small.contains("\u{1B}["))
        // Whatever an answer lacks is left out.
        var bare = WatchView()
        bare.add([:], nanoseconds: 0)
        #expect(bare.lines(title: "t", columns: 80, rows: 24, isColoured: false).count >= 1)
    }
}
