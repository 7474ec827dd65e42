import ArgumentParser
import Factorization
import Glibc
import LinuxSystem
import StreamTools

/// Measures factord beside what the machine, plain C and bare libzmq can do in the same run.
@main
struct FactordBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "factord-bench",
        abstract: "Measures factord beside plain C and bare libzmq in the same run.",
        discussion: "See README.md beside the source for what each benchmark measures and against what.")

    @Option(help: "Only benchmarks whose name holds this text, or is it, after =; may be repeated.")
    var filter: [String] = []

    @Option(help: "Measured rounds of each benchmark, at least 5.")
    var rounds: Int = 7

    @Option(help: "Ranks, divided by commas; 8,16,32,64,128 where none are given.")
    var rank: String?

    @Option(help: "Also scaling, at these numbers of threads, divided by commas (also with --filter scaling; then 1,2,4,… up to the processors).")
    var threads: String?

    @Flag(help: "Smaller workloads, five rounds, ranks 16, 32 and 64 where none are given.")
    var quick = false

    @Flag(help: "Also the workloads that do not fit the cache (1M users × 100k items; about 4 GiB).")
    var large = false

    @Flag(help: "Print one JSON object a line instead of a table.")
    var json = false

    @Flag(help: "Only name the benchmarks.")
    var list = false

    @Option(help: "MiB of rows in the snapshot benchmarks; 2048, with --quick 256 where none are given.")
    var snapshot: Int?

    @Option(
        help: ArgumentHelp(
            "Measure a running daemon instead of starting one; none in use, for it learns made-up events of made-up ids for good.",
            valueName: "events,requests[,requests][,pid]"))
    var daemon: String?

    @Option(help: ArgumentHelp("Also write the report into this directory: report.html, table.txt, results.jsonl.", valueName: "directory"))
    var report: String?

    @Option(help: ArgumentHelp("A fact for the report, such as \"commit: 1a2b3c\"; may be repeated.", valueName: "name: value"))
    var fact: [String] = []

    @Option(help: "Events that go through ZeroMQ in a round of ingest and in the run at full rate, at most.")
    var events: Int?

    @Option(help: ArgumentHelp("Length of the run at full rate (soak); 600 with --large, 20 with --quick, else 60.", valueName: "seconds"))
    var soak: Int?

    func validate() throws {
        guard rounds >= 5 else { throw ValidationError("--rounds \(rounds): a median needs at least 5") }
        if let events, events < 1 { throw ValidationError("--events \(events): at least one") }
        if let soak, soak < 1 { throw ValidationError("--soak \(soak): at least a second") }
        let isGood = ranks.allSatisfy { $0 % 8 == 0 && ModelSettings.ranks.contains($0) } && !ranks.isEmpty
        guard isGood, ranks.count == rank?.split(separator: ",").count ?? ranks.count else {
            throw ValidationError("--rank \(rank ?? ""): write multiples of 8 from 8 to 512, divided by commas")
        }
        let most = Placement.shardCount
        guard threadNumbers.allSatisfy({ (1...most).contains($0) }), threadNumbers.count == threads?.split(separator: ",").count ?? threadNumbers.count
        else { throw ValidationError("--threads \(threads ?? ""): write numbers from 1 to \(most), divided by commas") }
    }

    private var ranks: [Int] {
        rank?.split(separator: ",").compactMap { Int($0) } ?? (quick ? [16, 32, 64] : [8, 16, 32, 64, 128])
    }

    private var threadNumbers: [Int] {
        if let threads { return threads.split(separator: ",").compactMap { Int($0) } }
        guard filter.contains(where: { $0.hasPrefix("scaling") }) else { return [] }
        let processors = Int(sysconf(CInt(_SC_NPROCESSORS_ONLN)))
        return (0...6).map { 1 << $0 }.filter { $0 == 1 || $0 <= processors }
    }

    func run() throws {
        let plan = Plan(
            ranks: ranks, threads: threadNumbers, isQuick: quick, isLarge: large, snapshotMebibytes: snapshot ?? (quick ? 256 : 2048),
            daemon: try daemon.map { try DaemonEndpoints($0) }, events: events, soakSeconds: soak ?? (large ? 600 : quick ? 20 : 60))
        let facts = MachineFacts.all + fact.map { fact in
            let colon = fact.firstIndex(of: ":") ?? fact.endIndex
            return (String(fact[..<colon]), String(fact[colon...].dropFirst().drop { $0 == " " }))
        }
        let chosen = allBenchmarks(plan).filter { benchmark in
            filter.isEmpty || filter.contains { $0.first == "=" ? "=" + benchmark.name == $0 : benchmark.name.contains($0) }
        }
        if list { return chosen.forEach { Terminal.write($0.name + "\n") } }
        guard !chosen.isEmpty else { throw BenchmarkError("no benchmark's name holds \(filter.joined(separator: " or "))") }
        var done: [Measurement] = [], failures = 0, isStopped = false
        Interruption.catchSignals()
        for (number, benchmark) in chosen.enumerated() where !isStopped {
            let place = "[\(number + 1)/\(chosen.count)]"
            do {
                let measured = try benchmark.run(rounds: quick ? min(rounds, 5) : rounds) { progress("\(place) \($0)") }
                done += measured
                if json { measured.forEach { Terminal.write($0.json + "\n") } }
            } catch StreamToolsError.interrupted {
                // What was measured until here stands.
                isStopped = true
                progress("")
                Terminal.write("Stopped: \(number) of \(chosen.count) benchmarks were measured.\n", to: .error)
            } catch {
                failures += 1
                progress("")
                Terminal.write("\(benchmark.name) failed: \(error)\n", to: .error)
            }
        }
        progress("")
        if !json { Terminal.write(table(done)) }
        if let report { try Report(measurements: done, facts: facts).write(to: report) }
        if isStopped { throw ExitCode(130) }
        if failures > 0 { throw ExitCode.failure }
    }

    private func allBenchmarks(_ plan: Plan) -> [Benchmark] {
        let outside = ingestBenchmarks(plan) + roundTripBenchmarks(plan) + pipelinedBenchmarks(plan) + freshnessBenchmarks(plan) + [soakBenchmark(plan)]
        if plan.daemon != nil { return outside }
        return memoryBenchmarks(plan) + budgetBenchmarks(plan) + kernelBenchmarks(plan) + trainingBenchmarks(plan) + scalingBenchmarks(plan)
            + retrievalBenchmarks(plan) + ruleBenchmarks(plan) + storageBenchmarks(plan) + historyBenchmarks(plan) + decodingBenchmarks(plan) + journalBenchmarks(plan) + journaledIngestBenchmarks(plan)
            + snapshotBenchmarks(plan) + recoveryBenchmarks(plan) + hostileBenchmarks(plan) + outside
    }
}

/// One line on standard error that the next one replaces; plain lines where no one watches.
func progress(_ text: String) {
    if isatty(STDERR_FILENO) == 1 {
        Terminal.write("\r\u{1B}[K" + text, to: .error)
    } else if !text.isEmpty {
        Terminal.write(text + "\n", to: .error)
    }
}
