import ArgumentParser
import Factorization
import StreamTools

struct EvaluatePromotion: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "promotion",
        abstract: "Counts how often a model is promoted over another, on simulated streams.",
        discussion: """
            The champion is the first configured model. Challengers: "better", beside a champion that learns at a quarter of the
            rates; "alike", which differs by its seed; "idle", which learns nothing; "wild", whose steps are a hundred times too long;
            "opposed", which steps the wrong way. Each seed is a stream and a pair of its own, until the test decides or the stream ends.
            "above" is by how much the champion's loss lies above, in parts of the cap.

            Example: factorctl evaluate promotion --seeds 100 --events 20000
            """)

    @OptionGroup(title: "The stream") var stream: SimulationArguments

    @Option(help: "Streams, with the seeds from --seed on.")
    var seeds = 100
    @Option(help: "Events between two looks at the test.")
    var every = 100
    @Option(help: "The chance of promoting a model that is not better, over all looks.")
    var alpha = 0.01
    @Option(help: "Events compared before anything is decided.")
    var minimumEvents = 1000
    @Option(help: "What is compared: loss or auc.")
    var measure = "loss"
    @Option(help: ArgumentHelp("Only this challenger; can be repeated.", valueName: "challenger"))
    var challenger: [String] = []

    @OptionGroup(title: "Configurations") var configurations: ConfigurationArguments
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard seeds >= 1, every >= 1 else { throw ValidationError("--seeds and --every: at least 1") }
        guard alpha > 0, alpha < 1 else { throw ValidationError("--alpha: between 0 and 1") }
        guard ComparisonSettings.Measure(rawValue: measure) != nil else { throw ValidationError("--measure: loss or auc") }
        for name in challenger where PromotionEvaluation.Challenger(rawValue: name) == nil {
            let names = PromotionEvaluation.Challenger.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--challenger \(name): there is \(names)")
        }
    }

    func run() throws {
        try interruptible {
            let evaluation = PromotionEvaluation(
                try stream.simulation().settings, events: stream.events, every: every, alpha: alpha, minimumEvents: minimumEvents,
                measure: ComparisonSettings.Measure(rawValue: measure) ?? .loss)
            var table = ResultTable([
                .init(key: "configuration", title: "configuration"), .init(key: "challenger", title: "challenger"),
                .init(key: "seeds", title: "seeds", form: .whole), .init(key: "promoted", title: "promoted", form: .whole),
                .init(key: "median_events", title: "after", form: .whole), .init(key: "difference", title: "above", form: .decimals(5)),
            ])
            let all = challenger.isEmpty ? PromotionEvaluation.Challenger.allCases : challenger.compactMap(PromotionEvaluation.Challenger.init)
            for configuration in ShownSteps("evaluate promotion", try configurations.named(), name: \.name) {
                for challenger in all {
                    let result = try evaluation.run(challenger, configuration.settings, seeds: stream.seed..<stream.seed + UInt64(seeds))
                    table.add([
                        .string(configuration.name), .string(challenger.rawValue), .integer(Int64(result.seeds)),
                        .integer(Int64(result.promotedAfter.count)), JSONTree(optional: result.median), .number(result.difference),
                    ])
                }
            }
            table.show(json: output.json)
        }
    }
}
