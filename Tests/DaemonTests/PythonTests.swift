import Foundation
import StreamTools
import Testing

/// Python's own ZeroMQ against the daemon, as people will use it.
@Suite("Python client")
struct PythonTests {
    static let interpreter = interpreter(importing: "zmq"), withArrays = interpreter(importing: "numpy")

    /// A Python that can import a module: $FACTORD_PYTHON, Debian's, or the first on PATH.
    private static func interpreter(importing module: String) -> String? {
        let environment = ProcessInfo.processInfo.environment
        let onPath = (environment["PATH"] ?? "").split(separator: ":").map { "\($0)/python3" }
        let candidates = [environment["FACTORD_PYTHON"], "/usr/bin/python3"].compactMap { $0 } + onPath
        return candidates.first { candidate in
            guard FileManager.default.isExecutableFile(atPath: candidate) else { return false }
            let probe = try? RunningProgram(candidate, ["-c", "import \(module)"], logs: NSTemporaryDirectory())
            defer { probe?.removeLogs() }
            return (try? probe?.wait()) == .exited(0)
        }
    }

    private static func script(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Python/\(name)").path
    }

    @Test(
        "A pyzmq client publishes in every form, reads its own writes, scores, recommends and pipelines",
        .enabled(if: PythonTests.interpreter != nil, "no python3 here can import zmq; Deploy/dependencies installs it"))
    func client() throws {
        let daemon = try DaemonProcess()
        let client = try RunningProgram(
            try #require(PythonTests.interpreter), [Self.script("client.py"), daemon.events, daemon.requests], logs: daemon.folder)
        let ending = try client.wait(seconds: 120)
        #expect(ending == .exited(0), "\(client.standardError)\n\(daemon.log)")
        #expect(client.standardOutput.contains("all answers were right"))
        #expect(try daemon.stop() == .exited(0))
    }

    @Test(
        "The publisher to take along delivers all, once, while the daemon is killed and comes back",
        .enabled(if: PythonTests.interpreter != nil, "no python3 here can import zmq; Deploy/dependencies installs it"))
    func acknowledged() throws {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        let daemon = try DaemonProcess(AcknowledgedTests.settings)
        let file = daemon.folder + "/events.jsonl", count = 60_000
        try (0..<count).map { #"{"user":"u\#($0 % 300)","item":"i\#($0)"}"# }.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
        let command = "exec \(try #require(PythonTests.interpreter)) \(root.path)/Deploy/clients/publish_acknowledged.py \(daemon.events) python < \(file)"
        let publisher = try RunningProgram("/bin/sh", ["-c", command], logs: daemon.folder)
        for _ in 0..<3 {
            usleep(300_000)
            try daemon.kill()
            try daemon.start()
        }
        #expect(try publisher.wait(seconds: 120) == .exited(0), "\(publisher.standardError)")
        let answers = publisher.standardOutput.split(separator: "\n")
        #expect(answers.count == count / 100)
        #expect(answers.allSatisfy { $0.contains(#""ok""#) || $0.contains(#""duplicate""#) })
        try daemon.kill()
        try daemon.start()
        #expect(try daemon.stats()["events"]?["accepted"]?.integer == count)
        #expect(try daemon.stats()["tables"]?["items"]?.integer == count)
    }

    @Test(
        "train als reaches, pass by pass, what plain normal equations in numpy reach: mf and bilinear",
        .enabled(if: PythonTests.withArrays != nil, "no python3 here can import numpy, Debian's python3-numpy"))
    func normalEquations() throws {
        let folder = NSTemporaryDirectory() + "als-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var simulation = try Simulation(SimulationSettings(seed: 5, users: 60, items: 40))
        let lines = (0..<1500).map { _ in
            let event = simulation.next()
            return "\(event.user)\t\(event.item)\t\((event.user * 7 + event.item * 3) % 5 + 1)"
        }
        try (["user\titem\trating"] + lines).joined(separator: "\n").appending("\n").write(toFile: folder + "/ratings.tsv", atomically: true, encoding: .utf8)
        let arguments = [Self.script("normal_equations.py"), "\(RunningProgram.folder)/factorctl", folder + "/ratings.tsv", "--rank", "3", "--passes", "4", "--ridge", "0.5"]
        let python = try RunningProgram(try #require(PythonTests.withArrays), arguments, logs: folder)
        #expect(try python.wait(seconds: 120) == .exited(0), "\(python.standardOutput)\(python.standardError)")
        #expect(python.standardOutput.split(separator: "\n").count == 9)
    }
}
