import ArgumentParser
import StreamTools

struct Promote: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a model the one that answers where a request names none.",
        discussion: """
            Refused, with the evidence so far, unless the model was shown on the stream to be better than the one that answers
            (`promotion` in the configuration). The promotion is an event with a position: it outlives restarts.

            Example: factorctl promote b
            """)

    @Argument(help: "The model's name.")
    var model: String

    @Flag(help: "Without evidence, too.")
    var force = false

    @OptionGroup var admin: AdminOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let answer = try admin.client().call(
            "promote", .object([JSONTree.Member(key: "model", value: .string(model)), JSONTree.Member(key: "force", value: .bool(force))]))
        if output.json { return say(answer.json) }
        var text = "\(model) answers from position \(answer["position"]?.integer ?? 0) on"
        if let evidence = answer["evidence"], let events = evidence["events"]?.integer, let against = evidence["against"]?.string {
            text += "; \(Quantity.grouped(events)) events compared with \(against), ln of the evidence "
                + "\(Quantity.fixed(evidence["log_evidence"]?.number ?? 0, 2)) of \(Quantity.fixed(evidence["log_needed"]?.number ?? 0, 2)) needed"
        }
        say(text)
    }
}
