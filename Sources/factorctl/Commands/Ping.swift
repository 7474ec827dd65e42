import ArgumentParser
import LinuxSystem
import StreamTools

struct Ping: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks whether the daemon answers, and how fast.",
        discussion: "Example: factorctl ping --count 5")

    @OptionGroup var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "How often to ask.")
    var count = 1

    func validate() throws {
        guard count >= 1 else { throw ValidationError("--count: at least 1") }
    }

    func run() throws {
        try interruptible {
            let client = try requests.client()
            for round in 0..<count {
                if round > 0 { try Interruption.sleep(seconds: 0.2) }
                let start = MonotonicClock.nanoseconds
                let result = try client.call("ping")
                let microseconds = Double(MonotonicClock.nanoseconds - start) / 1000
                if output.json {
                    say(JSONTree.object([
                        JSONTree.Member(key: "microseconds", value: .number(microseconds)),
                        JSONTree.Member(key: "result", value: result),
                    ]).json)
                } else {
                    say("\(client.endpoint) answers in \(Quantity.latency(microseconds: microseconds)): \(result.display)")
                }
            }
        }
    }
}
