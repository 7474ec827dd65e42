import ArgumentParser
import StreamTools

struct Forget: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has the daemon forget a user, or an item, with all that is held of it.",
        discussion: """
            Answers no longer know it at once. With --erase no file holds it any more either, when the command ends: a snapshot
            is written, older ones and the journal so far are removed, and dead letters and explorations that may name it dropped.
            """)

    @Argument(help: "The id of a user, or with --item of an item.")
    var id: EventID

    @Flag(help: "The id is an item's.")
    var item = false

    @Flag(help: "Erase it from snapshots, journal, dead letters and explorations too, and say when that is done.")
    var erase = false

    @OptionGroup var admin: AdminOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try interruptible {
            let name: JSONTree =
                switch id {
                case .integer(let value): .integer(value)
                case .text(let value): .string(value)
                }
            let answer = try admin.client().call(
                "forget",
                .object([JSONTree.Member(key: item ? "item" : "user", value: name), JSONTree.Member(key: "erase", value: .bool(erase))]))
            if output.json { return say(answer.json) }
            var text = "forgotten at position \(answer["position"]?.integer ?? 0)"
            if let erased = answer["erased"] {
                text += "; erased: \(erased["snapshots"]?.integer ?? 0) snapshots, \(erased["segments"]?.integer ?? 0) journal segments, "
                    + "\(erased["dead_letters"]?.integer ?? 0) dead letters, \(erased["explorations"]?.integer ?? 0) explorations"
            }
            say(text)
        }
    }
}
