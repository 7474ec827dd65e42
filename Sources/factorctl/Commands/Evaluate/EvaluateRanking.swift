public import ArgumentParser
import Factorization
import LinuxSystem
public import StreamTools

struct EvaluateRanking: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ranking",
        abstract: "Learns a file once, and ranks held-out items among others.",
        discussion: """
            The protocol of He et al. 2017: each user's held-out item is ranked among items that the user never touched;
            HR@10 and NDCG@10, ties against the model. The stream is passed once, as the daemon would.

            Choose settings on the validation split (--validate), which holds out each user's last event of the stream,
            and read the test once.

            With --daemon a running daemon learns and answers: the stream goes to it through ZeroMQ, once, and the cases are
            ranked by its answers. It must be fresh, and its configuration is its own. Deploy/quality starts one for each run.

            Example: factorctl evaluate ranking stream.tsv --test test.tsv --config factord.yaml --order window --seeds 5
            """)

    @OptionGroup var files: LeaveOneOutArguments

    @Option(help: "Order of the stream: stream (the file's), window, burst.")
    var order = InteractionFile.Order.stream

    @Option(help: "Runs, with seeds 1, 2, …; the table gives each, then the mean.")
    var seeds = 1

    @Option(help: ArgumentHelp("With --daemon: the seed that draws the order (the model's is in the daemon's configuration).", valueName: "seed"))
    var orderSeed: UInt64 = 1

    @Flag(help: "Let a running daemon learn and answer.")
    var daemon = false

    @OptionGroup(title: "Configurations") var configurations: ConfigurationArguments
    @OptionGroup(title: "With --daemon: sending") var sending: PublishArguments
    @OptionGroup(title: "With --daemon: asking") var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if seeds < 1 { throw ValidationError("--seeds is at least 1") }
        let isConfigured = !(configurations.config + configurations.settings + configurations.variant).isEmpty
        if daemon && (isConfigured || seeds > 1) {
            throw ValidationError("--daemon: configuration and seed are the daemon's own; leave out --config, --set, --variant and --seeds")
        }
    }

    func run() throws {
        try interruptible {
            let (learned, cases) = try files.read()
            if daemon { return try askDaemon(learned.ordered(order, seed: orderSeed), cases) }
            var results: [Result] = []
            var progress = StepProgress(label: "evaluate", steps: seeds * (try configurations.named(seed: 1).count))
            defer { progress.finish() }
            for seed in 1...UInt64(seeds) {
                let ordered = learned.ordered(order, seed: seed)
                for configuration in try configurations.named(seed: seed) {
                    try Interruption.check()
                    progress.begin("\(configuration.name), seed \(seed)")
                    results += evaluate(configuration, ordered, cases, seed: seed)
                }
            }
            progress.finish()
            show(results)
        }
    }

    /// One model in one run.
    private struct Result {
        var model: String
        var seed: UInt64
        var quality: LeaveOneOut.Quality
        var eventsPerSecond: Double
        var rowUpdates: Double
    }

    private func evaluate(
        _ configuration: ConfigurationArguments.Named, _ file: InteractionFile, _ test: LeaveOneOut, seed: UInt64
    ) -> [Result] {
        let engine = Engine(settings: configuration.settings)
        let start = MonotonicClock.nanoseconds
        engine.learnNow(file)
        let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
        return engine.models.indices.map { index in
            Result(
                model: ConfigurationArguments.label(configuration, model: engine.models[index].settings.name), seed: seed,
                quality: test.quality(of: engine, model: index), eventsPerSecond: Double(file.pairs.count) / seconds,
                rowUpdates: Double(engine.rowUpdates(index)) / Double(max(file.pairs.count, 1)))
        }
    }

    private static let figures = [
        ResultTable.Figure(key: "model", title: "model"), .init(key: "seed", title: "seed", form: .whole),
        .init(key: "hr10", title: "HR@10", form: .decimals(4)), .init(key: "ndcg10", title: "NDCG@10", form: .decimals(4)),
        .init(key: "events_per_second", title: "events/s", form: .whole),
        .init(key: "row_updates_per_event", title: "rows/event", form: .decimals(1)),
    ]

    private func show(_ results: [Result]) {
        var table = ResultTable(EvaluateRanking.figures)
        func add(_ model: String, _ seed: JSONTree, _ results: [Result]) {
            func mean(_ value: (Result) -> Double) -> JSONTree { .number(results.map(value).reduce(0, +) / Double(results.count)) }
            table.add([
                .string(model), seed, mean(\.quality.hitRate), mean(\.quality.gain), mean(\.eventsPerSecond), mean(\.rowUpdates),
            ])
        }
        for result in results { add(result.model, .integer(Int64(result.seed)), [result]) }
        if seeds > 1 && !output.json {
            for model in results.prefix(results.count / seeds).map(\.model) {
                add(model, .string("mean"), results.filter { $0.model == model })
            }
        }
        table.show(json: output.json)
    }

    /// Sends the stream, waits until it is learned, and ranks by the daemon's answers.
    private func askDaemon(_ file: InteractionFile, _ test: LeaveOneOut) throws {
        let client = try requests.client()
        guard try client.receivedRecords() == 0 else { throw ValidationError("the daemon has learned already; start a fresh one") }
        let publisher = try sending.publisher(requests.keys).publisher
        let start = MonotonicClock.nanoseconds
        var bar = ProgressBar(label: "sent")
        for (index, pair) in file.pairs.enumerated() {
            try publisher.publish(DatasetEvent(user: .integer(pair.user), item: .integer(pair.item)))
            if index & 1023 == 0 { bar.update(done: index, fraction: Double(index) / Double(file.pairs.count)) }
        }
        bar.giveWay()
        guard try publisher.finish(), try client.waitUntilIdle(received: file.pairs.count, seconds: 600) != nil else {
            throw ValidationError("the daemon did not learn the whole stream in time")
        }
        let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
        let quality = try test.quality { user, items throws(StreamToolsError) in
            try client.score(user: .integer(user), items: items.map { .integer($0) }).map { Float($0) }
        }
        let run = DaemonRun(quality: quality, events: file.pairs.count, seconds: seconds, stats: try client.call("stats"))
        run.table(order: order.rawValue, seed: orderSeed).show(json: output.json)
    }
}

/// What a daemon made of a stream, from the outside.
private struct DaemonRun {
    var quality: LeaveOneOut.Quality
    var events: Int
    var seconds: Double
    /// The answer to `stats` after the last event.
    var stats: JSONTree

    func table(order: String, seed: UInt64) -> ResultTable {
        var table = ResultTable([
            .init(key: "order", title: "order"), .init(key: "seed", title: "seed", form: .whole),
            .init(key: "trainers", title: "trainers", form: .whole),
            .init(key: "hr10", title: "HR@10", form: .decimals(4)), .init(key: "ndcg10", title: "NDCG@10", form: .decimals(4)),
            .init(key: "events", title: "events", form: .whole), .init(key: "events_per_second", title: "events/s", form: .whole),
            .init(key: "history_bytes", title: "history bytes", form: .whole),
            .init(key: "row_updates_per_event", title: "rows/event", form: .decimals(1)),
            .init(key: "replayed_events", title: "replayed", form: .whole),
            .init(key: "rejected", title: "rejected", form: .whole),
        ])
        let model = stats["models"]?.array?.first
        let accepted = stats["events"]?["accepted"]?.integer ?? 0
        table.add([
            .string(order), .integer(Int64(seed)), .integer(Int64(stats["trainers"]?.array?.count ?? 0)),
            .number(quality.hitRate), .number(quality.gain), .integer(Int64(accepted)), .number(Double(events) / seconds),
            JSONTree(optional: stats["tables"]?["history_bytes"]?.integer),
            JSONTree(optional: (model?["row_updates"]?.number).map { $0 / Double(max(accepted, 1)) }),
            JSONTree(optional: stats["replay"]?["replay_count"]?.integer), .integer(Int64(events - accepted)),
        ])
        return table
    }
}

extension InteractionFile.Order: ExpressibleByArgument {}
