import ArgumentParser
import Factorization
import StreamTools

struct EvaluateRefinement: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refinement",
        abstract: "Ranks by rows as the stream leaves them, and after they are re-solved from held history.",
        discussion: """
            Learns a file once, as `ranking` does, ranks each held-out item, and does again after each round in which the row of every
            user is re-solved, as a daemon with `refinement.budget` does in idle time. `rows` were solved in the round, each in `µs`.

            Example: factorctl evaluate refinement stream.tsv --validate --order burst --variant "model.refinement.passes=1" --rounds 3
            """)

    @OptionGroup var files: LeaveOneOutArguments

    @Option(help: "Order of the stream: stream (the file's), window, burst.")
    var order = InteractionFile.Order.stream

    @Option(help: "Draws the order, and is the models' seed.")
    var seed: UInt64 = 1

    @Option(help: "How often all rows are re-solved.")
    var rounds = 1

    @OptionGroup(title: "Configurations") var configurations: ConfigurationArguments
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if rounds < 1 { throw ValidationError("--rounds is at least 1") }
    }

    func run() throws {
        try interruptible {
            let (learned, cases) = try files.read()
            let ordered = learned.ordered(order, seed: seed), evaluation = RefinementEvaluation(cases)
            var table = ResultTable(EvaluateRefinement.figures)
            for configuration in ShownSteps("evaluate refinement", try configurations.named(seed: seed), name: \.name) {
                try Interruption.check()
                let engine = Engine(settings: configuration.settings)
                engine.learnNow(ordered)
                for (number, round) in evaluation.run(engine, rounds: rounds).enumerated() {
                    for (model, quality) in round.qualities.enumerated() {
                        table.add([
                            .string(ConfigurationArguments.label(configuration, model: engine.models[model].settings.name)), .integer(Int64(number)),
                            .number(quality.hitRate), .number(quality.gain), .integer(Int64(round.rows)),
                            round.rows > 0 ? .number(round.seconds * 1e6 / Double(round.rows)) : .null,
                        ])
                    }
                }
            }
            table.show(json: output.json)
        }
    }

    private static let figures = [
        ResultTable.Figure(key: "model", title: "model"), .init(key: "round", title: "round", form: .whole),
        .init(key: "hr10", title: "HR@10", form: .decimals(4)), .init(key: "ndcg10", title: "NDCG@10", form: .decimals(4)),
        .init(key: "rows", title: "rows", form: .whole), .init(key: "microseconds", title: "µs", form: .whole),
    ]
}
