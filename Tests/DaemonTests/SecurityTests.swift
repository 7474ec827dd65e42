import FactordServer
import Foundation
import Glibc
import StreamTools
import Testing
import ZeroMQ

/// A daemon whose tcp endpoints ask for keys, and a key of each role.
final class KeyedDaemon {
    let daemon: DaemonProcess
    let events: String, requests: String, admin: String
    private(set) var secrets: [String] = []
    var folder: String { daemon.folder }

    init(_ settings: [String] = [], ipc: Bool = false) throws {
        daemon = try DaemonProcess(isStarted: false)
        let context = daemon.context
        (events, requests, admin) = (try freeTCPEndpoint(context), try freeTCPEndpoint(context), try freeTCPEndpoint(context))
        try makeKey("server")
        for role in ["publish", "query", "admin"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(role).d", withIntermediateDirectories: true)
            try makeKey(role)
            try list(role)
        }
        try makeKey("stranger")
        daemon.settings = [
            "security.server_key=\(folder)/server.key", "streams.0.endpoint=\(events)", "admin.endpoint=\(admin)",
            // The first is what the tests' own client asks without a key.
            "requests.endpoints=[\(daemon.requests), \(requests)]",
        ] + ["publish", "query", "admin"].map { "security.\($0)=\(folder)/\($0).d" } + settings
    }

    private func makeKey(_ name: String) throws {
        let pair = try CurveKeyPair()
        _ = try KeyFile.write(pair, to: "\(folder)/\(name)")
        secrets.append(pair.secretText)
    }

    /// Lets a key in to a role.
    func list(_ name: String, for role: String? = nil) throws {
        try FileManager.default.copyItem(atPath: "\(folder)/\(name).pub", toPath: "\(folder)/\(role ?? name).d/\(name).pub")
    }

    func unlist(_ name: String, for role: String? = nil) throws {
        try FileManager.default.removeItem(atPath: "\(folder)/\(role ?? name).d/\(name).pub")
    }

    /// Runs factorctl with a key, or with none.
    func factorctl(_ arguments: [String], key: String?) throws -> RunningProgram {
        let keys = key.map { ["--server-key", "\(folder)/server.pub", "--key", "\(folder)/\($0).key"] } ?? []
        let program = try RunningProgram("factorctl", arguments + keys, logs: folder)
        _ = try program.wait()
        return program
    }

    func canAsk(_ key: String?) throws -> Bool {
        try factorctl(["ping", "--json", "--requests", requests, "--deadline", "2"], key: key).poll() == .exited(0)
    }

    func canAdminister(_ key: String?) throws -> Bool {
        try factorctl(["snapshot", "take", "--json", "--admin", admin, "--deadline", "2"], key: key).poll() == .exited(0)
    }

    /// Whether an event gets through.
    func canPublish(_ key: String?) throws -> Bool {
        let before = try daemon.position(), file = "\(folder)/events.jsonl"
        try Data(#"{"user":"u","item":"i"}\#n"#.utf8).write(to: URL(fileURLWithPath: file))
        let program = try factorctl(["publish", file, "--format", "json", "--endpoint", events, "--patience", "1", "--no-progress", "--source", ""], key: key)
        guard program.poll() == .exited(0) else { return false }
        return eventually(seconds: 5) { (try? daemon.position()) ?? 0 > before }
    }
}

@Suite("Keys")
struct SecurityTests {
    @Test("Each role's key opens its own sockets and no other; a stranger's and none open nothing")
    func roles() throws {
        let keyed = try KeyedDaemon()
        try keyed.daemon.start()
        for key in ["publish", "query", "admin", "stranger", nil] {
            #expect(try keyed.canAsk(key) == (key == "query"), "\(key ?? "none")")
            #expect(try keyed.canAdminister(key) == (key == "admin"), "\(key ?? "none")")
            #expect(try keyed.canPublish(key) == (key == "publish"), "\(key ?? "none")")
        }
        let refusal = try keyed.factorctl(["ping", "--requests", keyed.requests], key: "stranger")
        #expect(refusal.standardError.contains("refuses this key"))
        let access = try keyed.daemon.stats()["access"]
        #expect(access?["keys_asked"]?.bool == true)
        for role in ["publish", "query", "admin"] {
            #expect(access?["keys"]?[role]?.integer == 1)
            #expect(access?["admitted"]?[role]?.integer ?? 0 >= 1)
            #expect(access?["turned_away"]?[role]?.integer ?? 0 >= 3)
        }
        #expect(try keyed.daemon.stop() == .exited(0))
        #expect(keyed.daemon.log.contains("a client was refused") && keyed.daemon.log.contains("security.query"))
    }

    @Test("No secret stands in the log, in stats, in the metrics or in what factorctl prints")
    func secrecy() throws {
        let keyed = try KeyedDaemon(["log.level=trace"])
        try keyed.daemon.start()
        var said = ""
        for key in ["query", "stranger"] {
            let program = try keyed.factorctl(["stats", "--json", "--requests", keyed.requests, "--deadline", "2"], key: key)
            said += program.standardOutput + program.standardError
        }
        said += try HTTPClient(path: keyed.daemon.http).ask("GET", "/metrics").body
        said += try keyed.daemon.client().call("stats").json
        #expect(try keyed.daemon.stop() == .exited(0))
        // A start that fails for its keys.
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: "\(keyed.folder)/server.key")
        said += keyed.daemon.log
        #expect(try keyed.daemon.launch().wait() == .exited(78))
        #expect(keyed.daemon.log.contains("security.server_key") && keyed.daemon.log.contains("chmod 600"))
        said += keyed.daemon.log
        #expect(said.contains("access"))
        for secret in keyed.secrets { #expect(!said.contains(secret)) }
    }

    @Test("Without keys, and with a list that is missing, the start is refused and says which setting")
    func refused() throws {
        let open = try DaemonProcess(["requests.endpoints=tcp://0.0.0.0:5599"], isStarted: false)
        #expect(try open.launch().wait() == .exited(78))
        #expect(open.log.contains("security.server_key") && open.log.contains("factorctl keygen"))
        let keyed = try KeyedDaemon(["security.admin=/nowhere/admin.d"])
        #expect(try keyed.daemon.launch().wait() == .exited(78))
        #expect(keyed.daemon.log.contains("security.admin: /nowhere/admin.d"))
        let credential = try KeyedDaemon(["security.server_key=credential:server.key"])
        #expect(try credential.daemon.launch().wait() == .exited(78))
        #expect(credential.daemon.log.contains("LoadCredential=server.key"))
    }

    @Test("A server key comes from systemd's credentials; ipc asks for keys where it is told to")
    func credentialAndIPC() throws {
        let keyed = try KeyedDaemon(["security.server_key=credential:server.key", "security.ipc=true"])
        let program = try RunningProgram(
            "factord", ["run"] + keyed.daemon.arguments, logs: keyed.folder, environment: ["CREDENTIALS_DIRECTORY": keyed.folder])
        defer { program.signal(SIGKILL) }
        let ipc = keyed.daemon.requests
        let isUp = try eventually {
            if let ending = program.poll() { throw Unexpected("\(ending): \(program.standardError)") }
            return try keyed.factorctl(["ping", "--ipc-keys", "--requests", ipc, "--deadline", "1"], key: "query").poll() == .exited(0)
        }
        #expect(isUp)
        for arguments in [["ping", "--requests", ipc], ["ping", "--requests", keyed.requests]] {
            #expect(try keyed.factorctl(arguments + ["--deadline", "1"], key: nil).poll() != .exited(0))
        }
        #expect(try keyed.factorctl(["ping", "--requests", ipc, "--deadline", "1"], key: "query").poll() != .exited(0), "without --ipc-keys")
    }

    @Test(
        "The Python clients to take along speak with keys, as people get them from keygen",
        .enabled(if: PythonTests.interpreter != nil, "no python3 here can import zmq; Deploy/dependencies installs it"))
    func python() throws {
        let keyed = try KeyedDaemon(["streams.0.pattern=acknowledged"])
        try keyed.daemon.start()
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        let python = try #require(PythonTests.interpreter), clients = root.path + "/Deploy/clients"
        let key = try KeyFile.publicKey("\(keyed.folder)/server.pub")
        let events = "\(keyed.folder)/events.jsonl"
        try Data(#"{"user":"ann","item":"alien"}\#n"#.utf8).write(to: URL(fileURLWithPath: events))
        let publisher = try RunningProgram(
            "/bin/sh", ["-c", "exec \(python) \(clients)/publish_acknowledged.py \(keyed.events) python < \(events)"], logs: keyed.folder,
            environment: ["FACTORD_SERVER_KEY": "\(key)", "FACTORD_KEY": "\(keyed.folder)/publish.key"])
        #expect(try publisher.wait() == .exited(0), "\(publisher.standardError)")
        #expect(publisher.standardOutput.contains(#""status": "ok""#))
        func ask(_ name: String) throws -> RunningProgram {
            let program = try RunningProgram(
                python, ["\(clients)/ask.py", keyed.requests, "score", #"{"user":"ann","items":["alien"]}"#], logs: keyed.folder,
                environment: ["FACTORD_SERVER_KEY": "\(keyed.folder)/server.pub", "FACTORD_KEY": "\(keyed.folder)/\(name).key"])
            _ = try program.wait()
            return program
        }
        let answer = try ask("query")
        #expect(answer.poll() == .exited(0) && answer.standardOutput.contains("scores"), "\(answer.standardError)")
        #expect(try ask("publish").standardError.contains("no answer"))
    }

    @Test("keygen writes a pair once, and says where")
    func keygen() throws {
        let daemon = try DaemonProcess(isStarted: false)
        let first = try RunningProgram("factorctl", ["keygen", "\(daemon.folder)/ann", "--json"], logs: daemon.folder)
        #expect(try first.wait() == .exited(0))
        let pair = try KeyFile.secret("\(daemon.folder)/ann.key")
        #expect(first.standardOutput.contains("\(pair.publicKey)") || first.standardOutput.contains("public_key"))
        #expect(!first.standardOutput.contains(pair.secretText))
        let second = try RunningProgram("factorctl", ["keygen", "\(daemon.folder)/ann"], logs: daemon.folder)
        #expect(try second.wait() != .exited(0))
        #expect(second.standardError.contains("never written over"))
    }
}
