import ArgumentParser
import StreamTools

struct EvaluatePrequential: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prequential",
        abstract: "Predicts each event of a file or journal, then learns it.",
        discussion: """
            The events are passed once, all configurations side by side; a file in time order unless --order file. "recent" is over
            about the last 7,000 events, "window" over the last 10,000, as a daemon's `stats` has them.

            \(QualityArguments.figures)

            For ratings taken as positives: --where "value>=5" with a model of implicit feedback and --set 'events.*.label=1'.
            --kinds sets all kinds of model side by side. --plots DIR writes the curves over the stream, and of calibration, as SVG
            and (with rsvg-convert installed) as PNG.

            --users and --items tell what is known of them, as attribute upserts before an entity's first event, or (--side
            context, for kinds that take no item attributes) as context of each event. --columns chooses among the files'
            columns; age/10 divides and rounds down.

            Examples:
              factorctl evaluate prequential ml-100k.inter.tsv.gz --type rating --config Deploy/ratings.yaml \\
                --users ml-100k.user.tsv.gz --items ml-100k.item.tsv.gz --columns age/10,gender,occupation,class
              factorctl evaluate prequential ml-100k.inter.tsv.gz --where "value>=5" --set "events.*.label=1" --recall 10
              factorctl evaluate prequential factord-state --variant "" --variant "model.rank=64" --plots curves
            """)

    @OptionGroup var quality: QualityArguments
    @Option(help: ArgumentHelp("Directory for plots; made where it is missing.", valueName: "dir"))
    var plots: String?

    @OptionGroup(title: "Configurations") var configurations: ConfigurationArguments
    @OptionGroup var output: OutputOptions

    func run() throws {
        try interruptible {
            let table = QualityTable(try quality.evaluation(), try configurations.named())
            table.show(json: output.json)
            if let plots { try PlotFiles.write(table.plots, to: plots) }
        }
    }
}

struct EvaluateHoldout: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "holdout",
        abstract: "Learns the first events of a file or journal, and predicts the rest without learning it.",
        discussion: """
            \(QualityArguments.figures)

            Negatives of held-out events are drawn among the items known that their users have not touched.

            Example: factorctl evaluate holdout ml-100k.inter.tsv.gz --share 0.1 --type rating --config Deploy/ratings.yaml
            """)

    @OptionGroup var quality: QualityArguments
    @Option(help: "Share of the events that is held out: the last ones.")
    var share = 0.1
    @Option(help: ArgumentHelp("Directory for plots; made where it is missing.", valueName: "dir"))
    var plots: String?

    @OptionGroup(title: "Configurations") var configurations: ConfigurationArguments
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard share > 0, share < 1 else { throw ValidationError("--share: between 0 and 1") }
    }

    func run() throws {
        try interruptible {
            var evaluation = try quality.evaluation()
            evaluation.heldOut = share
            let table = QualityTable(evaluation, try configurations.named())
            table.show(json: output.json)
            if let plots { try PlotFiles.write(table.plots, to: plots) }
        }
    }
}
