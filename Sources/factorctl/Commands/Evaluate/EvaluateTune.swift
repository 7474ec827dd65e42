public import ArgumentParser
import FactordServer
import Factorization
public import StreamTools

struct EvaluateTune: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Searches settings on the beginning of a file or journal, and judges the found ones on the rest.",
        discussion: """
            Candidates are the configuration itself and draws around it: learning rates, rank, regularisation, and negatives where
            there are any. All learn the beginning of the prefix; the better third goes on to three times as much, and so on
            (successive halving), each judged on the later half of what it has learned. A second round draws around the first one's best.
            The configuration stays as it is unless the best is better by two standard errors over the parts of the stream.
            The first model of the configuration is the one that is tuned. The winner goes into --out, a configuration for `factord --config`; then it and the configuration
            that it came from learn the stream anew and are judged on what comes after the prefix, which the search never saw.

            By --by they are compared: rmse for squared loss, else ndcg, of each tenth event's item among 99 drawn ones (other
            numbers of negatives make other log losses).

            Example: factorctl evaluate tune ml-100k.inter.tsv.gz --type rating --config Deploy/ratings.yaml --out tuned.yaml
            """)

    @OptionGroup var quality: QualityArguments

    @Option(help: ArgumentHelp("The configuration that is written.", valueName: "file"))
    var out: String
    @Option(help: "Share of the events that the search sees.")
    var prefix = 0.5
    @Option(help: "Candidates of each round, the configuration itself included, which is never dropped.")
    var trials = 27
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

    /// Standard errors.
    private static let leastLead = 2.0

    func validate() throws {
        guard prefix > 0, prefix < 1 else { throw ValidationError("--prefix: between 0 and 1") }
        guard (3...729).contains(trials) else { throw ValidationError("--trials: 3 to 729") }
    }

    func run() throws {
        try interruptible {
            let base = try load([])
            let objective = by ?? (base.models[0].loss == .squared ? .rmse : .ndcg)
            var evaluation = try quality.evaluation()
            if [.recall, .ndcg, .mrr].contains(objective), evaluation.ranking == nil { evaluation.ranking = .init(every: 10, others: 99) }
            let whole = evaluation.records
            let events = evaluation.events.count, seen = Int((Double(events) * prefix).rounded())
            evaluation.records = TunedSettings.prefix(whole, events: seen)
            var best = TunedSettings.Candidate(name: "as it is", settings: [])
            for (round, spread) in [1, 0.5].enumerated() {
                let centre = try load(best.settings).models[0]
                let known = [TunedSettings.Candidate(name: "as it is", settings: [])] + (best.settings.isEmpty ? [] : [best])
                let drawn = TunedSettings.draw(around: centre, count: trials - known.count, spread: spread, seed: seed &+ UInt64(round))
                best = try search(evaluation, objective, known + drawn)
            }
            try write(best)
            guard judge else { return }
            evaluation.records = whole
            evaluation.unjudged = prefix
            let table = QualityTable(evaluation, [
                .init(name: config.map { String($0.split(separator: "/").last ?? "") } ?? "default", settings: base),
                .init(name: best.name, settings: try load(best.settings)),
            ])
            table.show(json: output.json)
        }
    }

    private func search(
        _ evaluation: PrequentialEvaluation, _ objective: SuccessiveHalving.Objective, _ candidates: [TunedSettings.Candidate]
    ) throws -> TunedSettings.Candidate {
        let engines = try candidates.map { try load($0.settings) }
        let rungs = try SuccessiveHalving(evaluation, by: objective).run(engines, keeping: [0]) { rung in
            try Interruption.check()
            let best = rung.candidates[0]
            note("\(Quantity.grouped(rung.events)) events, \(rung.candidates.count) candidates: best \(objective.rawValue) "
                + "\(best.value.map { Quantity.fixed($0, 4) } ?? "none"), \(candidates[best.number].name)")
        }
        guard let end = rungs.last?.candidates, let best = end.first, best.number != 0, let base = end.first(where: { $0.number == 0 }) else { return candidates[0] }
        // Over so few parts of a stream, two standard errors are little enough to ask for.
        guard let lead = best.lead(over: base, by: objective), lead > EvaluateTune.leastLead else {
            note("no more than chance over the configuration as it is")
            return candidates[0]
        }
        return candidates[best.number]
    }

    private func load(_ tuned: [(path: String, value: String)]) throws -> EngineSettings {
        let flags = try settings.map { try flag($0) } + tuned.map { ConfigurationSources.Flag(path: $0.path, value: $0.value, shown: "\($0.path)=\($0.value)") }
        var engine = try Configuration.load(ConfigurationSources(file: config, environment: [:], flags: flags)).configuration.engineSettings
        engine.trainers = 1
        return engine
    }

    private func flag(_ setting: String) throws -> ConfigurationSources.Flag {
        let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw ValidationError("--set \(setting): write KEY=VALUE") }
        return ConfigurationSources.Flag(path: parts[0], value: parts[1], shown: "--set \(setting)")
    }

    private func write(_ candidate: TunedSettings.Candidate) throws {
        let given = try settings.map { setting in try (path: flag(setting).path, value: flag(setting).value) }
        let text = try Configuration.amended(yaml: config.map { try TextFile.read($0) } ?? "", file: config ?? "", settings: given + candidate.settings)
        try TextFile.write(text, to: out)
        _ = try Configuration.load(ConfigurationSources(file: out, environment: [:], flags: []))
        note("Written: \(out)")
    }
}

extension SuccessiveHalving.Objective: ExpressibleByArgument {}
