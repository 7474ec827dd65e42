import ArgumentParser
import LinuxSystem
import StreamTools

struct Watch: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows live what the daemon does: rates, latencies, model quality, drops, queues, memory, storage.",
        discussion: """
            On a terminal the view is redrawn in place until ^C, in colours unless NO_COLOR is set; it shows as much as the
            window has room for, with trends since it began. Elsewhere a line is printed each time.

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
        var view = WatchView()
        var looks = 0
        while count.map({ looks < $0 }) ?? true {
            if looks > 0 { try Interruption.sleep(seconds: every) }
            looks += 1
            do {
                let stats = try client.call("stats")
                view.add(stats, nanoseconds: MonotonicClock.nanoseconds)
                if output.json {
                    say(stats.json)
                } else if isLive {
                    draw(view, endpoint: client.endpoint)
                } else {
                    say(StatsReport(stats).summary)
                }
            } catch {
                // A daemon that restarts is waited for; anything else a longer look does not heal.
                guard case .noAnswer = error else { throw error }
                if isLive { draw(["factord at \(client.endpoint)", "", "\(error)", "waiting for it…"]) } else { note("\(error)") }
            }
        }
    }

    /// Draws the view as the terminal is now.
    private func draw(_ view: WatchView, endpoint: String) {
        let size = Terminal.size(.output)
        draw(view.lines(
            title: "factord at \(endpoint), every \(Quantity.duration(seconds: every)), ^C ends", columns: size.columns, rows: size.rows - 1,
            isColoured: Terminal.hasColours(.output)))
    }

    /// Draws a frame in one write, so that it does not flicker: home, each line with its rest cleared, then all below.
    private func draw(_ lines: [String]) {
        Terminal.write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
    }
}
