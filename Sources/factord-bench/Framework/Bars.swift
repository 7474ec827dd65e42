import StreamTools

/// What the figures are held to, and whether they reach it.
struct Bar {
    /// The number under which the requirement is known ("Must show").
    let number: Int
    let text: String
    let bound: Double
    var isAtLeast = true
    /// The figures that it concerns: name and value.
    let figures: ([Measurement]) -> [(name: String, value: Double)]
}

/// What came of a bar.
struct Verdict {
    let bar: Bar
    let figures: [(name: String, value: Double)]

    init(_ bar: Bar, _ measurements: [Measurement]) {
        self.bar = bar
        figures = bar.figures(measurements).filter { !$0.value.isNaN }
    }

    private func reaches(_ value: Double) -> Bool { bar.isAtLeast ? value >= bar.bound : value <= bar.bound }
    /// How many of the figures reach it.
    var reached: Int { figures.count { reaches($0.value) } }
    /// The figure that is furthest from it on the wrong side, or closest on the right one.
    var worst: (name: String, value: Double)? {
        figures.min { bar.isAtLeast ? $0.value < $1.value : $0.value > $1.value }
    }
    var word: String {
        figures.isEmpty ? "not measured" : reached == figures.count ? "reached" : "missed by \(figures.count - reached) of \(figures.count)"
    }
}

extension Bar {
    /// The ratio to a baseline, of all benchmarks whose name begins so.
    private static func ratio(
        _ number: Int, _ text: String, _ bound: Double, isAtLeast: Bool = true, _ prefix: String, _ metric: String = "rate", to baseline: String
    ) -> Bar {
        Bar(number: number, text: text, bound: bound, isAtLeast: isAtLeast) { all in
            all.filter { $0.benchmark.hasPrefix(prefix) && !$0.benchmark.hasSuffix("nothing learned") && $0.metric.name == metric }.flatMap { measurement in
                measurement.baselines.filter { $0.name == baseline }.map { (measurement.benchmark, $0.ratio.median) }
            }
        }
    }

    /// The value itself.
    private static func value(
        _ number: Int, _ text: String, _ bound: Double, isAtLeast: Bool = true, _ benchmark: String, _ metric: String
    ) -> Bar {
        Bar(number: number, text: text, bound: bound, isAtLeast: isAtLeast) { all in
            all.filter { $0.benchmark == benchmark && $0.metric.name == metric }.map { ($0.benchmark, $0.value.median) }
        }
    }

    /// Of `memory/budget`, whose draws, ids and budget are divided by one number but with `--large`: how many were drawn stands beside it.
    private static func budget(_ text: String, _ bound: Double, isAtLeast: Bool = true, _ metric: String) -> Bar {
        Bar(number: 5, text: text, bound: bound, isAtLeast: isAtLeast) { all in
            all.filter { $0.benchmark == "memory/budget" && $0.metric.name == metric }.map { measurement in
                let draws = measurement.notes["draws"].map { ", \(Quantity.short($0)) draws" } ?? ""
                return (measurement.benchmark + draws, measurement.value.median)
            }
        }
    }

    /// Pipelined requests of one item: 1 where it is the lesser of what is asked for.
    private static func pipelinedRate(_ all: [Measurement]) -> [(name: String, value: Double)] {
        all.filter { $0.benchmark.hasPrefix("pipelined/") && $0.benchmark.hasSuffix("/1 item") && $0.metric.name == "requests" }.compactMap { measurement in
            guard let echo = measurement.baselines.first(where: { $0.name == "bare echo" }) else { return nil }
            return (measurement.benchmark, max(measurement.value.median / 100_000, echo.ratio.median / 0.5))
        }
    }

    /// Wall rate of columnar events: 1 where it is the least of what is asked for beside the engine and beside bare libzmq.
    private static func columnarRate(_ all: [Measurement]) -> [(name: String, value: Double)] {
        all.filter { $0.benchmark == "ingest/columnar" && $0.metric.name == "rate" }.compactMap { measurement in
            let ratios = Dictionary(uniqueKeysWithValues: measurement.baselines.map { ($0.name, $0.ratio.median) })
            guard let engine = ratios["engine in process"], let bare = ratios["bare libzmq"] else { return nil }
            return (measurement.benchmark, max(engine / 0.8, bare / 0.6))
        }
    }

    /// All of them.
    static var all: [Bar] {
        [
            .ratio(1, "one trainer, in cache, of the plain C loop", 0.95, "trainer/small/", to: "plain C"),
            .ratio(1, "one trainer, out of cache, of the plain C loop", 1, "trainer/large/", to: "plain C"),
            .ratio(1, "the same, of the loop without prefetch", 2, "trainer/large/", to: "plain C, no prefetch"),
            .ratio(2, "two trainers, of the loop on two threads", 1.15, "two trainers/", to: "plain C, 2 threads"),
            .ratio(2, "two trainers, of the loop with private item rows", 0.85, "two trainers/", to: "the same, private items"),
            .ratio(2, "two trainers: loss, of one trainer", 1.01, isAtLeast: false, "two trainers/", "loss", to: "1 trainer"),
            .ratio(
                3, "columnar: processor time, of training in process with ids", 1.25, isAtLeast: false, "ingest/columnar", "processor time",
                to: "engine in process"),
            Bar(
                number: 3, text: "columnar: wall rate, of the lesser of 0.8 × in process and 0.6 × bare libzmq", bound: 1, isAtLeast: true,
                figures: columnarRate),
            .ratio(3, "single-event JSON: wall rate, of bare libzmq", 0.5, "ingest/JSON single", to: "bare libzmq"),
            .value(3, "JSON arrays, events/s of one decoding core", 1e6, "decode/JSON array", "rate"),
            .value(4, "event to visible score at 50,000 events/s, p50 in µs", 300, isAtLeast: false, "freshness/50,000 events per s", "p50"),
            .value(4, "the same, p99 in µs", 1000, isAtLeast: false, "freshness/50,000 events per s", "p99"),
            .ratio(7, "score round trip: p50, of the bare echo", 1.5, isAtLeast: false, "score/", "p50", to: "bare echo"),
            .ratio(7, "score round trip: p99, of the bare echo", 3, isAtLeast: false, "score/", "p99", to: "bare echo"),
            Bar(number: 7, text: "pipelined: requests/s with one item, of the lesser of 100,000 and half the bare echo", bound: 1, isAtLeast: true, figures: pipelinedRate),
            .value(7, "pipelined: scores/s with 100 items, tcp", 2e6, "pipelined/tcp/100 items", "scores"),
            .value(7, "pipelined: scores/s with 100 items, ipc", 2e6, "pipelined/ipc/100 items", "scores"),
            .value(5, "resident growth per row, of factors, weight and optimiser state", 1.25, isAtLeast: false, "memory/rows", "of factors and state"),
            .budget("resident bytes, of the budget", 1.05, isAtLeast: false, "resident/budget"),
            .budget("share of the top 1 % of ids held after ten draws an id, at full size 10⁹", 0.999, "top 1 % of ids held"),
            .budget("share of the new top 1 % of rows held after the shuffle", 0.9, "new top 1 % of rows held"),
            .value(6, "full rate: resident bytes, end of the run over its start", 1.02, isAtLeast: false, "soak", "resident, end ÷ start"),
            .value(6, "full rate: events/s, end of the run over its start", 0.95, "soak", "rate, end ÷ start"),
            .value(6, "full rate: events sent that were neither learned nor counted", 0, isAtLeast: false, "soak", "unaccounted"),
        ]
    }
}
