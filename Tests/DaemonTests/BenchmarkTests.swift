import Foundation
import StreamTools
import Testing

/// `factord-bench --daemon` measures a daemon that runs already, and writes its report.
@Suite struct BenchmarkTests {
    @Test func measuresADaemonThatRuns() throws {
        let daemon = try DaemonProcess()
        let report = daemon.folder + "/report", process = try #require(daemon.program).processID
        let program = try RunningProgram(
            "factord-bench",
            [
                "--daemon", "\(daemon.events),\(daemon.requests),\(process)", "--quick", "--events", "500", "--soak", "2",
                "--filter", "ingest/", "--filter", "score/ipc/1 item/idle", "--filter", "soak", "--json", "--report", report, "--fact", "commit: 1a2b",
            ],
            logs: daemon.folder)
        #expect(try program.wait(seconds: 300) == .exited(0), "\(program.standardError)")
        let lines = try program.standardOutput.split(separator: "\n").map { try parsed(String($0)) }
        // Every form of message, both ends' processor time, a round trip, and the run at full rate.
        func line(_ benchmark: String, _ metric: String) -> JSONTree? {
            lines.first { $0["benchmark"]?.string == benchmark && $0["metric"]?.string == metric }
        }
        for form in ["JSON single", "JSON single full", "JSON array", "columnar"] {
            let rate = try #require(line("ingest/\(form)", "rate")), time = try #require(line("ingest/\(form)", "processor time"))
            #expect(rate["median"]?.number ?? 0 > 0 && time["median"]?.number ?? 0 > 0, "\(form)")
            // Settings of a daemon that others started are not known: no engine stands beside it.
            #expect(rate["baselines"]?.array?.compactMap { $0["name"]?.string } == ["bare libzmq"])
        }
        #expect(line("score/ipc/1 item/idle", "p50") != nil && line("score/ipc/100 items/idle", "p50") == nil)
        #expect(line("soak", "unaccounted")?["median"]?.number == 0)
        let sent = try #require(line("soak", "rate")?["sent"]?.number)
        #expect(sent > 0 && line("soak", "rate")?["learned"]?.number == sent)
        // The daemon is still there, with all of it learned: nobody stopped or lost it.
        #expect(try Double(daemon.position()) > sent)
        let page = try String(contentsOfFile: report + "/report.html", encoding: .utf8)
        for part in ["1a2b", "What is asked for", "single-event JSON: wall rate", "<svg", "soak"] { #expect(page.contains(part), "\(part)") }
        let table = try String(contentsOfFile: report + "/table.txt", encoding: .utf8)
        #expect(table.contains("commit: 1a2b") && table.contains("ingest/columnar"))
    }

    @Test func saysWhatIsWrongWithItsArguments() throws {
        let daemon = try DaemonProcess(isStarted: false)
        for (arguments, word) in [
            (["--daemon", "tcp://127.0.0.1:1"], "EVENTS,REQUESTS"), (["--filter", "nothing like that"], "nothing like that"),
            (["--rounds", "2"], "at least 5"), (["--threads", "4,x"], "--threads 4,x"), (["--threads", "65"], "from 1 to 64"), (["--events", "0"], "--events 0"), (["--soak", "0"], "--soak 0"),
        ] {
            let program = try RunningProgram("factord-bench", arguments, logs: daemon.folder)
            #expect(try program.wait() != .exited(0), "\(arguments)")
            #expect(program.standardError.contains(word), "\(arguments): \(program.standardError)")
        }
    }
}
