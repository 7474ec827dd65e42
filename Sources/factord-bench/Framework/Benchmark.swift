/// One quantity that a benchmark measures.
struct Metric {
    var name: String
    var unit: String
    /// Whether more is better: rates, not times.
    var isRate = true
}

/// Somebody who is measured: the subject, or a baseline beside it.
struct Side {
    var name: String
    /// One measurement: a value for each metric of the benchmark.
    var measure: () throws -> [Double]
}

/// A benchmark that is set up and ready to be measured. What its sides capture goes when it goes.
struct Prepared {
    /// The subject first, then the baselines.
    var sides: [Side]
    /// Facts of the set-up that belong to the figures, such as reply sizes.
    var notes: [String: Double] = [:]
    /// What was recorded in the course of the last round; filled by a side.
    var record: Record?
}

/// A quantity over time.
struct Series {
    var name: String
    var unit: String
    /// Seconds since the start, and the value then.
    var points: [(time: Double, value: Double)] = []
}

/// The course of one measurement, and facts that are known only at its end.
final class Record {
    var series: [Series] = []
    var notes: [String: Double] = [:]
}

/// A named benchmark. Its name is a path: the first part is the group that a plot shows together.
struct Benchmark {
    var name: String
    var metrics: [Metric]
    /// Measured a single time, without a round that warms up: for what is no matter of speed.
    var isOnce = false
    var prepare: () throws -> Prepared

    init(_ name: String, _ metrics: [Metric], isOnce: Bool = false, prepare: @escaping () throws -> Prepared) {
        self.name = name
        self.isOnce = isOnce
        self.metrics = metrics
        self.prepare = prepare
    }

    /// A benchmark of one rate.
    init(_ name: String, _ unit: String, prepare: @escaping () throws -> Prepared) {
        self.init(name, [Metric(name: "rate", unit: unit)], prepare: prepare)
    }

    var group: String { String(name.prefix { $0 != "/" }) }
}

/// What the command line asks for.
struct Plan {
    var ranks: [Int]
    /// Numbers of threads at which scaling is measured; none where it is not.
    var threads: [Int]
    var isQuick: Bool
    var isLarge: Bool
    /// Size of the model in the snapshot benchmarks.
    var snapshotMebibytes: Int
    /// Measures a daemon that runs already, instead of one that is started.
    var daemon: DaemonEndpoints?
    /// Events that go through ZeroMQ in a round, at most; nil for as many as the size of the run asks for.
    var events: Int?
    /// How long the run at full rate takes.
    var soakSeconds: Int

    /// As many events as wanted, or as the command line allows.
    func limited(_ wanted: Int) -> Int { min(wanted, events ?? wanted) }
}

/// A benchmark that could not be measured.
struct BenchmarkError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
