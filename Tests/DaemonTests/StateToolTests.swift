import Foundation
import StreamTools
import Testing

/// States that `factorctl` makes and reads: trained offline, imported, exported, inspected.
@Suite("States offline")
struct StateToolTests {
    private func ctl(_ folder: String, _ arguments: [String], fails: Bool = false) throws -> RunningProgram {
        let program = try RunningProgram("factorctl", arguments, logs: folder)
        let ending = try program.wait(seconds: 120)
        if !fails, ending != .exited(0) { throw Unexpected("\(arguments): \(ending) \(program.standardError)") }
        return program
    }

    private func lines(_ count: Int, from first: Int = 0) throws -> String {
        var simulation = try Simulation(SimulationSettings(seed: 3, users: 80, items: 120, topics: 5))
        for _ in 0..<first { _ = simulation.next() }
        return (0..<count).map { index in
            let event = simulation.next()
            return #"{"user":"u\#(event.user)","item":\#(event.item),"time":\#(1_700_000_000 + first + index)}"#
        }.joined(separator: "\n") + "\n"
    }

    private func scores(_ daemon: DaemonProcess, _ users: [String], _ items: [Int]) throws -> [[Double]] {
        let client = try daemon.client()
        return try users.map { user in
            let answer = try client.call("score", ["user": .string(user), "items": .array(items.map { .integer(Int64($0)) })])
            return (answer["scores"]?.array ?? []).compactMap(\.number)
        }
    }

    @Test("What train learned in one pass is what a daemon learns, bit for bit, and it goes on alike; several passes keep the first one's metrics")
    func gradient() throws {
        let settings = ["models.0.rank=8", "models.1.name=other", "models.1.kind=fm", "models.1.rank=4"]
        let live = try DaemonProcess(settings), trained = try DaemonProcess(settings, isStarted: false)
        let file = live.folder + "/events.jsonl"
        try lines(6000).write(toFile: file, atomically: true, encoding: .utf8)
        let flags = settings.flatMap { ["--set", $0] }
        _ = try ctl(live.folder, ["train", file, "--out", trained.state] + flags)
        // A second state is not laid over the first.
        #expect(try ctl(live.folder, ["train", file, "--out", trained.state] + flags, fails: true).standardError.contains("holds a state already"))
        try trained.start()
        #expect(try trained.position() == 6000)
        let message = "[" + (try lines(6000)).split(separator: "\n").joined(separator: ",") + "]"
        try live.sender().deliver(message)
        try live.wait(for: 6000)
        let users = ["u1", "u7", "u33"], items = [1, 5, 20, 60, 119].map(String.init)
        #expect(try live.opinion(of: users, items: items) == trained.opinion(of: users, items: items))
        // Ranks of the stream's events are the daemon's own.
        func metrics(_ daemon: DaemonProcess) throws -> [[JSONTree]] {
            try (daemon.stats()["models"]?.array ?? []).map { ($0["prequential"]?.array ?? []).filter { $0["metric"]?.string?.contains("@") != true } }
        }
        #expect(try metrics(live) == metrics(trained) && metrics(live).count == 2)
        let more = "[" + (try lines(500, from: 6000)).split(separator: "\n").joined(separator: ",") + "]"
        for daemon in [live, trained] {
            try daemon.sender().deliver(more)
            try daemon.wait(for: 6500)
        }
        #expect(try live.opinion(of: users, items: items) == trained.opinion(of: users, items: items))
        // Three epochs: other scores, three times the positions, and metrics of when the events were new.
        let longer = try DaemonProcess(settings, isStarted: false)
        let table = try ctl(live.folder, ["train", file, "--epochs", "3", "--json", "--out", longer.state] + flags).standardOutput
        let losses = try table.split(separator: "\n").map { try parsed(String($0)) }.filter { $0["model"]?.string == "main" }.compactMap { $0["value"]?.number }
        #expect(losses.count == 3 && losses[2] < losses[0])
        try longer.start()
        #expect(try longer.position() == 18_000)
        let metric = try longer.stats()["models"]?.array?[0]["prequential"]?.array?[0]["value"]?.number
        #expect(abs((metric ?? 0) - losses[0]) < 1e-9)
    }

    @Test("Alternation: a daemon on its state gives labels of low rank back, and goes on learning", arguments: [("mf", 1), ("bilinear", 2)])
    func alternating(kind: String, rank: Int) throws {
        let settings = ["models.0.kind=\(kind)", "models.0.rank=\(rank)", "models.0.loss=squared", "models.0.history.length=0", "models.0.optimizer.rate=0.01", "events.*.label=value"]
        let daemon = try DaemonProcess(settings, isStarted: false)
        func label(_ user: Int, _ item: Int) -> Double { 3 + 0.1 * Double(user % 7) + (Double(user % 5) - 2) * (Double(item % 3) - 1) * 0.5 }
        var text = ""
        for user in 0..<40 { for item in 0..<30 where (user * 7 + item * 3) % 4 != 0 { text += #"{"user":"u\#(user)","item":\#(item),"value":\#(label(user, item))}"# + "\n" } }
        let file = daemon.folder + "/ratings.jsonl"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        _ = try ctl(daemon.folder, ["train", "als", file, "--passes", "60", "--ridge", "0.001", "--out", daemon.state] + settings.flatMap { ["--set", $0] })
        try daemon.start()
        // Every fourth pair was never seen.
        let found = try scores(daemon, (0..<40).map { "u\($0)" }, Array(0..<30))
        var worst = 0.0
        for user in 0..<40 { for item in 0..<30 { worst = max(worst, abs(found[user][item] - label(user, item))) } }
        #expect(worst < 0.02, "\(worst)")
        let before = try daemon.position()
        try daemon.sender().deliver((0..<200).map { #"{"user":"u3","item":\#($0 % 30),"value":9}"# }.joined(separator: "\n"))
        try daemon.wait(for: before + 200)
        let after = try scores(daemon, ["u3"], [4])[0][0]
        #expect(after > found[3][4] + 0.5 && after.isFinite, "\(found[3][4]) \(after)")
    }

    @Test("Alternation over implicit feedback fills a model with the interaction regulariser")
    func implicit() throws {
        let settings = ["models.0.rank=8", "models.0.unobserved=regularized", "models.0.history.length=0"]
        let daemon = try DaemonProcess(settings, isStarted: false)
        let file = daemon.folder + "/events.jsonl"
        try lines(5000).write(toFile: file, atomically: true, encoding: .utf8)
        let flags = settings.flatMap { ["--set", $0] }
        _ = try ctl(daemon.folder, ["train", "als", file, "--out", daemon.state] + flags)
        try daemon.start()
        let first = try daemon.client().call("recommend", ["user": "u3", "n": 10, "exclude_seen": false])
        #expect(first["items"]?.array?.count == 10 && first["fallback"] == nil, "\(first.json)")
        // Events score near 1, the catalogue near 0.
        let seen = try lines(5000).split(separator: "\n").map { try parsed(String($0)) }.filter { $0["user"]?.string == "u3" }.compactMap { $0["item"]?.integer }
        let own = try scores(daemon, ["u3"], Array(Set(seen)))[0], all = try scores(daemon, ["u3"], Array(0..<120))[0]
        let ownMean = own.reduce(0, +) / Double(own.count), allMean = all.reduce(0, +) / 120
        #expect(ownMean > 1.5 * allMean, "\(ownMean) \(allMean)")
        try daemon.sender().deliver("[" + (try lines(500, from: 5000)).split(separator: "\n").joined(separator: ",") + "]")
        try daemon.wait(for: 5500)
        #expect(try daemon.stats()["models"]?.array?[0]["rejected"]?.integer == 0)
        #expect(try ctl(daemon.folder, ["train", "als", file, "--out", daemon.folder + "/b"], fails: true).standardError.contains("model.history.length=0"))
    }

    @Test("Factors of implicit and of LightFM become a state that scores as they do; exported they are the same", arguments: [false, true])
    func factors(biased: Bool) throws {
        let daemon = try DaemonProcess(["models.0.rank=6"], isStarted: false)
        var source = RandomSource(seed: 4)
        func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in Float(source.unit() * 2 - 1) } }
        let users = FactorGroup(name: "users", ids: (0..<20).map { .text("u\($0)") }, rank: 6, factors: numbers(120), weights: biased ? numbers(20) : nil)
        let items = FactorGroup(name: "items", ids: (0..<30).map { .integer(Int64($0)) }, rank: 6, factors: numbers(180), weights: biased ? numbers(30) : nil)
        for group in [users, items] { _ = try FactorFormat.npy.write(group, to: daemon.folder) }
        var arguments = ["import", "factors", "--users", "users.npy", "--user-ids", "users.ids", "--items", "items.npy", "--out", "state"]
        if biased { arguments += ["--user-biases", "users.weights.npy", "--item-biases", "items.weights.npy"] }
        _ = try ctl(daemon.folder, arguments.map { ["users.npy", "users.ids", "items.npy", "state", "users.weights.npy", "items.weights.npy"].contains($0) ? "\(daemon.folder)/\($0)" : $0 })
        try daemon.start()
        let found = try scores(daemon, users.ids.map(\.description), Array(0..<30))
        for user in 0..<20 {
            for item in 0..<30 {
                let product = zip(users.row(user), items.row(item)).reduce(0) { $0 + Double($1.0) * Double($1.1) }
                let wanted = product + Double(users.weights?[user] ?? 0) + Double(items.weights?[item] ?? 0)
                #expect(abs(found[user][item] - wanted) < 1e-5)
            }
        }
        let list = try daemon.client().call("recommend", ["user": "u3", "n": 3])
        #expect(list["fallback"] == nil && list["items"]?.array?.count == 3)
        // From the running daemon, by a snapshot of its own.
        let out = daemon.folder + "/out"
        _ = try ctl(daemon.folder, ["export", "factors", "--admin", daemon.admin, "--out", out])
        let back = try FactorFormat.npy.read("users", path: out + "/users.npy", ids: out + "/users.ids", weights: out + "/users.weights.npy")
        #expect(back.factors == users.factors && back.ids == users.ids && back.weights == (users.weights ?? [Float](repeating: 0, count: 20)))
    }

    @Test("A model as a whole: counts by the formulas, spectra, norms; of a snapshot and of a running daemon")
    func wholeModel() throws {
        let daemon = try DaemonProcess(["models.0.kind=bilinear", "models.0.rank=5"])
        try daemon.sender().deliver(eventsJSON(0..<4000))
        try daemon.wait(for: 4000)
        for place in [["--admin", daemon.admin], ["--state", daemon.state]] {
            let report = try parsed(try ctl(daemon.folder, ["inspect", "model", "--json"] + place).standardOutput)
            #expect(report["users"]?.integer == 50 && report["items"]?.integer == 80)
            #expect(report["by_formula"]?.integer == 1 + (50 + 80 + 2 + 5) * 5 && report["parameters"]?.integer == 1 + (50 + 80 + 2 + 5) * 5, "\(report.json)")
            #expect(report["saturated"]?.integer == 1 + 50 + 80 + 50 * 80)
            let spectra = report["spectra"]?.array ?? []
            #expect(spectra.compactMap { $0["name"]?.string } == ["users", "items"])
            for spectrum in spectra {
                let rank = spectrum["effective_rank"]?.number ?? 0
                #expect(rank > 1 && rank <= 5 && spectrum["singular_values"]?.array?.count == 5)
            }
            #expect(report["norms"]?.array?.first?["tenths"]?.array?.count == 10)
        }
        // Drawn, as PNG too where rsvg-convert is there, and otherwise saying so.
        let plots = daemon.folder + "/plots", drawn = try ctl(daemon.folder, ["inspect", "model", "--state", daemon.state, "--plots", plots])
        #expect(drawn.standardOutput.contains("effective rank"))
        for name in ["spectrum", "norms"] {
            #expect(try String(contentsOfFile: "\(plots)/\(name).svg", encoding: .utf8).hasPrefix("<svg"))
            let picture = FileManager.default.contents(atPath: "\(plots)/\(name).png")
            #expect(picture.map { $0.starts(with: [0x89] + Array("PNG".utf8)) } ?? drawn.standardError.contains("librsvg2-bin"))
        }
    }

    @Test("Tuning finds better settings than bad ones, on events that it has not seen, and writes a configuration that the daemon takes; seeds repeat it")
    func tuned() throws {
        let folder = NSTemporaryDirectory() + "tune-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try lines(8000).write(toFile: folder + "/events.jsonl", atomically: true, encoding: .utf8)
        // Steps far too long.
        try "model: {kind: mf, rank: 8, optimizer: {rate: 0.5}}\nlog: {level: notice}\n".write(toFile: folder + "/base.yaml", atomically: true, encoding: .utf8)
        let arguments = [
            "evaluate", "tune", folder + "/events.jsonl", "--config", folder + "/base.yaml", "--by", "auc", "--trials", "8", "--rounds", "2",
            "--out", folder + "/tuned.yaml", "--json",
        ]
        let program = try ctl(folder, arguments)
        let rows = try program.standardOutput.split(separator: "\n").map { try parsed(String($0)) }
        #expect(rows.count == 2 && rows[0]["model"]?.string == "base.yaml")
        #expect(try #require(rows.last?["auc"]?.number) > #require(rows.first?["auc"]?.number) + 0.02, "\(program.standardError)")
        // Judged are the events after the prefix alone.
        #expect(rows.allSatisfy { $0["events"]?.integer == 4000 })
        let text = try String(contentsOfFile: folder + "/tuned.yaml", encoding: .utf8)
        #expect(text.contains("kind: mf") && text.contains("level: notice") && text.contains("rate_item:"))
        let check = try RunningProgram("factord", ["check", folder + "/tuned.yaml"], logs: folder)
        #expect(try check.wait() == .exited(0), "\(check.standardError)")
        // Whatever is left to chance is left to the seed.
        _ = try ctl(folder, arguments)
        #expect(try String(contentsOfFile: folder + "/tuned.yaml", encoding: .utf8) == text)
    }
}
