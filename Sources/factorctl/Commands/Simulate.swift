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
              factorctl simulate --learning --evaluate --show 3
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

    @Flag(help: "After each tenth of the stream, print the daemon's recent metrics.")
    var learning = false

    @Option(help: ArgumentHelp("Print recommendations for so many users of median activity, beside their tastes.", valueName: "users"))
    var show = 0

    @Option(help: "Users to evaluate.")
    var evaluateUsers = 300

    @Option(help: "Length of the evaluated and shown lists.")
    var depth = 10

    @Flag(inversion: .prefixedNo, help: "Show progress on standard error.")
    var progress = true

    @OptionGroup(title: "Sending") var sending: PublishArguments
    @OptionGroup(title: "Asking") var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard evaluateUsers >= 1, depth >= 1 else { throw ValidationError("--evaluate-users and --depth: at least 1") }
        guard show >= 0 else { throw ValidationError("--show: not negative") }
        guard out == nil && publish || !learning else { throw ValidationError("--learning: the events must be sent") }
    }

    func run() throws {
        try interruptible {
            var simulation = try stream.simulation()
            if let titlesOut { try TextFile.write(simulation.catalogue().tabSeparated(), to: titlesOut) }
            var activity: [Int: Int] = [:]
            var summary: [JSONTree.Member] = [JSONTree.Member(key: "events", value: .integer(Int64(stream.events)))]
            if let out {
                try generate(&simulation, to: try EventFile(path: out), &activity)
            } else if publish {
                let client = try requests.client()
                // Counted before the first event, so that the end is known when it comes.
                let before = evaluate || show > 0 ? try client.receivedRecords() : 0
                let (publisher, _) = try sending.publisher(requests.keys)
                try generate(&simulation, to: publisher, &activity)
                let isDelivered = try publisher.finish()
                summary.append(JSONTree.Member(key: "delivered", value: .bool(isDelivered)))
                if !isDelivered { note("the daemon did not take the last messages in time; some may be lost") }
                if evaluate || show > 0, try client.waitUntilIdle(received: before + stream.events) == nil {
                    note("the daemon is still learning; judging all the same")
                }
            } else {
                for _ in 0..<stream.events { activity[simulation.next().user, default: 0] += 1 }
            }
            if evaluate { summary += try judge(simulation) }
            if output.json { say(JSONTree.object(summary).json) } else { try showTastes(simulation, activity) }
        }
    }

    /// - Parameter activity: gets each user's number of events.
    private func generate(_ simulation: inout Simulation, to destination: any EventDestination, _ activity: inout [Int: Int]) throws {
        var view = learning ? try LearningView(asking: try requests.client()) : nil
        var bar = ProgressBar(label: "simulated")
        for index in 0..<stream.events {
            let event = simulation.next()
            activity[event.user, default: 0] += 1
            try destination.take(simulation.datasetEvent(event))
            let fraction = Double(index + 1) / Double(stream.events)
            if let due = view?.isDue(fraction: fraction), due {
                try destination.flush()
                if progress { bar.giveWay() }
                try view?.show(events: index + 1, fraction: fraction)
            }
            if index & 255 == 0 {
                try Interruption.check()
                if progress { bar.update(done: index, fraction: fraction) }
            }
        }
        try destination.flush()
        if progress { bar.finish(done: stream.events) }
    }

    private func judge(_ simulation: Simulation) throws -> [JSONTree.Member] {
        let evaluation = try SimulationEvaluation(
            asking: try requests.client(), truth: simulation, userCount: evaluateUsers, depth: depth, seed: stream.seed)
        if !output.json { say(evaluation.rendered() + "\n") }
        return [JSONTree.Member(key: "evaluation", value: evaluation.json)]
    }

    private func showTastes(_ simulation: Simulation, _ activity: [Int: Int]) throws {
        guard show > 0 else { return }
        let client = try requests.client()
        let view = TasteView(truth: simulation)
        // Neither those of whom much is known nor those of whom little is: the usual case.
        let byActivity = activity.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        for (user, events) in byActivity.dropFirst(max(0, byActivity.count - show) / 2).prefix(show) {
            try view.show(user: user, events: events, count: depth, asking: client)
        }
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
