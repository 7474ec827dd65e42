import Foundation
import Glibc
import StreamTools
import Testing
import ZeroMQ

/// Starts that must fail with a word and a status, and stops that must not.
@Suite("Life of the daemon")
struct LifecycleTests {
    @Test("SIGTERM and SIGINT end it with 0; SIGHUP does not end it")
    func signals() throws {
        let daemon = try DaemonProcess()
        daemon.program?.signal(SIGHUP)
        #expect(eventually { daemon.log.contains("configuration reloaded") })
        #expect(try daemon.position() == 0)
        #expect(try daemon.stop() == .exited(0))
        #expect(daemon.log.contains("final snapshot") && daemon.log.contains("stopped"))
        try daemon.start()
        daemon.program?.signal(SIGINT)
        #expect(try daemon.program?.wait() == .exited(0))
    }

    @Test("A port in use: status 71, and the log names the endpoint")
    func portInUse() throws {
        let daemon = try DaemonProcess(isStarted: false)
        let holder = try ZeroMQSocket(daemon.context, .rep)
        try holder.bind("tcp://127.0.0.1:*")
        let taken = try holder.lastEndpoint().description
        for key in ["streams.0.endpoint", "requests.endpoints", "admin.endpoint"] {
            daemon.settings = ["\(key)=\(taken)"]
            #expect(try daemon.launch().wait() == .exited(71), "\(key)")
            #expect(daemon.log.contains("cannot start") && daemon.log.contains(taken), "\(key): \(daemon.log)")
        }
        // What failed left nothing behind that keeps the next one from starting.
        daemon.settings = []
        try daemon.start()
    }

    @Test("A start that fails writes no snapshot, with and without earlier state")
    func failedStartWritesNothing() throws {
        let daemon = try DaemonProcess(isStarted: false)
        let holder = try ZeroMQSocket(daemon.context, .rep)
        try holder.bind("tcp://127.0.0.1:*")
        // The stream's endpoint is the last that is bound: all else runs by then.
        let taken = ["streams.0.endpoint=\(try holder.lastEndpoint())"]
        func fail() throws {
            daemon.settings = taken
            #expect(try daemon.launch().wait() == .exited(71))
            #expect(daemon.log.contains("cannot start") && !daemon.log.contains("final snapshot"), "\(daemon.log)")
        }
        try fail()
        #expect(try daemon.snapshotNames() == [])
        daemon.settings = []
        try daemon.start()
        try daemon.sender().deliver(eventsJSON(0..<100))
        try daemon.wait(for: 100)
        #expect(try daemon.stop() == .exited(0))
        let before = try daemon.snapshotNames()
        #expect(before.count == 1)
        try fail()
        #expect(try daemon.snapshotNames() == before)
    }

    @Test("A second daemon on the same state: status 71, and the log names the state and the first one")
    func stateInUse() throws {
        let first = try DaemonProcess(), second = try DaemonProcess(isStarted: false)
        second.settings = ["state.directory=\(first.state)"]
        let program = try RunningProgram("factord", second.arguments.filter { $0 != "--state" && $0 != second.state }, logs: second.folder)
        #expect(try program.wait() == .exited(71))
        let log = program.standardError
        #expect(log.contains("in use by process \(first.program?.processID ?? 0)") && log.contains(first.state), "\(log)")
        // The first one noticed nothing.
        #expect(try first.snapshot() == 0)
        // kill -9 leaves no lock behind.
        try first.kill()
        try first.start()
    }

    @Test("A state directory that cannot be made: status 71, and the log names it")
    func stateNotWritable() throws {
        let daemon = try DaemonProcess(isStarted: false)
        try "a file".write(toFile: daemon.state, atomically: true, encoding: .utf8)
        #expect(try daemon.launch().wait() == .exited(71))
        #expect(daemon.log.contains(daemon.state), "\(daemon.log)")
    }

    @Test("A wrong configuration: status 78, and every fault at once")
    func wrongConfiguration() throws {
        let daemon = try DaemonProcess(isStarted: false)
        let file = daemon.folder + "/factord.yaml"
        try "model: {rank: many, kind: svd}\nthreads: {trainer: 1}\nstreams: [{endpoint: \"udp://x:1\"}]\n"
            .write(toFile: file, atomically: true, encoding: .utf8)
        let run = try RunningProgram("factord", ["--config", file], logs: daemon.folder)
        #expect(try run.wait() == .exited(78))
        let check = try RunningProgram("factord", ["check", file], logs: daemon.folder)
        #expect(try check.wait() == .exited(78))
        for log in [run.standardError, check.standardError] {
            for fault in ["rank", "svd", "trainer", "udp://x:1", "factord.yaml:2"] { #expect(log.contains(fault), "\(fault) is not in \(log)") }
        }
        let json = try RunningProgram("factord", ["check", file, "--json"], logs: daemon.folder)
        #expect(try json.wait() == .exited(78))
        let outcome = try parsed(json.standardOutput)
        #expect(outcome["valid"]?.bool == false && outcome["faults"]?.array?.count == 4, "\(outcome.json)")
        let missing = try RunningProgram("factord", ["--config", file + "-not"], logs: daemon.folder)
        #expect(try missing.wait() == .exited(78))
        #expect(missing.standardError.contains("no such file"))
    }

    @Test("`factord check` finds the defaults in order, and its printed configuration too, unchanged")
    func check() throws {
        let daemon = try DaemonProcess(isStarted: false)
        let check = try RunningProgram("factord", ["check"], logs: daemon.folder)
        #expect(try check.wait() == .exited(0))
        #expect(check.standardOutput.contains("in order"))
        let print = try RunningProgram("factord", ["check", "--print"] + daemon.arguments, logs: daemon.folder)
        #expect(try print.wait() == .exited(0))
        let file = daemon.folder + "/printed.yaml"
        try print.standardOutput.write(toFile: file, atomically: true, encoding: .utf8)
        let again = try RunningProgram("factord", ["check", file, "--print"], logs: daemon.folder)
        #expect(try again.wait() == .exited(0))
        func settings(_ text: String) -> [Substring] { text.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("#") } }
        #expect(settings(again.standardOutput) == settings(print.standardOutput))
        // And the daemon runs on it.
        daemon.settings = []
        let run = try RunningProgram("factord", ["--config", file], logs: daemon.folder)
        #expect(eventually { (try? daemon.client(deadline: 0.5).call("ping")) != nil })
        run.signal(SIGTERM)
        #expect(try run.wait() == .exited(0), "\(run.standardError)")
    }

    @Test("SIGTERM under load: status 0, and all that was applied is in the final snapshot")
    func stopUnderLoad() throws {
        let daemon = try DaemonProcess(["threads.trainers=2"])
        for round in 0..<3 {
            let sender = try daemon.sender()
            let client = try RawClient(to: daemon.requests, daemon.context)
            for batch in 0..<40 {
                try sender.deliver(columnarFrames(batch * 2000..<(batch + 1) * 2000))
                try client.send(RequestTests.request("recommend", #"{"user":\#(batch),"n":50}"#))
            }
            let before = try daemon.position()
            #expect(try daemon.stop() == .exited(0), "\(daemon.log)")
            #expect(daemon.log.contains("final snapshot"))
            try sender.setLinger(milliseconds: 0)
            sender.close()
            try daemon.start()
            let after = try daemon.position()
            #expect(after >= before && after > 0, "round \(round): \(before), then \(after)")
        }
    }

    @Test("A stop without the time for a snapshot leaves it out, and nothing is lost; without a journal it is written all the same")
    func stopBudget() throws {
        let daemon = try DaemonProcess(["state.snapshot.stop_budget=0s"])
        try daemon.sender().deliver(eventsJSON(0..<500))
        try daemon.wait(for: 500)
        let users = ["u1", "u2", "u3"], items = ["i1", "i2", "i3"]
        let before = try daemon.opinion(of: users, items: items)
        #expect(try daemon.stop() == .exited(0))
        #expect(daemon.log.contains("no final snapshot") && daemon.log.contains("stop_budget"), "\(daemon.log)")
        #expect(try daemon.snapshotNames() == [])
        daemon.settings += ["state.journal.enabled=false"]
        try daemon.start()
        #expect(try daemon.opinion(of: users, items: items) == before)
        #expect(try daemon.stop() == .exited(0))
        #expect(daemon.log.contains("final snapshot ") && !daemon.log.contains("no final snapshot"), "\(daemon.log)")
    }

    @Test("Requests and events over TCP; hundreds of silent connections hinder nobody")
    func idleConnections() throws {
        let daemon = try DaemonProcess(isStarted: false)
        let requests = try freeTCPEndpoint(daemon.context), events = try freeTCPEndpoint(daemon.context)
        daemon.settings = ["requests.endpoints=\(requests),\(daemon.requests)", "streams.0.endpoint=\(events)"]
        try daemon.start()
        var silent: [Int32] = []
        defer { for descriptor in silent { close(descriptor) } }
        for endpoint in [requests, events] {
            let port = try #require(endpoint.split(separator: ":").last.flatMap { UInt16($0) })
            for _ in 0..<200 { silent.append(try connected(port: port)) }
        }
        let client = try RequestClient(endpoint: requests, deadlineSeconds: 30, context: daemon.context)
        #expect(try client.call("ping")["position"]?.integer == 0)
        try daemon.sender(events).deliver(eventsJSON(0..<100))
        try daemon.wait(for: 100)
        let answer = try client.call("score", ["user": "u1", "items": ["i1"], "after": 100])
        #expect(answer["late"] == nil && answer["position"]?.integer == 100)
        #expect(try daemon.stop() == .exited(0))
    }

    /// A TCP connection that says nothing.
    private func connected(port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard result == 0 else { throw Unexpected("no connection to port \(port): \(String(cString: strerror(errno)))") }
        return descriptor
    }

    @Test("A client that leaves thousands of replies unread loses some of them, and delays nobody")
    func slowClient() throws {
        let daemon = try DaemonProcess()
        try daemon.sender().deliver(eventsJSON(0..<2000, users: 100, items: 400))
        try daemon.wait(for: 2000)
        // Its own queue is small, so that what it does not read stays with the daemon.
        var options = SocketOptions.client
        options.receiveQueueMessages = 1
        options.sendQueueMessages = 10_000
        // A client that does not read does not see answers to its probes either, and would give its connection up.
        options.heartbeatIntervalMilliseconds = 0
        let slow = try RawClient(to: daemon.requests, daemon.context, options: options)
        let items = (0..<400).map { "\"i\($0)\"" }.joined(separator: ",")
        let other = try daemon.client()
        // Its own answers count too: those before, this one, a ping for each hundred, and each look below.
        var expected = try #require(try other.call("stats")["requests"]?["answered"]?.integer) + 1 + 3000 + 30
        for id in 0..<3000 {
            try slow.send(RequestTests.request("score", "{\"user\":\"u1\",\"items\":[\(items)]}", id: "\(id)"))
            if id % 100 == 0 { #expect(try other.call("ping")["position"]?.integer == 2000) }
        }
        let isDone = try eventually { () -> Bool in
            expected += 1
            return try other.call("stats")["requests"]?["answered"]?.integer == expected - 1
        }
        #expect(isDone)
        let dropped = try #require(try other.call("stats")["requests"]?["dropped"]?.integer)
        #expect(dropped > 0, "all 3000 replies found room: nothing was put to the test")
        // What it then reads is whole and in order.
        var last = -1
        for _ in 0..<(3000 - dropped) {
            let answer = try #require(try slow.answer())
            let id = try #require(answer["id"]?.integer)
            #expect(id > last && answer["result"]?["scores"]?.array?.count == 400)
            last = id
        }
        #expect(try slow.ask(RequestTests.good)["id"]?.string == "good")
    }
}
