import Foundation
import Testing

/// Python's own ZeroMQ against the daemon, as people will use it.
@Suite("Python client")
struct PythonTests {
    /// A Python that can import zmq: $FACTORD_PYTHON, Debian's, or the first on PATH.
    static let interpreter: String? = {
        let environment = ProcessInfo.processInfo.environment
        let onPath = (environment["PATH"] ?? "").split(separator: ":").map { "\($0)/python3" }
        let candidates = [environment["FACTORD_PYTHON"], "/usr/bin/python3"].compactMap { $0 } + onPath
        return candidates.first { candidate in
            guard FileManager.default.isExecutableFile(atPath: candidate) else { return false }
            let probe = try? RunningProgram(candidate, ["-c", "import zmq"], logs: NSTemporaryDirectory())
            defer { probe?.removeLogs() }
            return (try? probe?.wait()) == .exited(0)
        }
    }()

    @Test(
        "A pyzmq client publishes in every form, reads its own writes, scores, recommends and pipelines",
        .enabled(if: PythonTests.interpreter != nil, "no python3 here can import zmq; Deploy/dependencies installs it"))
    func client() throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Python/client.py").path
        let daemon = try DaemonProcess()
        let client = try RunningProgram(
            try #require(PythonTests.interpreter), [script, daemon.events, daemon.requests], logs: daemon.folder)
        let ending = try client.wait(seconds: 120)
        #expect(ending == .exited(0), "\(client.standardError)\n\(daemon.log)")
        #expect(client.standardOutput.contains("all answers were right"))
        #expect(try daemon.stop() == .exited(0))
    }
}
