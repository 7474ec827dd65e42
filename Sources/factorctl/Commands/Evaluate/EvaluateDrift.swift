import ArgumentParser
import StreamTools

struct EvaluateDrift: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drift",
        abstract: "Changes all tastes of a simulated stream at once, and measures how fast they are learned anew.",
        discussion: """
            HR@10 is the true probability that a user's next event is in the recommended list. "Regained" is after how many
            events it is back at a share of what it was before the change; "alarm" after how many the drift alarm fires; "early"
            counts alarms before the change, "steady" those on the same stream without a change.

            Example: factorctl evaluate drift --variant "" --variant "model.optimizer.kind=adagrad"
            """)

    @OptionGroup(title: "The stream") var stream: SimulationArguments

    @Option(help: "Events between two measurements.")
    var every = 2000
    @Option(help: "Users whose lists are judged.")
    var judged = 300
    @Option(help: "Share of the earlier HR@10 that counts as regained.")
    var share = 0.95

    @OptionGroup(title: "Configurations") var configurations: ConfigurationArguments
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard every >= 1, judged >= 1 else { throw ValidationError("--every and --judged: at least 1") }
        guard share > 0, share <= 1 else { throw ValidationError("--share: above 0, at most 1") }
    }

    func run() throws {
        try interruptible {
            var simulation = try stream.simulation().settings
            simulation.drift = simulation.drift ?? .flip
            let drift = DriftEvaluation(simulation, events: stream.events, every: every, users: judged, share: share)
            var table = ResultTable([
                .init(key: "model", title: "model"), .init(key: "hr10_before", title: "HR@10 before", form: .decimals(4)),
                .init(key: "hr10_lowest", title: "lowest", form: .decimals(4)), .init(key: "hr10_last", title: "at the end", form: .decimals(4)),
                .init(key: "hr10_ideal", title: "possible", form: .decimals(4)),
                .init(key: "regained_after", title: "regained", form: .whole), .init(key: "alarm_after", title: "alarm", form: .whole),
                .init(key: "early_alarms", title: "early", form: .whole), .init(key: "steady_alarms", title: "steady", form: .whole),
            ])
            for configuration in ShownSteps("evaluate drift", try configurations.named(seed: stream.seed), name: \.name) {
                for result in try drift.run(configuration.settings) {
                    table.add([
                        .string(ConfigurationArguments.label(configuration, model: result.model)), .number(result.before),
                        .number(result.lowest), .number(result.last), .number(result.ideal), JSONTree(optional: result.regainedAfter),
                        JSONTree(optional: result.alarmAfter), .integer(Int64(result.earlyAlarms)), .integer(Int64(result.steadyAlarms)),
                    ])
                }
            }
            table.show(json: output.json)
        }
    }
}
