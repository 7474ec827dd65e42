import CYardstick
import Factorization
import LinuxSystem

private let percentiles: [(String, Double)] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)]

private var percentileMetrics: [Metric] { percentiles.map { Metric(name: $0.0, unit: "µs", isRate: false) } }

/// The percentiles of times, by nearest rank.
private func summary(_ times: [Double]) -> [Double] {
    let sorted = times.sorted()
    return percentiles.map { sorted[min(sorted.count - 1, Int(Double(sorted.count) * $0.1))] }
}

func scoreRequest(user: Int, items: some Sequence<Int>, after: Int? = nil) -> [UInt8] {
    let list = items.map { "\($0)" }.joined(separator: ",")
    let wait = after.map { #","after":\#($0),"deadline_ms":5000"# } ?? ""
    return Array(#"{"jsonrpc":"2.0","id":1,"method":"score","params":{"user":\#(user),"items":[\#(list)]\#(wait)}}"#.utf8)
}

/// A daemon that has learned a little, for questions.
func taughtDaemon(_ plan: Plan, changes: [String] = [], descriptors: Int? = nil) throws -> DaemonProcess {
    let daemon = try DaemonProcess(plan, changes: changes, descriptors: descriptors)
    let messages = Messages(.columnar, (plan.events == nil ? Workload.shared(large: false, quick: plan.isQuick) : .sent(plan)).events.prefix(200_000), valued: false)
    let before = try daemon.position()
    try Pusher(daemon.endpoints.events).sendAndWait(messages, daemon, before)
    return daemon
}

extension Pusher {
    fileprivate func sendAndWait(_ messages: Messages, _ daemon: DaemonProcess, _ before: Int) throws {
        try send(messages)
        try daemon.wait(for: before + messages.eventCount)
    }
}

/// Events of the load beside requests: fifty a message.
private func loadMessages(_ plan: Plan) -> Messages {
    Messages(.columnar, Workload.shared(large: false, quick: plan.isQuick).events.prefix(50), valued: false)
}

private func loadName(_ load: Int) -> String { load == 0 ? "idle" : "50,000 events per s" }

/// Score round trips, one at a time, beside a bare libzmq echo of the same request and reply sizes, both idle and both while
/// the daemon learns.
func roundTripBenchmarks(_ plan: Plan) -> [Benchmark] {
    let transports = plan.daemon?.requests.map(\.transport) ?? ["tcp", "ipc"]
    let asks = plan.limited(plan.isQuick ? 2000 : 10_000)
    return transports.flatMap { transport in
        [1, 100].flatMap { items in
            [0, 50_000].map { load in
                Benchmark("score/\(transport)/\(items) item\(items > 1 ? "s" : "")/\(loadName(load))", percentileMetrics) {
                    let (daemon, asker, request) = try scorer(plan, transport, items: items)
                    let bare = try bareEndpoint(transport)
                    let echo = try Echo(bare, replyBytes: asker.replyBytes), echoAsker = try Asker(bare)
                    let messages = loadMessages(plan)
                    // Kept until the last round: the daemon stops when nobody holds it.
                    func measure(_ asker: Asker) throws -> [Double] {
                        let running = load > 0 ? try Load(daemon.endpoints.events, messages, timesPerSecond: Double(load) / 50) : nil
                        return try withExtendedLifetime((running, daemon, echo)) { summary(try (0..<asks).map { _ in try asker.ask(request) }) }
                    }
                    return Prepared(
                        sides: [Side(name: "daemon") { try measure(asker) }, Side(name: "bare echo") { try measure(echoAsker) }],
                        notes: ["request_bytes": Double(request.count), "reply_bytes": Double(asker.replyBytes)])
                }
            }
        }
    }
}

/// Requests answered a second where a client does not wait for each, beside the bare echo.
func pipelinedBenchmarks(_ plan: Plan) -> [Benchmark] {
    let transports = plan.daemon?.requests.map(\.transport) ?? ["tcp", "ipc"]
    return transports.flatMap { transport in
        [1, 100].map { items in
            Benchmark("pipelined/\(transport)/\(items) item\(items > 1 ? "s" : "")", [Metric(name: "requests", unit: "1/s"), Metric(name: "scores", unit: "1/s")]) {
                let (daemon, asker, request) = try scorer(plan, transport, items: items)
                let bare = try bareEndpoint(transport)
                let echo = try Echo(bare, replyBytes: asker.replyBytes), echoAsker = try Asker(bare)
                let count = plan.limited((plan.isQuick ? 40_000 : 200_000) / (items > 1 ? 4 : 1))
                func measure(_ asker: Asker) throws -> [Double] {
                    try withExtendedLifetime((daemon, echo)) {
                        let rate = Double(count) / (try asker.pipeline(request, count: count))
                        return [rate, rate * Double(items)]
                    }
                }
                return Prepared(
                    sides: [Side(name: "daemon") { try measure(asker) }, Side(name: "bare echo") { try measure(echoAsker) }],
                    notes: ["request_bytes": Double(request.count), "reply_bytes": Double(asker.replyBytes)])
            }
        }
    }
}

/// A daemon with something to tell, somebody to ask it, and a request that has been answered.
private func scorer(_ plan: Plan, _ transport: String, items: Int) throws -> (DaemonProcess, Asker, [UInt8]) {
    let daemon = try taughtDaemon(plan)
    let asker = try Asker(daemon.endpoints.requests.first { $0.transport == transport }!.endpoint)
    let request = scoreRequest(user: 1, items: 0..<items)
    _ = try asker.ask(request)
    guard asker.reply.contains(#""scores""#) else { throw BenchmarkError("the daemon answers \(asker.reply)") }
    return (daemon, asker, request)
}

private func bareEndpoint(_ transport: String) throws -> String {
    transport == "tcp" ? "tcp://127.0.0.1:\(try freePort())" : "ipc://@factord-bench-\(MonotonicClock.nanoseconds)"
}

/// From sending an event to a score that knows it, beside the echo's round trip under the same load.
func freshnessBenchmarks(_ plan: Plan) -> [Benchmark] {
    [0, 50_000].map { load in
        Benchmark("freshness/\(loadName(load))", percentileMetrics) {
            let daemon = try taughtDaemon(plan)
            let pusher = try Pusher(daemon.endpoints.events), asker = try Asker(daemon.endpoints.requests[0].endpoint)
            let bare = try bareEndpoint("tcp")
            let echo = try Echo(bare, replyBytes: 100), echoAsker = try Asker(bare)
            let burst = loadMessages(plan)
            let count = plan.isQuick ? 500 : 2000
            func loaded(_ body: () throws -> [Double]) throws -> [Double] {
                let running = load > 0 ? try Load(daemon.endpoints.events, burst, timesPerSecond: Double(load) / 50) : nil
                return try withExtendedLifetime((running, echo)) { try body() }
            }
            // Items that no one has seen: they are known as soon as their event is learned.
            var fresh = Int(MonotonicClock.nanoseconds)
            return Prepared(sides: [
                Side(name: load == 0 ? "event to score, after" : "event to score, asking again") {
                    try loaded {
                        var position = try daemon.position()
                        return summary(
                            try (0..<count).map { _ in
                                fresh += 1
                                position += 1
                                let event = Array(#"{"user":1,"item":\#(fresh)}"#.utf8)
                                let request = scoreRequest(user: 1, items: [fresh], after: load == 0 ? position : nil)
                                let start = MonotonicClock.nanoseconds
                                try pusher.send(event)
                                repeat { _ = try asker.ask(request) } while asker.reply.contains("unknown_items")
                                return Double(MonotonicClock.nanoseconds - start) / 1000
                            })
                    }
                },
                Side(name: "bare echo") {
                    let request = scoreRequest(user: 1, items: [fresh])
                    return try loaded { summary(try (0..<count).map { _ in try echoAsker.ask(request) }) }
                },
            ])
        }
    }
}
