public import ArgumentParser
import FactordServer
import Factorization
public import StreamTools

struct EvaluateTune: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Searches settings on the beginning of a file or journal, and judges the found ones on the rest.",
        discussion: """
            Learning rates (of users, items, history and weights), L2, strengths of the interaction regulariser, rank, and number of
            negatives of the configuration's first model are drawn around what they are. All candidates learn the first half of the prefix, the better half of
            them goes on to its end (successive halving). The next round draws around the mean of those, half a step nearer each time.
            A candidate is judged by where the later half of what it has learned leads to: a line through the figures of its parts,
            read at its end, because high rates that win early lose later.

            At last the mean of the last round and its best candidate meet the configuration as it is, each with three seeds. The
            configuration is changed only if one of them is better by four standard errors over the parts of the stream, and still
            is at the end. The winner goes into --out, a configuration for `factord --config`; then it and the configuration that it came
            from learn the stream anew and are judged on what comes after the prefix, which the search never saw.

            By --by they are compared: rmse for squared loss, else ndcg, of each event's item among 99 drawn ones, or of about 20,000
            events of a longer prefix (other numbers of negatives make other log losses). More negatives and a higher rank may well
            be better; they also cost time with each event.

            Example: factorctl evaluate tune ml-100k.inter.tsv.gz --type rating --config Deploy/ratings.yaml --out tuned.yaml
            """)

    @OptionGroup var quality: QualityArguments

    @Option(help: ArgumentHelp("The configuration that is written.", valueName: "file"))
    var out: String
    @Option(help: "Share of the events that the search sees.")
    var prefix = 0.5
    @Option(help: "Candidates of each round.")
    var trials = 24
    @Option(help: "Rounds.")
    var rounds = 3
    @Option(help: ArgumentHelp("rmse, mae, log_loss, auc, recall, ndcg or mrr.", valueName: "figure"))
    var by: SuccessiveHalving.Objective?
    @Option(help: "Draws the candidates.")
    var seed: UInt64 = 1
    @Flag(inversion: .prefixedNo, help: "Judge winner and configuration on the rest of the stream.")
    var judge = true

    @Option(help: ArgumentHelp("The configuration to begin with; defaults without.", valueName: "file"))
    var config: String?
    @Option(name: .customLong("set"), parsing: .singleValue, help: ArgumentHelp("Set one key of it.", valueName: "key=value"))
    var settings: [String] = []
    @OptionGroup var output: OutputOptions

    /// Standard errors. The best of seventy tries that are all alike gets to three by luck, over ten parts.
    private static let leastLead = 4.0
    private static let seedsOfFinalists: UInt64 = 3
    /// As many ranked events of a prefix tell candidates apart.
    private static let rankedEvents = 20_000

    func validate() throws {
        guard prefix > 0, prefix < 1 else { throw ValidationError("--prefix: between 0 and 1") }
        guard (4...1000).contains(trials), (1...20).contains(rounds) else { throw ValidationError("--trials: 4 to 1000, --rounds: 1 to 20") }
    }

    func run() throws {
        try interruptible {
            let base = try load([])
            let objective = by ?? (base.models[0].loss == .squared ? .rmse : .ndcg)
            var evaluation = try quality.evaluation()
            let whole = evaluation.records
            let seen = Int((Double(evaluation.events.count) * prefix).rounded())
            if [.recall, .ndcg, .mrr].contains(objective), evaluation.ranking == nil {
                evaluation.ranking = .init(every: seen / EvaluateTune.rankedEvents, others: 99)
            }
            evaluation.records = whole.prefix(events: seen)
            let tuned = TunedSettings(base.models[0])
            let best = try search(SuccessiveHalving(evaluation, by: objective), objective, tuned)
            try write(tuned.settings(at: best))
            guard judge else { return }
            evaluation.records = whole
            evaluation.unjudged = prefix
            let table = QualityTable(evaluation, [
                .init(name: config.map { String($0.split(separator: "/").last ?? "") } ?? "default", settings: base),
                .init(name: tuned.name(at: best), settings: try load(tuned.settings(at: best))),
            ])
            table.show(json: output.json)
        }
    }

    private func search(_ halving: SuccessiveHalving, _ objective: SuccessiveHalving.Objective, _ tuned: TunedSettings) throws -> [Double] {
        var search = SettingsSearch(dimensions: tuned.count, seed: seed), best = search.centre
        let start = search.centre
        for round in 1...rounds {
            let places = [search.centre] + search.draw(trials - 1)
            // Other seeds each time: what is lucky with one is not with the next.
            let engines = try places.map { [try load(tuned.settings(at: $0), seed: UInt64(round))] }
            let rungs = try halving.run(engines, steps: 2) { try report($0, objective) { tuned.name(at: places[$0]) } }
            // The better half of those that came to the end.
            let better = rungs[1].candidates.prefix((rungs[1].candidates.count + 1) / 2).map { places[$0.number] }
            best = better[0]
            search.move(to: better)
        }
        let finalists = [start, search.centre, best]
        let engines = try finalists.map { place in try (1...EvaluateTune.seedsOfFinalists).map { try load(tuned.settings(at: place), seed: UInt64(rounds) + $0) } }
        let end = try halving.run(engines, steps: 1) { try report($0, objective) { tuned.name(at: finalists[$0]) } }[0].candidates
        guard let asItIs = end.first(where: { $0.number == 0 }), let winner = end.first(where: { $0.number != 0 }),
            let gain = winner.gain(over: asItIs, by: objective), let lead = gain.lead
        else { return start }
        note("better than the configuration as it is by \(Quantity.fixed(gain.mean, 4)), \(Quantity.fixed(lead, 1)) standard errors; "
            + "at the end by \(Quantity.fixed(gain.end, 4))")
        guard lead > EvaluateTune.leastLead, gain.end > 0 else {
            note("no more than chance: it stays as it is")
            return start
        }
        return finalists[winner.number]
    }

    private func report(_ rung: SuccessiveHalving.Rung, _ objective: SuccessiveHalving.Objective, _ name: (Int) -> String) throws {
        try Interruption.check()
        let best = rung.candidates[0]
        note("\(Quantity.grouped(rung.events)) events, \(rung.candidates.count) candidates: best \(objective.rawValue) "
            + "\(best.value.map { Quantity.fixed($0, 4) } ?? "none"), \(name(best.number))")
    }

    /// - Parameter more: added to the seeds of the models.
    private func load(_ tuned: [(path: String, value: String)], seed more: UInt64 = 0) throws -> EngineSettings {
        let flags = try settings.map { try flag($0) } + tuned.map { ConfigurationSources.Flag(path: $0.path, value: $0.value, shown: "\($0.path)=\($0.value)") }
        var engine = try Configuration.load(ConfigurationSources(file: config, environment: [:], flags: flags)).configuration.engineSettings
        engine.trainers = 1
        for index in engine.models.indices { engine.models[index].seed &+= more }
        return engine
    }

    private func flag(_ setting: String) throws -> ConfigurationSources.Flag {
        let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw ValidationError("--set \(setting): write KEY=VALUE") }
        return ConfigurationSources.Flag(path: parts[0], value: parts[1], shown: "--set \(setting)")
    }

    private func write(_ tuned: [(path: String, value: String)]) throws {
        let given = try settings.map { setting in try (path: flag(setting).path, value: flag(setting).value) }
        let text = try Configuration.amended(yaml: config.map { try TextFile.read($0) } ?? "", file: config ?? "", settings: given + tuned)
        try TextFile.write(text, to: out)
        _ = try Configuration.load(ConfigurationSources(file: out, environment: [:], flags: []))
        note("Written: \(out)")
    }
}

extension SuccessiveHalving.Objective: ExpressibleByArgument {}
