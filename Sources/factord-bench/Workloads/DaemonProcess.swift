import Factorization
import FactordServer
import Glibc
import LinuxSystem
import StreamTools

/// Where a daemon is reached.
struct DaemonEndpoints {
    var events: String
    /// Transport name → endpoint of requests.
    var requests: [(transport: String, endpoint: String)]
    /// The process, where it is known: its processor time is then measured.
    var process: pid_t?

    /// `EVENTS,REQUESTS[,REQUESTS][,PID]`
    init(_ text: String) throws {
        var parts = text.split(separator: ",").map(String.init)
        process = parts.last.flatMap { pid_t($0) }
        if process != nil { parts.removeLast() }
        guard parts.count >= 2 else { throw BenchmarkError("--daemon \(text): write EVENTS,REQUESTS[,REQUESTS][,PID]") }
        events = parts[0]
        requests = parts.dropFirst().map { (String($0.prefix { $0 != ":" }), $0) }
    }
}

/// A daemon: one that runs already, or one started for the benchmark, which is stopped and cleared away at the end.
final class DaemonProcess {
    private(set) var endpoints: DaemonEndpoints
    private var client: RequestClient
    /// Of a daemon that was started.
    private(set) var admin: RequestClient?
    private var started: pid_t?
    /// What started it.
    private var arguments: [String] = []
    private var deadline = 20.0
    private(set) var directory: String?

    /// The model and what surrounds it in a daemon that is started: nothing is left to defaults, so that an engine in process
    /// can be made of the same text.
    static let settings = """
        model:
          {kind: mf, rank: 32, loss: logistic, unobserved: sampled, negatives: {count: 4, verified: true, popularity_exponent: 0},
          history: {length: 0}, refolding: {after: 0}}
        history: {held: 100, seen_limit: 10000}
        replay: {capacity: 0}
        threads: {receivers: 1, trainers: 1, pin: none}

        """

    /// Takes the daemon that the plan names, or starts one with `settings`. One that does not learn receives, decodes, resolves
    /// ids and hands over all the same.
    /// - Parameters:
    ///   - journal: whether it journals what it takes.
    ///   - queue: messages that the daemon's socket holds at most; nil for its default.
    ///   - snapshot: keys of state.snapshot.
    ///   - deadline: seconds that a call may take.
    ///   - descriptors: how many it may open at most; nil for as many as this process may.
    ///   - changes: settings that win over all others, as KEY=VALUE.
    init(
        _ plan: Plan, learns: Bool = true, journal: Bool = true, queue: Int? = nil,
        snapshot: String = "interval: 0s, on_shutdown: false", deadline: Double = 20, changes: [String] = [],
        descriptors: Int? = nil
    ) throws {
        if let endpoints = plan.daemon {
            self.endpoints = endpoints
            client = try RequestClient(endpoint: endpoints.requests[0].endpoint)
            _ = try client.call("ping")
            return
        }
        var template = Array("/tmp/factord-bench-\(String(repeating: "X", count: 6))".utf8CString)
        guard mkdtemp(&template) != nil else { throw BenchmarkError("no temporary directory can be made: errno \(errno)") }
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.directory = directory
        let events = "tcp://127.0.0.1:\(try freePort())", requests = "tcp://127.0.0.1:\(try freePort())"
        let socket = "ipc://\(directory)/requests.sock"
        try TextFile.write(
            """
            streams: [{name: bench, endpoint: "\(events)", pattern: pull\(queue.map { ", high_water_mark: \($0)" } ?? "")}]
            requests: {endpoints: ["\(requests)", "\(socket)"]}
            state: {directory: "\(directory)", snapshot: {\(snapshot)}, journal: {enabled: \(journal)}}
            http: {endpoint: "unix:\(directory)/http.sock"}
            log: {level: error}

            """ + DaemonProcess.settings + (learns ? "" : "events: {\"*\": {weight: 0, seen: false}}\n"), to: directory + "/factord.yaml")
        var command = [try siblingPath("factord"), "--config", directory + "/factord.yaml"] + changes.flatMap { ["--set", $0] }
        if let descriptors { command = ["/bin/sh", "-c", "ulimit -n \(descriptors); exec \"$@\"", "sh"] + command }
        arguments = command
        self.deadline = deadline
        let process = try spawn(arguments)
        started = process
        endpoints = try DaemonEndpoints("\(events),\(requests),\(socket),\(process)")
        client = try RequestClient(endpoint: requests, deadlineSeconds: 20)
        admin = try RequestClient(endpoint: "ipc://\(directory)/admin.sock", deadlineSeconds: deadline)
        _ = try client.call("ping")
    }

    deinit {
        if let started {
            kill(started, SIGTERM)
            var status: Int32 = 0
            waitpid(started, &status, 0)
        }
        if let directory {
            for name in ["factord.yaml", "requests.sock", "admin.sock", "http.sock"] { unlink("\(directory)/\(name)") }
            if let remover = try? spawn(["/bin/rm", "-rf", "--", directory]) {
                var status: Int32 = 0
                waitpid(remover, &status, 0)
            }
        }
    }

    /// Kills a daemon that was started, as a crash would, and starts it again on what it left. Answers the seconds until it
    /// answers requests.
    func restartAfterCrash() throws -> Double {
        guard let process = started, let directory else { throw BenchmarkError("a daemon that others started is not killed") }
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        let begin = MonotonicClock.nanoseconds, next = try spawn(arguments)
        started = next
        endpoints.process = next
        client = try RequestClient(endpoint: endpoints.requests[0].endpoint, deadlineSeconds: deadline)
        _ = try client.call("ping")
        let end = MonotonicClock.nanoseconds
        client.deadlineSeconds = 20
        admin = try RequestClient(endpoint: "ipc://\(directory)/admin.sock", deadlineSeconds: deadline)
        return Double(end - begin) / 1e9
    }

    /// An engine with the settings of a started daemon.
    static func engine() throws -> Engine {
        Engine(settings: try Configuration.load(yaml: settings, file: "the benchmark's settings").configuration.engineSettings)
    }

    /// The position up to which the daemon has learned.
    func position() throws -> Int {
        guard let position = try client.call("ping")["position"]?.integer else { throw BenchmarkError("ping tells no position") }
        return position
    }

    /// All that the daemon tells of itself.
    func stats() throws -> JSONTree { try client.call("stats") }

    /// Waits until a position is learned.
    func wait(for position: Int, timeout: Double = 120) throws {
        let deadline = MonotonicClock.nanoseconds + Int64(timeout * 1e9)
        while try self.position() < position {
            guard MonotonicClock.nanoseconds < deadline else { throw BenchmarkError("the daemon did not reach position \(position)") }
            // Seldom, so that asking takes next to nothing of the daemon's time.
            MonotonicClock.sleep(microseconds: 2000)
        }
    }
}

/// The path of a program that was built beside this one.
private func siblingPath(_ name: String) throws -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    guard count > 0 else { throw BenchmarkError("/proc/self/exe cannot be read") }
    let own = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let path = own[...own.lastIndex(of: "/")!] + name
    guard access(String(path), X_OK) == 0 else { throw BenchmarkError("\(path) is missing; build it: swift build -c release --product \(name)") }
    return String(path)
}

/// Runs a program and waits for its end.
func run(_ arguments: [String]) throws {
    let process = try spawn(arguments)
    var status: Int32 = 0
    waitpid(process, &status, 0)
    guard status == 0 else { throw BenchmarkError("\(arguments[0]) ended with status \(status)") }
}

private func spawn(_ arguments: [String]) throws -> pid_t {
    var process: pid_t = 0
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    let code = posix_spawn(&process, arguments[0], nil, nil, &pointers, environ)
    guard code == 0 else { throw BenchmarkError("\(arguments[0]) cannot be started: errno \(code)") }
    return process
}

/// A TCP port of this machine that was free a moment ago.
func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
        }
    }
    guard isBound else { throw BenchmarkError("no free port: errno \(errno)") }
    return Int(UInt16(bigEndian: address.sin_port))
}
