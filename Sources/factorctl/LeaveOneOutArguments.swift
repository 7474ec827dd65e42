import ArgumentParser
import StreamTools

/// A stream of interactions, and the events that are held out of it.
struct LeaveOneOutArguments: ParsableArguments {
    @Argument(help: "File of interactions: user and item, integers.")
    var stream: String

    @Option(help: "File of cases: user, held-out item, items to rank against.")
    var test: String?

    @Flag(name: .customLong("validate"), help: "Hold out each user's last event of the stream instead of reading a test file.")
    var holdsOut = false

    func validate() throws {
        if holdsOut == (test != nil) { throw ValidationError("give either --test FILE or --validate") }
    }

    /// What is learned, and what is asked afterwards.
    func read() throws -> (learned: InteractionFile, cases: LeaveOneOut) {
        let file = try InteractionFile(path: stream)
        if let test { return (file, try LeaveOneOut(path: test)) }
        let (learned, cases) = LeaveOneOut.split(file, seed: 1)
        return (learned, cases)
    }
}
