public import ArgumentParser
import FactordServer
import Factorization
import LinuxSystem
public import StreamTools

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Learns a file once, in this process, and ranks held-out items.",
        discussion: """
            The protocol of He et al. 2017: each user's held-out item is ranked among items that the user never touched;
            HR@10 and NDCG@10, ties against the model. The stream is passed once, as the daemon would.

            Choose settings on the validation split (--validate), which holds out each user's last event of the stream,
            and read the test once.

            Example: factorctl evaluate stream.tsv --test test.tsv --config factord.yaml --order window --seeds 5
            """)

    @Argument(help: "File of interactions: user and item, integers.")
    var stream: String

    @Option(help: "File of cases: user, held-out item, items to rank against.")
    var test: String?

    @Flag(name: .customLong("validate"), help: "Hold out each user's last event of the stream instead of reading a test file.")
    var holdsOut = false

    @Option(help: "Order of the stream: stream (the file's), window, burst.")
    var order = InteractionFile.Order.stream

    @Option(help: "Runs, with seeds 1, 2, …; the table gives each, then the mean.")
    var seeds = 1

    @Option(help: "Configuration file of a daemon; its models are evaluated.")
    var config: String?

    @Option(name: .customLong("set"), parsing: .singleValue, help: ArgumentHelp("Set one key of the configuration.", valueName: "key=value"))
    var settings: [String] = []

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if holdsOut == (test != nil) { throw ValidationError("give either --test FILE or --validate") }
        if seeds < 1 { throw ValidationError("--seeds is at least 1") }
    }

    func run() throws {
        let flags = settings.map { setting in
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return ConfigurationSources.Flag(path: parts[0], value: parts.count > 1 ? parts[1] : "", shown: "--set \(setting)")
        }
        let loaded = try Configuration.load(ConfigurationSources(file: config, environment: [:], flags: flags))
        let file = try InteractionFile(path: stream)
        let (learned, cases) =
            if let test { (file, try LeaveOneOut(path: test)) } else { LeaveOneOut.split(file, seed: 1) }
        var results: [Result] = []
        for seed in 1...UInt64(seeds) {
            results += evaluate(loaded.configuration, learned.ordered(order, seed: seed), cases, seed: seed)
        }
        show(results)
    }

    /// One model in one run.
    private struct Result {
        var model: String
        var seed: UInt64
        var quality: LeaveOneOut.Quality
        var eventsPerSecond: Double
    }

    private func evaluate(
        _ configuration: Configuration, _ file: InteractionFile, _ test: LeaveOneOut, seed: UInt64
    ) -> [Result] {
        var settings = configuration.engineSettings
        settings.trainers = 1
        for index in settings.models.indices { settings.models[index].seed = seed }
        let engine = Engine(settings: settings)
        let start = MonotonicClock.nanoseconds
        engine.learnNow(file)
        let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
        return engine.models.indices.map { index in
            Result(
                model: settings.models[index].name, seed: seed, quality: test.quality(of: engine, model: index),
                eventsPerSecond: Double(file.pairs.count) / seconds)
        }
    }

    private func show(_ results: [Result]) {
        if output.json {
            for result in results {
                say(
                    JSONTree.object([
                        .init(key: "model", value: .string(result.model)), .init(key: "seed", value: .integer(Int64(result.seed))),
                        .init(key: "hr10", value: .number(result.quality.hitRate)),
                        .init(key: "ndcg10", value: .number(result.quality.gain)),
                        .init(key: "events_per_second", value: .number(result.eventsPerSecond)),
                    ]).json)
            }
            return
        }
        var table = TextTable(["model", "seed", "HR@10", "NDCG@10", "events/s"], [.left, .right, .right, .right, .right])
        func add(_ model: String, _ seed: String, _ results: [Result]) {
            func mean(_ value: (Result) -> Double) -> Double { results.map(value).reduce(0, +) / Double(results.count) }
            table.add([
                model, seed, Quantity.fixed(mean(\.quality.hitRate), 4), Quantity.fixed(mean(\.quality.gain), 4),
                Quantity.grouped(Int(mean(\.eventsPerSecond))),
            ])
        }
        for result in results { add(result.model, "\(result.seed)", [result]) }
        if seeds > 1 {
            for model in results.prefix(results.count / seeds).map(\.model) {
                add(model, "mean", results.filter { $0.model == model })
            }
        }
        say(table.rendered())
    }
}

extension InteractionFile.Order: ExpressibleByArgument {}
