import ArgumentParser
import LinuxSystem
import StreamTools

struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Generates a stream whose truth is known, and judges what the daemon makes of it.",
        discussion: """
            Users have tastes for topics, items belong to topics and have a Zipf popularity; titles such as "Sci-fi 17"
            let a person see whether recommendations make sense. The events go to the daemon, or into a file.

            Examples:
              factorctl simulate --events 200000 --evaluate
              factorctl simulate --ratings --out ratings.jsonl --titles-out titles.tsv
              factorctl simulate --events 400000 --drift flip --rate 20000 --evaluate
              factorctl simulate --events 200000 --no-publish --evaluate      (judge again, send nothing)
            """)

    @OptionGroup(title: "The stream") var stream: SimulationArguments

    @Option(help: ArgumentHelp("Write the events as JSON lines to a file (- is standard output); nothing is sent.", valueName: "file"))
    var out: String?

    @Option(help: ArgumentHelp("Write the items' titles and topics as tsv, for recommend --titles.", valueName: "file"))
    var titlesOut: String?

    @Flag(inversion: .prefixedNo, help: "Send the events.")
    var publish = true

    @Flag(help: "Ask for recommendations afterwards and compare them with the truth and with popularity.")
    var evaluate = false

    @Option(help: "Users to evaluate.")
    var evaluateUsers = 300

    @Option(help: "Length of the evaluated lists.")
    var depth = 10

    @Flag(inversion: .prefixedNo, help: "Show progress on standard error.")
    var progress = true

    @OptionGroup(title: "Sending") var sending: PublishArguments
    @OptionGroup(title: "Asking") var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard evaluateUsers >= 1, depth >= 1 else { throw ValidationError("--evaluate-users and --depth: at least 1") }
    }

    func run() throws {
        try interruptible {
            var simulation = try stream.simulation()
            if let titlesOut { try TextFile.write(simulation.catalogue().tabSeparated(), to: titlesOut) }
            var summary: [JSONTree.Member] = [JSONTree.Member(key: "events", value: .integer(Int64(stream.events)))]
            if let out {
                try generate(&simulation, to: try EventFile(path: out))
            } else if publish {
                let publisher = try sending.publisher()
                try generate(&simulation, to: publisher)
                let isDelivered = try publisher.finish()
                summary.append(JSONTree.Member(key: "delivered", value: .bool(isDelivered)))
                if !isDelivered { note("the daemon did not take the last messages in time; some may be lost") }
            } else {
                for _ in 0..<stream.events { _ = simulation.next() }
            }
            if evaluate { summary += try judge(simulation) }
            if output.json { say(JSONTree.object(summary).json) }
        }
    }

    private func generate(_ simulation: inout Simulation, to destination: any EventDestination) throws {
        var bar = ProgressBar(label: "simulated")
        for index in 0..<stream.events {
            try destination.take(simulation.datasetEvent(simulation.next()))
            if index & 255 == 0 {
                try Interruption.check()
                if progress { bar.update(events: index, fraction: Double(index) / Double(stream.events)) }
            }
        }
        try destination.flush()
        if progress { bar.finish(events: stream.events) }
    }

    private func judge(_ simulation: Simulation) throws -> [JSONTree.Member] {
        let client = try requests.client()
        if publish, out == nil, try client.waitUntilIdle() == nil { note("the daemon is still learning; judging all the same") }
        let evaluation = try SimulationEvaluation(
            asking: client, truth: simulation, userCount: evaluateUsers, depth: depth, seed: stream.seed)
        if !output.json { say(evaluation.rendered()) }
        return [JSONTree.Member(key: "evaluation", value: evaluation.json)]
    }
}

/// Where generated events go.
private protocol EventDestination {
    func take(_ event: DatasetEvent) throws
    func flush() throws
}

extension Publisher: EventDestination {
    fileprivate func take(_ event: DatasetEvent) throws { try publish(event) }
}

extension EventFile: EventDestination {
    fileprivate func take(_ event: DatasetEvent) throws { try append(event) }
}
