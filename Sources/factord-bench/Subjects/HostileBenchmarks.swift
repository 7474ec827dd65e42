import Glibc
import LinuxSystem
import Synchronization

private let metrics = [
    Metric(name: "p50", unit: "µs", isRate: false), Metric(name: "p99", unit: "µs", isRate: false), Metric(name: "longest", unit: "µs", isRate: false),
]

private func summary(_ times: [Double]) -> [Double] {
    let sorted = times.sorted()
    return [sorted[sorted.count / 2], sorted[min(sorted.count - 1, sorted.count * 99 / 100)], sorted[sorted.count - 1]]
}

/// What honest clients feel while others behave badly: round trips of `score` with ten items, by a client that is there already
/// and, over HTTP, by one that makes a connection for each request.
func hostileBenchmarks(_ plan: Plan) -> [Benchmark] {
    let count = plan.isQuick ? 1000 : 10_000
    return [
        hostile("unread replies", plan) { target, isOver in
            let flooder = try Asker(target.requests)
            // Answers of a kilobyte; more than the queue holds.
            try flooder.flood(target.long, count: 3000)
            while !isOver() { MonotonicClock.sleep(microseconds: 10_000) }
            withExtendedLifetime(flooder) {}
        },
        hostile("\(count) silent connections", plan) { target, isOver in
            beSilent(port: target.requestsPort, count: count, until: isOver)
        },
        hostile("\(count) silent connections, 400 descriptors", plan, descriptors: 400) { target, isOver in
            beSilent(port: target.requestsPort, count: count, until: isOver)
        },
        hostile("\(count) connect and close", plan) { target, isOver in
            for _ in 0..<count / 20 where !isOver() { _ = SilentConnections(port: target.requestsPort, count: 20) }
        },
        hostile("http, \(count) silent connections", plan, overHTTP: true) { target, isOver in
            beSilent(port: target.httpPort, count: count, until: isOver)
        },
        hostile("http, \(count) connect and close", plan, overHTTP: true) { target, isOver in
            for _ in 0..<count / 20 where !isOver() { _ = SilentConnections(port: target.httpPort, count: 20) }
        },
    ]
}

/// Connects so often, or as often as it gets through, and stays.
private func beSilent(port: Int, count: Int, until isOver: () -> Bool) {
    var silent: [SilentConnections] = []
    for _ in 0..<count / 20 where !isOver() { silent.append(SilentConnections(port: port, count: 20)) }
    while !isOver() { MonotonicClock.sleep(microseconds: 10_000) }
    withExtendedLifetime(silent) {}
}

/// Whom the hostile client meets.
private struct Target: Sendable {
    let requests: String
    let requestsPort: Int
    let httpPort: Int
    /// A request with a long answer.
    let long: [UInt8]
}

/// The sides are the same client before, meanwhile and a second after: the subject is the time in between.
private func hostile(
    _ name: String, _ plan: Plan, descriptors: Int? = nil, overHTTP: Bool = false, _ behave: @escaping @Sendable (Target, () -> Bool) throws -> Void
) -> Benchmark {
    Benchmark("hostile/\(name)", metrics, isOnce: true) {
        ProcessFacts.raiseDescriptorLimit(to: 65_536)
        let httpPort = try freePort()
        let daemon = try taughtDaemon(plan, changes: ["http.endpoint=tcp://127.0.0.1:\(httpPort)"], descriptors: descriptors)
        guard let requests = daemon.endpoints.requests.first(where: { $0.transport == "tcp" })?.endpoint,
            let port = Int(requests.split(separator: ":").last ?? "")
        else { throw BenchmarkError("no TCP endpoint of requests") }
        let target = Target(requests: requests, requestsPort: port, httpPort: httpPort, long: scoreRequest(user: 1, items: 0..<100))
        let asker = try Asker(requests), request = scoreRequest(user: 1, items: 0..<10)
        let http = HTTPAsker(port: httpPort, method: "score", #"{"user":1,"items":[0,1,2,3,4,5,6,7,8,9]}"#)
        func ask() throws -> Double { overHTTP ? try http.ask() : try asker.ask(request) }
        let isOver = Flag(), failed = Lock<String?>(nil)
        let asks = plan.limited(plan.isQuick ? 1000 : 5000)
        return Prepared(sides: [
            Side(name: "meanwhile") {
                let thread = try SystemThread(name: "hostile") {
                    do { try behave(target) { isOver.isSet } } catch { failed.withLock { $0 = "\(error)" } }
                }
                var times: [Double] = []
                let end = MonotonicClock.nanoseconds + 4_000_000_000
                while times.count < asks || MonotonicClock.nanoseconds < end {
                    times.append(try ask())
                    if times.count >= asks { MonotonicClock.sleep(microseconds: 500) }
                }
                isOver.isSet = true
                thread.join()
                if let failure = failed.withLock({ $0 }) { throw BenchmarkError(failure) }
                return summary(times)
            },
            Side(name: "a second after") {
                MonotonicClock.sleep(microseconds: 1_000_000)
                return try withExtendedLifetime(daemon) { summary(try (0..<asks).map { _ in try ask() }) }
            },
        ])
    }
}

/// A word between two threads.
private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool {
        get { value.load(ordering: .acquiring) }
        set { value.store(newValue, ordering: .releasing) }
    }
}
