import ArgumentParser
import StreamTools

struct EvaluateColdStart: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cold-start",
        abstract: "Hides items from a file's first part, and ranks their first events in the rest.",
        discussion: """
            Each of a hidden item's first events is ranked just before it is learned, among 99 items that the user never
            touches: HR@10, ties against the model. Each configuration runs without and with the items' attributes; "known
            items" are as many events of items that were not hidden, ranked in the same way. A drawn list would hit 0.1.

            Example: factorctl evaluate cold-start ml-1m.stream.tsv.gz --items ml-1m.items.tsv.gz
            """)

    @Argument(help: "File of interactions: user and item, integers.")
    var stream: String

    @Option(help: "Attributes of items: a file with a line for each.")
    var items: String

    @Option(help: "Order of the stream: stream (the file's), window, burst.")
    var order = InteractionFile.Order.stream

    @Option(help: "Share of the items that is hidden.")
    var hidden = 0.1
    @Option(help: "Part of the stream without them.")
    var until = 0.8
    @Option(help: "Events of each hidden item that are judged.")
    var firstEvents = 10
    @Option(help: "Draws the hidden items; also the models' seed.")
    var seed: UInt64 = 1

    @OptionGroup(title: "Configurations") var configurations: ConfigurationArguments
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard hidden > 0, hidden < 1, until > 0, until < 1 else { throw ValidationError("--hidden and --until: between 0 and 1") }
        guard firstEvents >= 1 else { throw ValidationError("--first-events: at least 1") }
    }

    func run() throws {
        try interruptible {
            let file = try InteractionFile(path: stream).ordered(order, seed: seed)
            let attributes = try SideFeatures(.item, path: items)
            var settings = ColdStart.Settings()
            (settings.hidden, settings.until, settings.firstEvents, settings.seed) = (hidden, until, firstEvents, seed)
            let coldStart = ColdStart(file, settings)
            var table = ResultTable([
                .init(key: "model", title: "model"), .init(key: "attributes", title: "attributes"),
                .init(key: "hidden_items", title: "hidden items", form: .whole),
                .init(key: "first_event", title: "first event", form: .decimals(4)),
                .init(key: "first_events", title: "first \(firstEvents)", form: .decimals(4)),
                .init(key: "known_items", title: "known items", form: .decimals(4)),
                .init(key: "cases", title: "cases", form: .whole),
            ])
            for configuration in ShownSteps("evaluate cold-start", try configurations.named(seed: seed), name: \.name) {
                for told in [false, true] {
                    try Interruption.check()
                    for result in coldStart.run(configuration.settings, attributes: told ? attributes : nil) {
                        table.add([
                            .string(ConfigurationArguments.label(configuration, model: result.model)), .string(told ? "yes" : "no"),
                            .integer(Int64(coldStart.hidden.count)), .number(result.atFirst.value), .number(result.early.value),
                            .number(result.known.value), .integer(Int64(result.early.cases)),
                        ])
                    }
                }
            }
            table.show(json: output.json)
        }
    }
}
