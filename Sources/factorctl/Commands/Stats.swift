import ArgumentParser
import StreamTools

struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the daemon's counters, models and tables.",
        discussion: "Example: factorctl stats --json | jq .models")

    @OptionGroup var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let result = try requests.client().call("stats")
        if output.json { return say(result.json) }
        let text = StatsReport(result).rendered()
        say(text.isEmpty ? result.json : text)
    }
}
