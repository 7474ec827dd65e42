import Factorization
import Glibc
import LinuxSystem
import StreamTools
import Synchronization

/// A daemon at the full rate of a publisher on the same machine, for minutes: whether it slows down, grows, or loses anything
/// without counting it.
///
/// Columnar batches of 1M × 100k events, again and again, as fast as the daemon takes them. After so many rounds that every user's
/// history is full, which is growth that ends, rate, resident bytes, refusals by reason and the depth of the queues are sampled every
/// second; lines are fitted through rate and resident bytes, with 95 % confidence intervals of their slopes. At the end every event sent
/// must have been learned or counted under a reason.
func soakBenchmark(_ plan: Plan) -> Benchmark {
    let metrics = [
        Metric(name: "rate", unit: "events/s"), Metric(name: "rate, end ÷ start", unit: "×"),
        Metric(name: "resident", unit: "B", isRate: false), Metric(name: "resident, end ÷ start", unit: "×", isRate: false),
        Metric(name: "queue depth", unit: "records", isRate: false), Metric(name: "counted drops", unit: "events", isRate: false),
        Metric(name: "unaccounted", unit: "events", isRate: false),
    ]
    return Benchmark("soak", metrics, isOnce: true) {
        let events = Workload.sent(plan).events.prefix(plan.limited(plan.isQuick ? 100_000 : 1_000_000))
        let messages = Messages(.columnar, events, valued: false)
        // Messages of 64 KiB: by its default the socket would hold hundreds of MiB of them, and no one could see anything else grow.
        // Snapshots let the journal go, of which ten minutes are some 70 GB.
        let daemon = try DaemonProcess(plan, queue: 64, snapshot: "interval: 60s, on_shutdown: false")
        let record = Record()
        return Prepared(
            sides: [Side(name: "daemon") { try soak(daemon, messages, seconds: plan.soakSeconds, record) }],
            notes: ["seconds": Double(plan.soakSeconds), "bytes_per_event": Double(messages.byteCount) / Double(messages.eventCount)],
            record: record)
    }
}

/// Sends messages round and round on a thread of its own.
private final class Publisher: Sendable {
    /// Whole messages' events that were given to libzmq.
    let sent = Atomic<Int>(0)
    let isStopping = Atomic<Bool>(false)
    let failure = Lock<String?>(nil)
    private let pusher: Loan<Pusher>
    private let messages: Loan<Messages>

    init(_ endpoint: String, _ messages: Messages) throws {
        // Few, so that what is under way at the end is soon learned.
        pusher = Loan(try Pusher(endpoint, queue: 16))
        self.messages = Loan(messages)
    }

    func run() {
        do {
            let messages = messages.value
            while true {
                for message in 0..<messages.messageCount {
                    if isStopping.load(ordering: .relaxed) { return }
                    try pusher.value.send(messages, message: message)
                    sent.add(messages.events(in: message), ordering: .relaxed)
                }
            }
        } catch { failure.withLock { $0 = "\(error)" } }
    }

    /// An object that one thread uses at a time.
    private struct Loan<Value>: @unchecked Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }
}

/// What `stats` says of the daemon's accounts.
private struct Account {
    var learned = 0, dropped = 0, depth = 0
    var reasons: [String: Int] = [:]

    init(_ stats: JSONTree) {
        learned = stats["position"]?.integer ?? 0
        for member in stats["events"]?["rejected"]?.object ?? [] { reasons[member.key] = member.value.integer ?? 0 }
        dropped = reasons.values.reduce(0, +)
        depth = (stats["trainers"]?.array ?? []).reduce(0) { $0 + ($1["queue_depth"]?.integer ?? 0) }
    }
}

private func soak(_ daemon: DaemonProcess, _ messages: Messages, seconds: Int, _ record: Record) throws -> [Double] {
    let publisher = try Publisher(daemon.endpoints.events, messages), before = Account(try daemon.stats())
    let thread = try SystemThread(name: "publisher") { publisher.run() }
    defer {
        publisher.isStopping.store(true, ordering: .relaxed)
        thread.join()
    }
    try warmUp(daemon, messages, from: before)
    var rate = Series(name: "rate", unit: "events/s"), resident = Series(name: "resident", unit: "B")
    var depth = Series(name: "queue depth", unit: "records"), drops = Series(name: "counted drops", unit: "events")
    let start = MonotonicClock.nanoseconds
    var last = (time: start, account: Account(try daemon.stats()))
    while MonotonicClock.nanoseconds - start < Int64(seconds) * 1_000_000_000 {
        MonotonicClock.sleep(microseconds: 1_000_000)
        if let failure = publisher.failure.withLock({ $0 }) { throw BenchmarkError("the publisher: \(failure)") }
        let now = MonotonicClock.nanoseconds, account = Account(try daemon.stats()), time = Double(now - start) / 1e9
        rate.points.append((time, Double(account.learned - last.account.learned) / (Double(now - last.time) / 1e9)))
        depth.points.append((time, Double(account.depth)))
        drops.points.append((time, Double(account.dropped - before.dropped)))
        if let process = daemon.endpoints.process, let bytes = ResidentMemory.bytes(of: "\(process)") {
            resident.points.append((time, Double(bytes)))
        }
        last = (now, account)
        progress("soak: \(Int(time)) of \(seconds) s, \(Quantity.short(rate.points.last!.value)) events/s")
    }
    publisher.isStopping.store(true, ordering: .relaxed)
    let end = try settle(daemon, publisher, from: before)
    let sent = publisher.sent.load(ordering: .relaxed)
    let learned = end.learned - before.learned, dropped = end.dropped - before.dropped
    for (reason, count) in end.reasons where count > before.reasons[reason] ?? 0 {
        record.notes["dropped_\(reason)"] = Double(count - (before.reasons[reason] ?? 0))
    }
    record.series = [rate, resident, depth, drops].filter { !$0.points.isEmpty }
    let rateTrend = Trend(rate.points), residentTrend = Trend(resident.points)
    record.notes["rate_slope_per_minute"] = rateTrend.slope * 60
    record.notes["rate_slope_error_per_minute"] = rateTrend.slopeError * 60
    record.notes["resident_slope_per_minute"] = residentTrend.slope * 60
    record.notes["resident_slope_error_per_minute"] = residentTrend.slopeError * 60
    record.notes["sent"] = Double(sent)
    record.notes["learned"] = Double(learned)
    return [
        Spread(rate.points.map(\.value)).median, rateTrend.endOverStart,
        resident.points.isEmpty ? .nan : Spread(resident.points.map(\.value)).median, residentTrend.endOverStart,
        Spread(depth.points.map(\.value)).median, Double(dropped), Double(abs(sent - learned - dropped)),
    ]
}

/// Rounds after which a history has its full size, twice what it holds, and the memory of its smaller sizes was given back.
private let roundsToFull = 220

/// Until histories no longer grow; five minutes at most.
private func warmUp(_ daemon: DaemonProcess, _ messages: Messages, from before: Account) throws {
    let deadline = MonotonicClock.nanoseconds + 300_000_000_000
    while MonotonicClock.nanoseconds < deadline {
        MonotonicClock.sleep(microseconds: 1_000_000)
        let rounds = (Account(try daemon.stats()).learned - before.learned) / messages.eventCount
        progress("soak: warming up, round \(rounds) of \(roundsToFull)")
        if rounds >= roundsToFull { return }
    }
}

/// Waits until what was sent has arrived: until nothing more comes for two seconds.
private func settle(_ daemon: DaemonProcess, _ publisher: Publisher, from before: Account) throws -> Account {
    var last = Account(try daemon.stats()), quiet = 0
    while quiet < 20 {
        MonotonicClock.sleep(microseconds: 100_000)
        let account = Account(try daemon.stats())
        let isSame = account.learned == last.learned && account.dropped == last.dropped
        let isWhole = account.learned - before.learned + account.dropped - before.dropped == publisher.sent.load(ordering: .relaxed)
        quiet = isWhole ? 20 : isSame ? quiet + 1 : 0
        last = account
    }
    return last
}
