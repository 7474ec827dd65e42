import ArgumentParser
import LinuxSystem
import StreamTools

struct Watch: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows live what the daemon does: rates, queues, model quality, memory.",
        discussion: """
            On a terminal the view is redrawn in place until ^C; elsewhere a line is printed each time.

            Examples:
              factorctl watch
              factorctl watch --every 5 --json >> stats.jsonl
            """)

    @Option(help: "Seconds between looks.")
    var every: Double = 1

    @Option(help: "End after so many looks.")
    var count: Int?

    @OptionGroup var requests: RequestOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard every >= 0.05, every <= 86_400 else { throw ValidationError("--every: 0.05 to 86400 seconds") }
    }

    func run() throws {
        let client = try requests.client()
        client.deadlineSeconds = min(client.deadlineSeconds, max(1, every))
        let isLive = !output.json && Terminal.isInteractive(.output)
        // The alternate screen leaves the person's own untouched; the cursor would flicker.
        if isLive { Terminal.write("\u{1B}[?1049h\u{1B}[?25l") }
        defer { if isLive { Terminal.write("\u{1B}[?25h\u{1B}[?1049l") } }
        do {
            try interruptible { try look(client, isLive: isLive) }
        } catch let code as ExitCode where code.rawValue == 130 {
            // ^C is how a live view is meant to end.
            return
        }
    }

    private func look(_ client: RequestClient, isLive: Bool) throws {
        var history = StatsHistory(width: 40)
        var looks = 0
        while count.map({ looks < $0 }) ?? true {
            if looks > 0 { try Interruption.sleep(seconds: every) }
            looks += 1
            do {
                let stats = try client.call("stats")
                history.add(stats, nanoseconds: MonotonicClock.nanoseconds)
                if output.json {
                    say(stats.json)
                } else if isLive {
                    draw(history.rendered(stats), endpoint: client.endpoint)
                } else {
                    say(StatsReport(stats).summary)
                }
            } catch {
                // A daemon that restarts is waited for; anything else a longer look does not heal.
                guard case .noAnswer = error else { throw error }
                if isLive { draw("\(error)\nwaiting for it…\n", endpoint: client.endpoint) } else { note("\(error)") }
            }
        }
    }

    /// Draws a frame in one write, so that it does not flicker: home, each line with its rest cleared, then all below.
    private func draw(_ text: String, endpoint: String) {
        let size = Terminal.size(.output)
        let lines = ["factord at \(endpoint)    every \(Quantity.duration(seconds: every)), ^C ends", ""]
            + text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let visible = lines.prefix(size.rows - 1).map { String($0.prefix(size.columns)) + "\u{1B}[K" }
        Terminal.write("\u{1B}[H" + visible.joined(separator: "\r\n") + "\u{1B}[J")
    }
}
