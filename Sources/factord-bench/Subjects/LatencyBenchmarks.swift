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

private func scoreRequest(user: Int, items: some Sequence<Int>, after: Int? = nil) -> [UInt8] {
    let list = items.map { "\($0)" }.joined(separator: ",")
    let wait = after.map { #","after":\#($0),"deadline_ms":5000"# } ?? ""
    return Array(#"{"jsonrpc":"2.0","id":1,"method":"score","params":{"user":\#(user),"items":[\#(list)]\#(wait)}}"#.utf8)
}

/// A daemon that has learned a little, for questions.
private func taughtDaemon(_ plan: Plan) throws -> DaemonProcess {
    let daemon = try DaemonProcess(plan)
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

/// Score round trips, one at a time, beside a bare libzmq echo of the same request and reply sizes.
func roundTripBenchmarks(_ plan: Plan) -> [Benchmark] {
    let transports = plan.daemon?.requests.map(\.transport) ?? ["tcp", "ipc"]
    let asks = plan.limited(plan.isQuick ? 2000 : 10_000)
    return transports.flatMap { transport in
        [1, 100].map { items in
            Benchmark("score/\(transport)/\(items) item\(items > 1 ? "s" : "")", percentileMetrics) {
                let daemon = try taughtDaemon(plan)
                let endpoint = daemon.endpoints.requests.first { $0.transport == transport }!.endpoint
                let asker = try Asker(endpoint)
                let request = scoreRequest(user: 1, items: 0..<items)
                _ = try asker.ask(request)
                guard asker.reply.contains(#""scores""#) else { throw BenchmarkError("the daemon answers \(asker.reply)") }
                let bare = try bareEndpoint(transport)
                let echo = try Echo(bare, replyBytes: asker.replyBytes), echoAsker = try Asker(bare)
                return Prepared(
                    sides: [
                        Side(name: "daemon") {
                            // Kept until the last round: it stops when nobody holds it.
                            try withExtendedLifetime(daemon) { summary(try (0..<asks).map { _ in try asker.ask(request) }) }
                        },
                        Side(name: "bare echo") {
                            try withExtendedLifetime(echo) { summary(try (0..<asks).map { _ in try echoAsker.ask(request) }) }
                        },
                    ], notes: ["request_bytes": Double(request.count), "reply_bytes": Double(asker.replyBytes)])
            }
        }
    }
}

private func bareEndpoint(_ transport: String) throws -> String {
    transport == "tcp" ? "tcp://127.0.0.1:\(try freePort())" : "ipc://@factord-bench-\(MonotonicClock.nanoseconds)"
}

/// From sending an event to a score that knows it, beside the echo's round trip under the same load.
func freshnessBenchmarks(_ plan: Plan) -> [Benchmark] {
    [0, 50_000].map { load in
        Benchmark("freshness/\(load == 0 ? "idle" : "50,000 events per s")", percentileMetrics) {
            let daemon = try taughtDaemon(plan)
            let pusher = try Pusher(daemon.endpoints.events), asker = try Asker(daemon.endpoints.requests[0].endpoint)
            let bare = try bareEndpoint("tcp")
            let echo = try Echo(bare, replyBytes: 100), echoAsker = try Asker(bare)
            // Fifty events a message, a thousand messages a second.
            let burst = Messages(.columnar, Workload.shared(large: false, quick: plan.isQuick).events.prefix(50), valued: false)
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
