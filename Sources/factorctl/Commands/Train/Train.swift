import ArgumentParser
import FactordServer
import Factorization
import LinuxSystem
import StreamTools

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Learns a file or journal offline, and writes the state that a daemon starts from.",
        discussion: """
            `sgd` passes over the events as a stream, more than once where asked to; `als` solves rows in closed form. Either way the
            state holds ids, users' histories and what they have seen, too, and a daemon with the same models goes on learning:
              factord --config FILE --state DIR
            """,
        subcommands: [TrainGradient.self, TrainAlternating.self], defaultSubcommand: TrainGradient.self)
}

/// What is learned, under which settings, and where the state goes.
struct TrainArguments: ParsableArguments {
    @Argument(help: "File of events, as `publish` reads it, or a journal: its directory, or a daemon's state.")
    var file: String

    @Option(help: ArgumentHelp("The state directory that is written: a new one.", valueName: "dir"))
    var out: String

    @Option(help: "time (ties as they stand) or file; a journal has its own.")
    var order = DatasetOrder.file
    @Option(help: "Event type of events that name none, such as rating.")
    var type: String?
    @Option(name: .customLong("where"), help: ArgumentHelp("Only these events: a comparison of the value, or type=NAME.", valueName: "value>=5"))
    var condition: String?

    @Option(help: ArgumentHelp("The daemon's configuration; defaults without.", valueName: "file"))
    var config: String?
    @Option(name: .customLong("set"), parsing: .singleValue, help: ArgumentHelp("Set one key of it.", valueName: "key=value"))
    var settings: [String] = []

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let condition, EventCondition(condition) == nil {
            throw ValidationError("--where \(condition): write value>=5 (or >, <=, <, =), or type=NAME")
        }
    }

    func records() throws -> [DatasetRecord] {
        try PrequentialEvaluation.records(
            path: file, options: DatasetOptions(order: order, type: type), where: condition.flatMap(EventCondition.init))
    }

    func loaded() throws -> Configuration {
        let flags = settings.map { setting in
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return ConfigurationSources.Flag(path: parts[0], value: parts.count > 1 ? parts[1] : "", shown: "--set \(setting)")
        }
        return try Configuration.load(ConfigurationSources(file: config, environment: [:], flags: flags)).configuration
    }

    /// Writes the state and says where.
    func write(_ engine: Engine, _ configuration: Configuration) throws {
        let written = try OfflineState.write(engine, configuration, to: out)
        note("State: \(written.path), \(Quantity.bytes(Int(written.bytes))), position \(Quantity.grouped(Int(engine.sequencer.lastPosition)))")
    }
}

struct TrainGradient: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sgd",
        abstract: "Passes over the events with the models' own steps, as a daemon would, several times where asked to.",
        discussion: """
            One epoch leaves what a daemon would hold after the same events. Further ones go on with the rows; histories begin again, so
            that an event's context is what it was the first time. The metrics that go into the state are those of the first epoch,
            when events were new.

            Example: factorctl train ml-100k.inter.tsv.gz --type rating --config Deploy/ratings.yaml --epochs 5 --out state
            """)

    @OptionGroup var arguments: TrainArguments
    @Option(help: "Passes over the events.")
    var epochs = 1

    func validate() throws {
        guard epochs >= 1 else { throw ValidationError("--epochs: at least 1") }
    }

    func run() throws {
        try interruptible {
            let configuration = try arguments.loaded(), records = try arguments.records()
            var settings = configuration.engineSettings
            settings.trainers = 1
            let engine = Engine(settings: settings)
            var table = ResultTable([
                .init(key: "epoch", title: "epoch", form: .whole), .init(key: "model", title: "model"), .init(key: "metric", title: "metric"),
                .init(key: "value", title: "value", form: .decimals(4)), .init(key: "seconds", title: "seconds", form: .decimals(1)),
            ])
            var first: [HeldMetrics] = []
            for epoch in 1...epochs {
                let start = MonotonicClock.nanoseconds
                if epoch > 1 {
                    engine.beginEpoch()
                    for model in engine.models.indices { engine.clearMetrics(model) }
                }
                let feed = OfflineFeed(engine)
                var bar = ProgressBar(label: epochs > 1 ? "epoch \(epoch) of \(epochs)" : "learned")
                for (number, record) in records.enumerated() {
                    if number & 0xFFF == 0 {
                        try Interruption.check()
                        bar.update(done: number, fraction: Double(number) / Double(records.count))
                    }
                    switch record {
                    case .event(let event): feed.append(event)
                    case .json(let line): feed.append(json: line)
                    }
                }
                feed.flush()
                bar.giveWay()
                if epoch == 1 {
                    first = engine.models.indices.map { engine.heldMetrics($0) }
                    if feed.rejected > 0 { note("\(Quantity.grouped(feed.rejected)) records were set aside, as a daemon would") }
                }
                let seconds = Double(MonotonicClock.nanoseconds - start) / 1e9
                for (number, model) in engine.models.enumerated() {
                    let report = engine.prequential(number)
                    table.add([.integer(Int64(epoch)), .string(model.settings.name), .string(report.metric), .number(report.value), .number(seconds)])
                }
            }
            for (model, metrics) in first.enumerated() { engine.restore(metrics, model: model) }
            try arguments.write(engine, configuration)
            table.show(json: arguments.output.json)
        }
    }
}
