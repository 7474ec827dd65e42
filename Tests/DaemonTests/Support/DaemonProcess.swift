import Foundation
import Glibc
import StreamTools
import ZeroMQ

/// A `factord` in a folder of its own, on ipc endpoints there. The folder goes with this object, and so does the daemon.
final class DaemonProcess {
    /// Holds the state, the sockets and the logs.
    let folder: String
    /// Set for every start.
    var settings: [String]
    /// A file for every start; may go once the daemon runs.
    var configuration: String?
    /// Variables beside the few that every program gets; set for every start.
    var environment: [String: String] = [:]
    private(set) var program: RunningProgram?
    /// Of the test's own sockets.
    let context: ZeroMQContext

    /// Starts it and waits until it answers.
    init(_ settings: [String] = [], isStarted: Bool = true) throws {
        // Short: an ipc path has at most 107 bytes.
        folder = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent("factord-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        self.settings = settings
        context = try ZeroMQContext()
        if isStarted { try start() }
    }

    deinit {
        program = nil
        try? FileManager.default.removeItem(atPath: folder)
    }

    var state: String { folder + "/state" }
    var snapshots: String { state + "/snapshots" }
    var events: String { "ipc://\(folder)/events" }
    var requests: String { "ipc://\(folder)/requests" }
    var admin: String { "ipc://\(folder)/admin" }
    /// A path.
    var http: String { folder + "/http" }

    /// The command line. What a test sets comes last and wins.
    var arguments: [String] {
        let own = ["streams.0.endpoint=\(events)", "requests.endpoints=\(requests)", "admin.endpoint=\(admin)", "http.endpoint=unix:\(http)", "threads.trainers=1"]
        return (configuration.map { ["--config", $0] } ?? []) + ["--state", state] + (own + settings).flatMap { ["--set", $0] }
    }

    /// All that the present daemon has logged.
    var log: String { program?.standardError ?? "" }

    /// Starts it without waiting: for starts that fail.
    @discardableResult
    func launch() throws -> RunningProgram {
        let launched = try RunningProgram("factord", ["run"] + arguments, logs: folder, environment: environment)
        program = launched
        return launched
    }

    func start() throws {
        let program = try launch()
        let client = try client(deadline: 0.5)
        let isReady = try eventually { () -> Bool in
            if let ending = program.poll() { throw Unexpected("the daemon \(ending) while starting:\n\(program.standardError)") }
            return (try? client.call("ping")) != nil
        }
        if !isReady { throw Unexpected("the daemon did not get ready:\n\(program.standardError)") }
    }

    /// SIGTERM, and how it ended.
    @discardableResult
    func stop() throws -> RunningProgram.Ending? {
        program?.signal(SIGTERM)
        return try program?.wait()
    }

    /// kill -9.
    func kill() throws {
        program?.signal(SIGKILL)
        _ = try program?.wait()
    }

    func restart() throws {
        guard try stop() == .exited(0) else { throw Unexpected("the daemon did not stop cleanly:\n\(log)") }
        try start()
    }

    // MARK: Talking to it

    func client(deadline: Double = 30) throws -> RequestClient {
        try RequestClient(endpoint: requests, deadlineSeconds: deadline, context: context)
    }

    func adminClient(deadline: Double = 60) throws -> RequestClient {
        try RequestClient(endpoint: admin, deadlineSeconds: deadline, context: context)
    }

    func stats() throws -> JSONTree { try client().call("stats") }

    /// Its position now.
    func position() throws -> Int {
        guard let position = try client().call("ping")["position"]?.integer else { throw Unexpected("a ping without position") }
        return position
    }

    /// Waits until it has applied everything up to a position.
    func wait(for position: Int) throws {
        let client = try client()
        var last = 0
        let isReached = try eventually { () -> Bool in
            last = try client.call("ping")["position"]?.integer ?? 0
            return last >= position
        }
        if !isReached { throw Unexpected("position \(position) was not reached, only \(last):\n\(log)\n\(try stats().json)") }
    }

    /// Has it write a snapshot; answers the position.
    @discardableResult
    func snapshot() throws -> Int {
        guard let position = try adminClient().call("snapshot")["position"]?.integer else { throw Unexpected("a snapshot without position") }
        return position
    }

    /// The names of the snapshots, oldest first.
    func snapshotNames() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: snapshots).filter { !$0.hasPrefix(".") && $0 != "quarantine" && !$0.contains("tmp") }.sorted()
    }

    /// A socket that sends into the stream.
    func sender(_ endpoint: String? = nil) throws -> ZeroMQSocket {
        let socket = try ZeroMQSocket(context, .push, options: .publisher)
        try socket.connect(endpoint ?? events)
        return socket
    }

    /// Which of the items the models do not know.
    func unknown(among items: [String]) throws -> [String] {
        let answer = try client().call("score", ["user": "nobody", "items": .array(items.map { .string($0) })])
        return (answer["unknown_items"]?.array ?? []).compactMap(\.integer).map { items[$0] }
    }

    /// What it answers about a user, without positions: equal answers mean equal state.
    func opinion(of users: [String], items: [String]) throws -> [JSONTree] {
        let client = try client()
        return try users.flatMap { user -> [JSONTree] in
            let scores = try client.call("score", ["user": .string(user), "items": .array(items.map { .string($0) })])
            let best = try client.call("recommend", ["user": .string(user), "n": 20])
            return [scores["scores"] ?? .null, best["items"] ?? .null]
        }
    }
}

/// A TCP endpoint of this machine that was free a moment ago.
func freeTCPEndpoint(_ context: ZeroMQContext) throws -> String {
    let socket = try ZeroMQSocket(context, .pull)
    defer { socket.close() }
    try socket.bind("tcp://127.0.0.1:*")
    return try socket.lastEndpoint().description
}
