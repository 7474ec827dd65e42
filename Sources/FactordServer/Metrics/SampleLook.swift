import Factorization
import LinuxSystem
import Synchronization

/// What a sample is made of, and what is remembered from one to the next. Belongs to the sampler's thread.
struct SampleLook {
    private let stats: StatsReport
    private var counts: [Double]
    private var last: Int64
    /// Of the minute under way.
    private var sums: [Double]
    private var parts: [Int]
    private var minuteTimes = [LatencyHistogram.Times(), LatencyHistogram.Times()]
    private var seconds = 0

    /// Series of times, by socket: percentiles of the second.
    private static let percentiles: [(name: String, percent: Double)] = [("p50", 50), ("p90", 90), ("p99", 99), ("p999", 99.9)]
    private static let sockets = ["requests", "http"]

    init(_ stats: StatsReport) {
        self.stats = stats
        let counters = SampleLook.counters(stats), levels = SampleLook.levels(stats)
        let times = SampleLook.sockets.flatMap { socket in SampleLook.percentiles.map { "\(socket)_\($0.name)_seconds" } }
        let names = counters.map(\.0) + levels.map(\.0) + ["learning_delay_seconds"] + times
        counts = counters.map(\.1)
        last = MonotonicClock.nanoseconds
        sums = [Double](repeating: 0, count: names.count)
        parts = [Int](repeating: 0, count: names.count)
        stats.samples.begin(names)
    }

    /// Numbers that grow; their growth in a second is drawn.
    private static func counters(_ stats: StatsReport) -> [(String, Double)] {
        func sum(_ count: (StreamCounters) -> Int) -> Double { Double(stats.streams.reduce(0) { $0 + count($1) }) }
        let requests = stats.requests, http = stats.http, engine = stats.engine
        let rejected = stats.streams.reduce(0) { $0 + $1.rejected.reduce(0) { $0 + $1.count } }
        return [
            ("received", sum { $0.records.load(ordering: .relaxed) }), ("bytes", sum { $0.bytes.load(ordering: .relaxed) }),
            ("learned", Double(engine.trainers.reduce(0) { $0 + $1.interactions })),
            ("rejected", Double(rejected)), ("refused", Double(engine.sequencer.refusals.reduce(0) { $0 + $1.count })),
            ("gaps", Double(stats.streams.reduce(0) { $0 + $1.losses.gaps })), ("missing", Double(stats.streams.reduce(0) { $0 + $1.losses.missing })),
            ("waits", Double(stats.ingest.waits.load(ordering: .relaxed))),
            ("requests", Double(requests?.answered.load(ordering: .relaxed) ?? 0)), ("request_errors", Double(requests?.errors.load(ordering: .relaxed) ?? 0)),
            ("replies_dropped", Double(requests?.dropped.load(ordering: .relaxed) ?? 0)),
            ("http_requests", Double(http.map { $0.succeeded.load(ordering: .relaxed) + $0.clientErrors.load(ordering: .relaxed) + $0.serverErrors.load(ordering: .relaxed) } ?? 0)),
            ("cpu", Double(ProcessFacts.processorNanoseconds) / 1e9), ("evictions", Double(engine.evictions)),
        ] + engine.models.indices.map { ("model/\(engine.models[$0].settings.name)/drift_alarms", Double(engine.drift($0).alarms)) }
    }

    /// Numbers that are drawn as they are.
    private static func levels(_ stats: StatsReport) -> [(String, Double)] {
        let engine = stats.engine, bytes = engine.bytes
        let sequenced = engine.sequencer.lastPosition, applied = engine.appliedPosition, durable = stats.durablePosition
        func below(_ position: UInt64) -> Double { Double(sequenced > position ? sequenced - position : 0) }
        let fill = engine.trainers.map { Double($0.queueDepth) / Double(max(1, $0.queueCapacity)) }.max() ?? 0
        var levels = [
            ("position", Double(applied)), ("lag", below(applied)), ("not_durable", below(durable)), ("queue_fill", fill),
            ("queued", Double(engine.trainers.reduce(0) { $0 + $1.queueDepth })), ("users", Double(engine.users.liveCount)),
            ("items", Double(engine.items.liveCount)), ("resident_bytes", Double(ProcessFacts.residentBytes)), ("id_bytes", Double(bytes.ids)),
            ("row_bytes", Double(bytes.rows)), ("history_bytes", Double(bytes.userItems)), ("requests_waiting", Double(stats.requests?.waiting.load(ordering: .relaxed) ?? 0)),
            ("requests_queued", Double(stats.requests?.queued.load(ordering: .relaxed) ?? 0)),
        ]
        for index in engine.models.indices {
            // Before anything is learned there is nothing to draw.
            let isNew = engine.prequential(index).events == 0
            for metric in stats.quality(index) { levels.append(("model/\(engine.models[index].settings.name)/\(metric.name)", isNew ? .nan : metric.recent)) }
        }
        return levels
    }

    /// - Parameter delay: seconds until everything that had a position was learned; NaN for nothing.
    mutating func sample(now: Int64, delay: Double) {
        let passed = max(1e-3, Double(now - last) / 1e9), counters = SampleLook.counters(stats)
        var values = zip(counters, counts).map { ($0.1 - $1) / passed }
        counts = counters.map(\.1)
        last = now
        values += SampleLook.levels(stats).map(\.1)
        values.append(delay)
        let recent = [stats.requests?.latency.takeRecent(), stats.http?.latency.takeRecent()]
        for (index, times) in recent.enumerated() {
            if let times, times.count > 0 { minuteTimes[index].add(times) }
            values += SampleLook.read(times)
        }
        stats.samples.add(.seconds, time: WallClock.milliseconds, values)
        for (index, value) in values.enumerated() where value.isFinite {
            sums[index] += value
            parts[index] += 1
        }
        seconds += 1
        if seconds == SampleHistory.Span.minutes.interval { endMinute() }
    }

    /// Adds the means of a minute, and the percentiles of all its times.
    private mutating func endMinute() {
        var means = zip(sums, parts).map { $1 > 0 ? $0 / Double($1) : .nan }
        let times = minuteTimes.flatMap { SampleLook.read($0) }
        means.replaceSubrange((means.count - times.count)..., with: times)
        stats.samples.add(.minutes, time: WallClock.milliseconds, means)
        sums = sums.map { _ in 0 }
        parts = parts.map { _ in 0 }
        for index in minuteTimes.indices { minuteTimes[index] = LatencyHistogram.Times() }
        seconds = 0
    }

    private static func read(_ times: LatencyHistogram.Times?) -> [Double] {
        percentiles.map { entry in
            guard let times, times.count > 0 else { return .nan }
            return Double(times.percentile(entry.percent)) / 1e6
        }
    }
}
