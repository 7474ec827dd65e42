import CYardstick
import Glibc
import LinuxSystem
import StreamTools
import Synchronization

/// Snapshots of a large model: what learning and answering feel of one under full load, and how fast one is written at all.
func snapshotBenchmarks(_ plan: Plan) -> [Benchmark] {
    let size = "\(plan.snapshotMebibytes) MiB"
    return [
        Benchmark(
            "snapshot/under load/\(size)",
            [
                Metric(name: "events a second without", unit: "/s"), Metric(name: "during", unit: "/s"),
                Metric(name: "events, whole", unit: "%"), Metric(name: "events, worst 100 ms", unit: "%"),
                Metric(name: "worst 100 ms without", unit: "%"), Metric(name: "windows below half", unit: "%", isRate: false),
                Metric(name: "the same without", unit: "%", isRate: false),
                Metric(name: "pause p50", unit: "ms", isRate: false), Metric(name: "pause p99.9", unit: "ms", isRate: false),
                Metric(name: "pause max", unit: "ms", isRate: false), Metric(name: "extra memory", unit: "MiB", isRate: false),
                Metric(name: "score p99, times idle", unit: "×", isRate: false), Metric(name: "seconds", unit: "s", isRate: false),
            ], isOnce: true
        ) {
            let daemon = try FullDaemon(plan, mebibytes: plan.snapshotMebibytes, snapshot: "interval: 0s, on_shutdown: false, mode: gates, rate: 64MiB")
            return Prepared(
                sides: [
                    Side(name: "all it can take") { try daemon.measureUnderLoad(share: nil) },
                    Side(name: "half of that") { try daemon.measureUnderLoad(share: 0.5) },
                ], notes: ["rows": Double(daemon.users)])
        },
        Benchmark(
            "snapshot/unlimited/\(size)",
            [
                Metric(name: "rate", unit: "MB/s"), Metric(name: "rate until durable", unit: "MB/s"),
                Metric(name: "longest pause", unit: "ms", isRate: false), Metric(name: "the same for 1 GB", unit: "ms", isRate: false),
            ]
        ) {
            func daemon(_ mode: String) throws -> FullDaemon {
                try FullDaemon(plan, mebibytes: plan.snapshotMebibytes, snapshot: "interval: 0s, on_shutdown: false, mode: \(mode), rate: 0, keep: 1")
            }
            let gates = try daemon("gates"), exact = try daemon("deterministic")
            return Prepared(sides: [
                Side(name: "gates") { try gates.measureAlone() }, Side(name: "deterministic") { try exact.measureAlone() },
                Side(name: "dd oflag=direct conv=fsync") { try gates.measureCopy() },
            ])
        },
    ]
}

/// A daemon whose users take so many bytes of rows.
final class FullDaemon {
    let daemon: DaemonProcess
    let users: Int
    let events: [yard_event]
    private let mebibytes: Int
    private static let items: UInt32 = 10_000
    /// Factors of rank 32 and a row's state.
    private static let rowBytes = 144

    init(_ plan: Plan, mebibytes: Int, snapshot: String) throws {
        self.mebibytes = mebibytes
        users = mebibytes << 20 / FullDaemon.rowBytes
        // Without lists, which would grow under load and be taken for memory of the snapshot.
        daemon = try DaemonProcess(plan, snapshot: snapshot, deadline: 600, changes: ["history.held=0", "history.seen_limit=0"])
        // Everybody once, in the order of their numbers.
        var filled = 0
        let pusher = try Pusher(daemon.endpoints.events)
        while filled < users {
            let count = min(1 << 20, users - filled)
            let part = (0..<count).map { yard_event(user: UInt32(filled + $0), item: UInt32(filled + $0) % FullDaemon.items, label: 1) }
            try pusher.send(Messages(.columnar, part[...], valued: false))
            filled += count
            try daemon.wait(for: filled, timeout: 600)
        }
        var number: UInt32 = 1
        let most = UInt32(users)
        events = (0..<1 << 18).map { _ in
            number = number &* 1_664_525 &+ 1_013_904_223
            return yard_event(user: UInt32((UInt64(number) * UInt64(most)) >> 32), item: (number >> 8) % FullDaemon.items, label: 1)
        }
    }

    /// Events a second without and during the snapshot; percent of without, over the snapshot and in its worst window, which is of interest beside the worst
    /// without a snapshot; pauses; memory; answers.
    /// - Parameter share: how much of the events a second that it can take are sent; nil for more than it can take.
    func measureUnderLoad(share: Double?) throws -> [Double] {
        let messages = Messages(.columnar, events[...], valued: false)
        let asker = try Asker(daemon.endpoints.requests[0].endpoint)
        let times = try share.map { try $0 * most(messages) / Double(events.count) } ?? 1000
        try waitUntilIdle()
        let load = try Load(daemon.endpoints.events, messages, timesPerSecond: times)
        return try withExtendedLifetime(load) {
            MonotonicClock.sleep(microseconds: 2_000_000)
            let before = try watch(asker, seconds: 15)
            let order = SnapshotOrder(daemon.admin)
            let thread = try SystemThread(name: "snapshot") { order.run() }
            let during = try watch(asker) { order.isDone }
            thread.join()
            if let failure = order.failure { throw BenchmarkError("no snapshot: \(failure)") }
            // A busy machine is not as fast at all times: the seconds before and after count alike.
            MonotonicClock.sleep(microseconds: 1_000_000)
            let base = before.joined(try watch(asker, seconds: 15))
            guard let report = try daemon.stats()["snapshot"] else { throw BenchmarkError("stats tell nothing of snapshots") }
            func number(_ key: String) -> Double { report[key]?.number ?? .nan }
            return [
                base.rate, during.rate, 100 * during.rate / base.rate, 100 * during.worst(base), 100 * base.worst(base),
                100 * during.shareBelowHalf(base), 100 * base.shareBelowHalf(base), number("pause_p50_ms"), number("pause_p999_ms"),
                number("pause_ms"), Double(max(during.memory - before.memory, 0)) / 0x1p20, during.p99 / base.p99, number("seconds"),
            ]
        }
    }

    /// Events a second where there are always more.
    private func most(_ messages: Messages) throws -> Double {
        let load = try Load(daemon.endpoints.events, messages, timesPerSecond: 1000)
        let rate = try withExtendedLifetime(load) {
            MonotonicClock.sleep(microseconds: 1_000_000)
            let first = try daemon.position(), start = MonotonicClock.nanoseconds
            MonotonicClock.sleep(microseconds: 4_000_000)
            return Double(try daemon.position() - first) * 1e9 / Double(MonotonicClock.nanoseconds - start)
        }
        return rate
    }

    /// What was sent and still lies in queues would count as load of the next measurement.
    private func waitUntilIdle() throws {
        var last = -1, position = try daemon.position()
        while position != last {
            MonotonicClock.sleep(microseconds: 500_000)
            (last, position) = (position, try daemon.position())
        }
    }

    private struct Watched {
        var rate = 0.0, p99 = 0.0, memory = 0
        /// Events a second in each 100 ms.
        var windows: [Double] = []

        /// Two of equal length as one.
        func joined(_ other: Watched) -> Watched {
            Watched(
                rate: (rate + other.rate) / 2, p99: (p99 + other.p99) / 2, memory: max(memory, other.memory), windows: windows + other.windows)
        }
        func worst(_ base: Watched) -> Double { (windows.min() ?? .nan) / base.rate }
        func shareBelowHalf(_ base: Watched) -> Double { Double(windows.count { $0 < base.rate / 2 }) / Double(max(windows.count, 1)) }
    }

    private func watch(_ asker: Asker, seconds: Int64) throws -> Watched {
        let end = MonotonicClock.nanoseconds + seconds * 1_000_000_000
        return try watch(asker) { MonotonicClock.nanoseconds >= end }
    }

    /// Looks at position and memory every 100 ms, and asks in between, until it is over.
    private func watch(_ asker: Asker, until isOver: () -> Bool) throws -> Watched {
        let request = Array(#"{"jsonrpc":"2.0","id":1,"method":"score","params":{"user":7,"items":[1,2,3,4,5,6,7,8,9,10]}}"#.utf8)
        var result = Watched(), times: [Double] = []
        let start = MonotonicClock.nanoseconds, first = try daemon.position()
        var windowStart = start, windowPosition = first
        while !isOver() {
            if MonotonicClock.nanoseconds - windowStart >= 100_000_000 {
                let position = try daemon.position(), end = MonotonicClock.nanoseconds
                result.windows.append(Double(position - windowPosition) * 1e9 / Double(end - windowStart))
                (windowStart, windowPosition) = (end, position)
                result.memory = max(result.memory, daemon.endpoints.process.flatMap { ResidentMemory.bytes(of: "\($0)") } ?? 0)
            }
            times.append(try asker.ask(request))
            MonotonicClock.sleep(microseconds: 500)
        }
        result.rate = Double(try daemon.position() - first) * 1e9 / Double(MonotonicClock.nanoseconds - start)
        times.sort()
        result.p99 = times.isEmpty ? 0 : times[min(times.count - 1, times.count * 99 / 100)]
        return result
    }

    /// Megabytes a second of a snapshot while nothing else is going on: with reading it back and removing the one before, and without; and the longest pause for
    /// a gigabyte.
    func measureAlone() throws -> [Double] {
        let written = try daemon.admin?.call("snapshot")
        guard let bytes = written?["bytes"]?.number, let seconds = written?["seconds"]?.number, let pause = written?["pause_ms"]?.number,
            let reading = written?["verify_seconds"]?.number, let pruning = written?["prune_seconds"]?.number
        else {
            throw BenchmarkError("the daemon says nothing of its snapshot")
        }
        return [bytes / seconds / 1e6, bytes / (seconds - reading - pruning) / 1e6, pause, pause * 1e9 / bytes]
    }

    /// Megabytes a second of `dd` of as many bytes beside the snapshots, past the page cache.
    func measureCopy() throws -> [Double] {
        let file = "\(daemon.directory ?? "/tmp")/copy", blocks = max(1, mebibytes / 4), start = MonotonicClock.nanoseconds
        defer { unlink(file) }
        try run(["/bin/dd", "if=/dev/zero", "of=\(file)", "bs=4M", "count=\(blocks)", "oflag=direct", "conv=fsync", "status=none"])
        let rate = Double(blocks << 22) * 1e3 / Double(MonotonicClock.nanoseconds - start)
        return [rate, rate, 0, 0]
    }
}

/// Has a daemon write a snapshot, on a thread of its own.
final class SnapshotOrder: @unchecked Sendable {
    // Sendable by hand: the client is used by `run` alone, and `failure` is read after its thread has ended.
    private let client: RequestClient?
    private let done = Atomic<Bool>(false)
    private(set) var failure: String?

    init(_ client: RequestClient?) { self.client = client }

    var isDone: Bool { done.load(ordering: .acquiring) }

    func run() {
        do { _ = try client?.call("snapshot") } catch { failure = "\(error)" }
        done.store(true, ordering: .releasing)
    }
}
