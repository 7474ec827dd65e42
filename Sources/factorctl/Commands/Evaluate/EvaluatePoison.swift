import ArgumentParser
import StreamTools

struct EvaluatePoison: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "poison",
        abstract: "Strews bad events into a simulated stream, and looks for what they did.",
        discussion: """
            NaN, ±Inf, ±1e30, denormal numbers, empty records and absurdly many features, in JSON and in columns, about users
            and items of the stream. The same stream is learned with and without; quality is HR@10 against the truth, with
            --ratings the RMSE against the true mean ratings. Fails when a value in the model is not finite or the loss of
            quality is above --most-loss.

            Example: factorctl evaluate poison --variant model.kind=mf --variant model.kind=ffm
            """)

    @OptionGroup(title: "The stream") var stream: SimulationArguments

    @Option(help: "Poison messages for each event.")
    var poison = 0.01
    @Option(help: "Users whose lists are judged.")
    var judged = 300
    @Option(help: "Share of the quality that may be lost.")
    var mostLoss = 0.02

    @OptionGroup(title: "Configurations") var configurations: ConfigurationArguments
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard poison >= 0, poison <= 1 else { throw ValidationError("--poison: 0 to 1") }
        guard judged >= 1 else { throw ValidationError("--judged: at least 1") }
    }

    func run() throws {
        try interruptible {
            let evaluation = PoisonEvaluation(
                try stream.simulation().settings, events: stream.events, share: poison, users: judged)
            let metric = stream.ratings ? "RMSE" : "HR@10"
            var table = ResultTable([
                .init(key: "model", title: "model"), .init(key: "clean", title: "\(metric) clean", form: .decimals(4)),
                .init(key: "poisoned", title: "poisoned", form: .decimals(4)), .init(key: "loss", title: "lost", form: .percent),
                .init(key: "not_finite", title: "not finite", form: .whole), .init(key: "messages", title: "messages", form: .whole),
                .init(key: "refused", title: "refused", form: .whole),
            ])
            var isHarmed = false
            for configuration in ShownSteps("evaluate poison", try configurations.named(seed: stream.seed), name: \.name) {
                for result in try evaluation.run(configuration.settings) {
                    table.add([
                        .string(ConfigurationArguments.label(configuration, model: result.model)),
                        .number(result.clean.error ?? result.clean.hitRate), .number(result.poisoned.error ?? result.poisoned.hitRate),
                        .number(result.loss), .integer(Int64(result.nonFinite)), .integer(Int64(result.messages)),
                        .integer(Int64(result.refused)),
                    ])
                    isHarmed = isHarmed || result.nonFinite > 0 || !(result.loss <= mostLoss)
                }
            }
            table.show(json: output.json)
            if isHarmed { throw ExitCode.failure }
        }
    }
}
