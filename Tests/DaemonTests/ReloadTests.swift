import Foundation
import Glibc
import StreamTools
import Testing
import ZeroMQ

/// A daemon with a configuration file that tests write anew.
private struct FiledDaemon {
    let daemon: DaemonProcess

    init(_ yaml: String, _ settings: [String] = ["state.journal.sync=always"]) throws {
        daemon = try DaemonProcess(settings, isStarted: false)
        daemon.configuration = daemon.folder + "/factord.yaml"
        try write(yaml)
        try daemon.start()
    }

    func write(_ yaml: String) throws { try Data(yaml.utf8).write(to: URL(fileURLWithPath: daemon.folder + "/factord.yaml")) }

    func reload() throws -> JSONTree { try daemon.adminClient().call("reload") }

    /// Why a reload was refused.
    func refusal() throws -> String {
        do {
            let answer = try reload()
            return "reloaded: \(answer.json)"
        } catch StreamToolsError.refused(_, _, let message) {
            return message
        }
    }

    /// Sends events, and waits until they are learned and durable.
    func teach(_ events: Range<Int>, upTo position: Int) throws {
        try daemon.sender().deliver(eventsJSON(events))
        try daemon.wait(for: position)
        let client = try daemon.client()
        let isDurable = try eventually { try client.call("ping")["durable"]?.integer ?? 0 >= position }
        #expect(isDurable)
    }
}

private func keys(_ changes: JSONTree?) -> [String] { (changes?.array ?? []).compactMap { $0["key"]?.string } }

@Suite("Reload")
struct ReloadTests {
    private static let users = (0..<10).map { "u\($0)" }, items = (0..<25).map { "i\($0)" }

    @Test("Live keys take effect, others are named and wait, and an unchanged file changes nothing")
    func live() throws {
        let filed = try FiledDaemon("log: {level: info}\nrequests: {max_body: 2KiB}\n")
        let daemon = filed.daemon
        let long = JSONTree.object([JSONTree.Member(key: "user", value: .string(String(repeating: "x", count: 3000))), JSONTree.Member(key: "items", value: .array([]))])
        #expect(throws: StreamToolsError.self) { try daemon.client().call("score", long) }
        try filed.write("log: {level: debug}\nrequests: {max_body: 8KiB, in_flight: 7}\nmodel: {rank: 64}\nthreads: {answerers: 3}\nstate: {snapshot: {interval: 1h}}\n")
        let answer = try filed.reload()
        #expect(keys(answer["changed"]) == ["requests.max_body", "requests.in_flight", "state.snapshot.interval", "log.level"])
        #expect(keys(answer["waiting"]).filter { !$0.hasPrefix("models") } == ["threads.answerers"])
        #expect(keys(answer["waiting"]).contains("models[0].rank"))
        #expect(answer["learned_otherwise_after"] == nil)
        #expect(answer["changed"]?.array?.first?["from"]?.string == "2KiB" && answer["changed"]?.array?.first?["to"]?.string == "8KiB")
        // Longer than the limit before, and than that of a name: an error of another kind.
        do { _ = try daemon.client().call("score", long) } catch StreamToolsError.refused(_, let code, _) { #expect(code == -32602) }
        #expect(try daemon.stats()["models"]?.array?.first?["rank"]?.integer == 32)
        let again = try filed.reload()
        #expect(keys(again["changed"]).isEmpty && keys(again["waiting"]) == keys(answer["waiting"]))
        #expect(daemon.log.contains("changed settings wait for a restart") && daemon.log.contains("threads.answerers: 1 → 3"))
    }

    @Test("A bad file changes nothing and says why, with line and key; so does one whose live keys need the others")
    func bad() throws {
        let filed = try FiledDaemon("requests: {max_body: 2KiB}\n")
        for (yaml, words) in [
            ("requests: {max_body: 8KiB}\nlog: {level: loud}\n", "factord.yaml:2: log.level"),
            ("requests: {max_body: 8KiB}\nmodel: {optimizer: {rate: 11}}\n", "factord.yaml:2: models[0].optimizer.rate"),
            ("requests: [\n", "not valid YAML"),
            ("requests: {max_body: 8MiB, max_message: 16MiB}\n", "requests.max_message"),
        ] {
            try filed.write(yaml)
            let refusal = try filed.refusal()
            #expect(refusal.contains(words) && refusal.contains("nothing has changed"), "\(refusal)")
        }
        try FileManager.default.removeItem(atPath: filed.daemon.folder + "/factord.yaml")
        #expect(try filed.refusal().contains("no such file"))
        try filed.write("requests: {max_body: 2KiB}\n")
        #expect(try keys(filed.reload()["changed"]).isEmpty)
        #expect(filed.daemon.log.contains("nothing has changed: mend what is wrong"))
    }

    @Test("SIGHUP reloads, and the service manager is told: RELOADING with the time, then READY", arguments: [true, false])
    func signal(isGood: Bool) throws {
        let daemon = try DaemonProcess(isStarted: false)
        daemon.configuration = daemon.folder + "/factord.yaml"
        try Data("log: {level: info}\n".utf8).write(to: URL(fileURLWithPath: daemon.configuration!))
        let notified = try DatagramSocket(daemon.folder + "/notify")
        let program = try RunningProgram(
            "factord", ["run"] + daemon.arguments, logs: daemon.folder, environment: ["NOTIFY_SOCKET": daemon.folder + "/notify"])
        func next(_ words: String) -> String? { eventually { notified.receive().flatMap { $0.contains(words) ? $0 : nil } } }
        #expect(next("READY=1") != nil)
        try Data((isGood ? "log: {level: debug}\n" : "log: {level: loud}\n").utf8).write(to: URL(fileURLWithPath: daemon.configuration!))
        let before = monotonicMicroseconds()
        program.signal(SIGHUP)
        let reloading = try #require(next("RELOADING=1"))
        let lines = reloading.split(separator: "\n")
        #expect(lines.count == 2 && lines[0] == "RELOADING=1")
        let time = try #require(Int64(lines[1].dropFirst("MONOTONIC_USEC=".count)))
        #expect(time >= before && time <= monotonicMicroseconds())
        #expect(next("READY=1") != nil)
        #expect(eventually { program.standardError.contains(isGood ? "configuration reloaded" : "was not reloaded") })
        program.signal(SIGTERM)
        #expect(try program.wait() == .exited(0))
    }

    /// The events before are learned at one rate and those after at another, whatever comes between: the state after a crash is
    /// that of before, bit for bit.
    @Test("A changed learning rate is part of the journal: kill -9 after a reload changes nothing", arguments: ["gates", "deterministic"], [0, 1, 2])
    func crash(mode: String, snapshots: Int) throws {
        func yaml(_ rate: Double) -> String { "model: {rank: 8, optimizer: {rate: \(rate)}, regularization: {user: \(rate / 10)}}\nstate: {snapshot: {interval: 0s, mode: \(mode)}}\n" }
        let filed = try FiledDaemon(yaml(0.05))
        let daemon = filed.daemon
        try filed.teach(0..<600, upTo: 600)
        if snapshots > 0 { try daemon.snapshot() }
        try filed.teach(600..<900, upTo: 900)
        try filed.write(yaml(0.11))
        let answer = try filed.reload()
        #expect(answer["learned_otherwise_after"]?.integer == 900)
        #expect(keys(answer["changed"]).contains("models[0].optimizer.rate_user"))
        try filed.teach(900..<1500, upTo: 1500)
        if snapshots > 1 { try daemon.snapshot() }
        // Back and forth, once with nothing learned between.
        try filed.write(yaml(0.02))
        _ = try filed.reload()
        try filed.write(yaml(0.07))
        _ = try filed.reload()
        try filed.teach(1500..<1800, upTo: 1800)
        let before = try daemon.opinion(of: Self.users, items: Self.items)
        try daemon.kill()
        try daemon.start()
        try daemon.wait(for: 1800)
        #expect(try daemon.opinion(of: Self.users, items: Self.items) == before)
        #expect(!daemon.log.contains("as it was caught"))
        // The same with the journal's last segment saying what nothing was learned under.
        try filed.write(yaml(0.09))
        _ = try filed.reload()
        try daemon.kill()
        try daemon.start()
        #expect(try daemon.opinion(of: Self.users, items: Self.items) == before)
        // And it did matter.
        let other = try FiledDaemon(yaml(0.05))
        try other.teach(0..<1800, upTo: 1800)
        #expect(try other.daemon.opinion(of: Self.users, items: Self.items) != before)
    }

    @Test("Reloads under load: nothing is lost, and a snapshot under way is waited for")
    func underLoad() throws {
        func yaml(_ rate: Double) -> String { "model: {rank: 8, optimizer: {rate: \(rate)}}\nstate: {snapshot: {interval: 0s}}\n" }
        let filed = try FiledDaemon(yaml(0.05), ["state.journal.sync=interval", "threads.trainers=2"])
        let daemon = filed.daemon, sender = try daemon.sender()
        for round in 0..<20 {
            try sender.deliver(eventsJSON(round * 300..<(round + 1) * 300))
            if round % 5 == 2 {
                daemon.program?.signal(SIGHUP)
                try daemon.snapshot()
            }
            try filed.write(yaml(round % 2 == 0 ? 0.06 : 0.05))
            #expect(try !keys(filed.reload()["changed"]).isEmpty)
        }
        try daemon.wait(for: 6000)
        #expect(try daemon.stop() == .exited(0))
        try daemon.start()
        #expect(try daemon.position() == 6000)
    }

    @Test("Keys are read anew: one that is gone opens nothing, one that is new does; a bad list changes nothing")
    func revocation() throws {
        let keyed = try KeyedDaemon()
        try keyed.daemon.start()
        #expect(try keyed.canAsk("query"))
        try keyed.unlist("query")
        try keyed.list("stranger", for: "query")
        // Until it is reloaded nothing has changed.
        #expect(try keyed.canAsk("query"))
        let reload = try keyed.factorctl(["reload", "--admin", keyed.admin], key: "admin")
        #expect(reload.poll() == .exited(0) && reload.standardOutput.contains("keys to query: 1 new, 1 gone, 1 in all"), "\(reload.standardOutput)\(reload.standardError)")
        #expect(try !keyed.canAsk("query"))
        #expect(try keyed.canAsk("stranger"))
        #expect(keyed.daemon.log.contains("keys have gone"))
        // Nobody else may reload.
        #expect(try keyed.factorctl(["reload", "--admin", keyed.admin, "--deadline", "1"], key: "query").poll() != .exited(0))
        let bad = keyed.folder + "/query.d/bad.pub"
        try Data("nonsense\n".utf8).write(to: URL(fileURLWithPath: bad))
        try keyed.unlist("stranger", for: "query")
        let refused = try keyed.factorctl(["reload", "--admin", keyed.admin], key: "admin")
        #expect(refused.poll() != .exited(0) && refused.standardError.contains("bad.pub"))
        #expect(try keyed.canAsk("stranger"))
    }
}

private func monotonicMicroseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
}

/// What a service manager listens on.
private final class DatagramSocket {
    private let descriptor: CInt

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard code == 0 else { throw Unexpected("cannot bind \(path): \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    func receive() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
