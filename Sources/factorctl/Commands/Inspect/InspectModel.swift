import ArgumentParser
import FactordServer
import StreamTools

struct InspectModel: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Shows a model as a whole: how many numbers, spectra of its factors, sizes of rows by popularity.",
        discussion: """
            Of a snapshot (--state), or of the running daemon, which writes one for it. "Effective rank" is the exponential of the entropy
            of σ²/Σσ²: how many directions are in use, evenly counted; "stable rank" is Σσ²/σ₁²; "users × items" has the singular
            values of all scores ⟨u, v⟩ together. --plots DIR draws singular values and norms.

            Example: factorctl inspect model --state factord-state --plots factors
            """)

    @OptionGroup var source: StateSourceArguments
    @Option(help: "The model's name; the first without.")
    var model: String?
    @Option(help: ArgumentHelp("Directory for plots; made where it is missing.", valueName: "dir"))
    var plots: String?
    @OptionGroup var output: OutputOptions

    func run() throws {
        let engine = try source.read().engine
        let report = try ModelReport(engine, model: try source.model(model, in: engine))
        say(output.json ? report.tree.json : report.rendered)
        if let plots { try PlotFiles.write(report.plots, to: plots) }
    }
}
