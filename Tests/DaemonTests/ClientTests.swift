import Foundation
import StreamTools
import Testing

/// The clients to take along, in each language, against each method that only reads.
@Suite("Clients")
struct ClientTests {
    private static let folder: String = {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        return root.path + "/Deploy/clients"
    }()

    private static func program(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// A daemon that has learned something, and its port of HTTP.
    private func taught() throws -> (daemon: DaemonProcess, url: String) {
        let daemon = try DaemonProcess(isStarted: false)
        let port = try freeTCPEndpoint(daemon.context).split(separator: ":").last ?? ""
        daemon.settings = ["http.endpoint=tcp://127.0.0.1:\(port)"]
        try daemon.start()
        try daemon.sender().deliver(#"[{"user":"ann","item":"alien"},{"user":"ann","item":"brazil"},{"user":"bob","item":"casablanca"}]"#)
        try daemon.wait(for: 3)
        return (daemon, "http://127.0.0.1:\(port)")
    }

    /// Methods and example parameters as the OpenAPI document of the daemon has them.
    private func examples(_ daemon: DaemonProcess, _ url: String) throws -> [(method: String, params: String)] {
        let curl = try #require(ClientTests.program("curl"))
        let fetch = try RunningProgram(curl, ["--silent", "--fail", "\(url)/openapi.json"], logs: daemon.folder)
        #expect(try fetch.wait() == .exited(0))
        let paths = try #require(try parsed(fetch.standardOutput)["paths"]?.object)
        return paths.filter { $0.key.hasPrefix("/v1/") }.map { path in
            let body = path.value["post"]?["requestBody"]?["content"]?["application/json"]
            return (String(path.key.dropFirst(4)), body?["example"]?.json ?? "{}")
        }
    }

    /// Runs `command` with each method and its parameters behind, and once with a method that there is not.
    private func check(_ daemon: DaemonProcess, _ url: String, _ command: [String], errorStatus: Bool = true) throws {
        let examples = try examples(daemon, url)
        #expect(examples.contains { $0.method == "score" } && examples.count >= 4)
        for (method, params) in examples {
            let client = try RunningProgram(command[0], command.dropFirst() + [method, params], logs: daemon.folder)
            #expect(try client.wait(seconds: 120) == .exited(0), "\(command) \(method) \(params): \(client.standardError)")
            let answer = try parsed(client.standardOutput)
            #expect(answer["error"] == nil && (answer["result"] ?? answer).object?.isEmpty == false, "\(method): \(client.standardOutput)")
        }
        let wrong = try RunningProgram(command[0], command.dropFirst() + ["dance", "{}"], logs: daemon.folder)
        let ending = try wrong.wait(seconds: 120)
        #expect((wrong.standardOutput + wrong.standardError).contains("dance"))
        #expect(!errorStatus || ending != .exited(0))
    }

    @Test("Shell over HTTP", .enabled(if: ClientTests.program("curl") != nil, "there is no curl here"))
    func shell() throws {
        let (daemon, url) = try taught()
        try check(daemon, url, ["/bin/sh", ClientTests.folder + "/ask.sh", url])
        // What a browser sends that a page has led here by a name of its own.
        let led = try RunningProgram(
            ClientTests.program("curl") ?? "", ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--header", "Host: page.example", "\(url)/metrics"],
            logs: daemon.folder)
        #expect(try led.wait() == .exited(0) && led.standardOutput == "421")
    }

    @Test("Python", .enabled(if: PythonTests.interpreter != nil && ClientTests.program("curl") != nil, "no python3 here can import zmq"))
    func python() throws {
        let (daemon, url) = try taught()
        let python = try #require(PythonTests.interpreter)
        try check(daemon, url, [python, ClientTests.folder + "/ask.py", daemon.requests])
        // Columns, as the file offers them.
        let code = "import sys; sys.path.insert(0, '\(ClientTests.folder)'); import ask; print(ask.score_columns(ask.Client('\(daemon.requests)'), 'ann', range(1000)))"
        let columns = try RunningProgram(python, ["-c", code], logs: daemon.folder, environment: ["PYTHONDONTWRITEBYTECODE": "1"])
        #expect(try columns.wait() == .exited(0) && parsed(columns.standardOutput).array?.count == 1000, "\(columns.standardError)")
    }

    @Test("C", .enabled(if: ClientTests.program("cc") != nil && ClientTests.program("curl") != nil, "there is no C compiler here"))
    func c() throws {
        let (daemon, url) = try taught()
        let compiler = try RunningProgram(
            try #require(ClientTests.program("cc")), ["-Wall", "-Werror", "-o", daemon.folder + "/ask", ClientTests.folder + "/ask.c", "-lzmq"], logs: daemon.folder)
        #expect(try compiler.wait(seconds: 120) == .exited(0), "\(compiler.standardError)")
        // What it prints is the daemon's whole answer.
        try check(daemon, url, [daemon.folder + "/ask", daemon.requests], errorStatus: false)
    }

    @Test("Swift", .enabled(if: ClientTests.program("swiftc") != nil && ClientTests.program("curl") != nil, "there is no swiftc here"))
    func swift() throws {
        let (daemon, url) = try taught()
        let compiler = try RunningProgram(
            try #require(ClientTests.program("swiftc")), ["-parse-as-library", "-o", daemon.folder + "/ask", ClientTests.folder + "/ask.swift"], logs: daemon.folder)
        #expect(try compiler.wait(seconds: 300) == .exited(0), "\(compiler.standardError)")
        try check(daemon, url, [daemon.folder + "/ask", url])
    }
}
