public import ArgumentParser
import Factorization
public import StreamTools

struct EvaluatePrequential: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prequential",
        abstract: "Predicts each event of a file, then learns it.",
        discussion: """
            The file is passed once, in time order unless --order file. Loss (RMSE for squared loss, with predictions limited
            to the range of the labels seen so far) and AUC are over all events; "recent" is over about the last 7,000.

            --recall N also asks, before each event, for N recommendations among the items seen so far that the user has not
            seen, and counts how often the event's item is among them; "popularity" does the same by counts alone. For ratings
            taken as positives: --where "value>=5" with a model of implicit feedback and --set 'events.*.label=1'.

            --users and --items tell what is known of them, as attribute upserts before an entity's first event, or (--side
            context, for kinds that take no item attributes) as context of each event. --columns chooses among the files'
            columns; age/10 divides and rounds down.

            Examples:
              factorctl evaluate prequential ml-100k.inter.tsv.gz --type rating --config Deploy/ratings.yaml \\
                --users ml-100k.user.tsv.gz --items ml-100k.item.tsv.gz --columns age/10,gender,occupation,class
              factorctl evaluate prequential ml-100k.inter.tsv.gz --where "value>=5" --set "events.*.label=1" --recall 10
            """)

    @Argument(help: "File of events, as `publish` reads it.")
    var file: String

    @Option(help: "time (ties as they stand) or file.")
    var order = DatasetOrder.time

    @Option(help: "Event type of events that name none, such as rating.")
    var type: String?

    @Option(name: .customLong("where"), help: ArgumentHelp("Only these events: a comparison of the value, or type=NAME.", valueName: "value>=5"))
    var condition: String?

    @Option(help: "Length of the recommended lists; 0 for none.")
    var recall = 0

    @Option(help: "What is known of users: a file with a line for each.")
    var users: String?
    @Option(help: "What is known of items: a file with a line for each.")
    var items: String?
    @Option(help: ArgumentHelp("Columns of these files, all unless given.", valueName: "age/10,gender,…"))
    var columns: String?
    @Option(help: "How they enter: attributes or context.")
    var side = PrequentialEvaluation.Side.attributes

    @OptionGroup(title: "Configurations") var configurations: ConfigurationArguments
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if recall < 0 { throw ValidationError("--recall: not negative") }
        if let condition, EventCondition(condition) == nil {
            throw ValidationError("--where \(condition): write value>=5 (or >, <=, <, =), or type=NAME")
        }
        if side == .context && recall > 0 && items != nil {
            throw ValidationError("--side context: a recommendation has no item whose columns could be its context; use --side attributes")
        }
    }

    func run() throws {
        try interruptible {
            let events = try PrequentialEvaluation.events(
                path: file, options: DatasetOptions(order: order, type: type), where: condition.flatMap(EventCondition.init))
            let chosen = try columns.map { text in
                try text.split(separator: ",").map { name in
                    guard let column = SideFeatures.Column(String(name)) else {
                        throw ValidationError("--columns \(name): write a column's name, or name/STEP with a whole STEP above 0")
                    }
                    return column
                }
            }
            let evaluation = PrequentialEvaluation(
                events: events, users: try users.map { path throws(StreamToolsError) in try SideFeatures(.user, path: path, columns: chosen) },
                items: try items.map { path throws(StreamToolsError) in try SideFeatures(.item, path: path, columns: chosen) },
                side: side, depth: recall)
            var table = ResultTable(figures)
            for configuration in try configurations.named() {
                try Interruption.check()
                for result in evaluation.run(configuration.settings) {
                    table.add(row(ConfigurationArguments.label(configuration, model: result.model), result))
                }
            }
            if recall > 0 { table.add(row("popularity", evaluation.popularity())) }
            table.show(json: output.json)
        }
    }

    private var figures: [ResultTable.Figure] {
        [
            .init(key: "model", title: "model"), .init(key: "events", title: "events", form: .whole),
            .init(key: "metric", title: "metric"), .init(key: "value", title: "value", form: .decimals(4)),
            .init(key: "recent", title: "recent", form: .decimals(4)), .init(key: "auc", title: "AUC", form: .decimals(4)),
            .init(key: "recall", title: "recall@\(recall)", form: .decimals(4)),
            .init(key: "drift_alarms", title: "alarms", form: .whole),
            .init(key: "events_per_second", title: "events/s", form: .whole),
        ]
    }

    private func row(_ name: String, _ result: PrequentialEvaluation.Result) -> [JSONTree] {
        let report = result.report
        return [
            .string(name), JSONTree(optional: report?.events), report.map { .string($0.metric) } ?? .null,
            JSONTree(optional: report?.value), JSONTree(optional: report?.recent), JSONTree(optional: report?.auc),
            JSONTree(optional: result.recall), JSONTree(optional: result.drift?.alarms),
            .number(result.eventsPerSecond),
        ]
    }
}

extension PrequentialEvaluation.Side: ExpressibleByArgument {}
