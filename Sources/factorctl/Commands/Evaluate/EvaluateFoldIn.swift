import ArgumentParser
import Factorization
import StreamTools

struct EvaluateFoldIn: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fold-in",
        abstract: "Ranks by a trained user, and by a list of the user's items.",
        discussion: """
            Learns a file once, as `ranking` does, and ranks each held-out item twice: by the user's trained row, and as the
            daemon answers somebody without one who names `items` of that user's (`history` of a request): the last ones, and
            as many drawn at random. `share` is what the list is worth, NDCG@10 by NDCG@10; the times (median, 99 of 100) are
            those of one answer, fold-in and the case's scores together.

            Example: factorctl evaluate fold-in stream.tsv --test test.tsv --config factord.yaml --items 10
            """)

    @OptionGroup var files: LeaveOneOutArguments

    @Option(help: "Items told of each user; can be repeated.")
    var items: [Int] = []

    @OptionGroup(title: "Configurations") var configurations: ConfigurationArguments
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard items.allSatisfy((1...Visitor.mostItems).contains) else { throw ValidationError("--items is 1 to \(Visitor.mostItems)") }
    }

    func run() throws {
        try interruptible {
            let (learned, cases) = try files.read()
            let evaluation = FoldInEvaluation(cases, stream: learned)
            var table = ResultTable(EvaluateFoldIn.figures)
            for configuration in ShownSteps("evaluate fold-in", try configurations.named(), name: \.name) {
                try Interruption.check()
                let engine = Engine(settings: configuration.settings)
                engine.learnNow(learned)
                for index in engine.models.indices {
                    let label = ConfigurationArguments.label(configuration, model: engine.models[index].settings.name)
                    for count in items.isEmpty ? [10] : items {
                        for choice in FoldInEvaluation.Choice.allCases {
                            add(evaluation.run(engine, model: index, choice, count: count), label, "\(choice.rawValue) \(count)", to: &table)
                        }
                    }
                }
            }
            table.show(json: output.json)
        }
    }

    private static let figures = [
        ResultTable.Figure(key: "model", title: "model"), .init(key: "told", title: "told"),
        .init(key: "hr10", title: "HR@10", form: .decimals(4)), .init(key: "ndcg10", title: "NDCG@10", form: .decimals(4)),
        .init(key: "trained_hr10", title: "trained", form: .decimals(4)), .init(key: "trained_ndcg10", title: "", form: .decimals(4)),
        .init(key: "share", title: "share", form: .percent), .init(key: "median_ms", title: "ms", form: .decimals(3)),
        .init(key: "p99_ms", title: "p99", form: .decimals(3)), .init(key: "trained_ms", title: "trained ms", form: .decimals(3)),
    ]

    private func add(_ result: FoldInEvaluation.Result, _ model: String, _ told: String, to table: inout ResultTable) {
        table.add([
            .string(model), .string(told), .number(result.folded.hitRate), .number(result.folded.gain), .number(result.trained.hitRate),
            .number(result.trained.gain), .number(result.folded.gain / max(result.trained.gain, .leastNonzeroMagnitude)),
            .number(result.medianSeconds * 1e3), .number(result.highSeconds * 1e3), .number(result.trainedSeconds * 1e3),
        ])
    }
}
