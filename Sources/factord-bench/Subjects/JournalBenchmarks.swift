import Glibc
import LinuxSystem
import Persistence

private let percentiles: [(String, Double)] = [("p50", 0.5), ("p99", 0.99)]

/// The journal beside bare writes and fdatasyncs of the same bytes, in the same directory (`TMPDIR`, else /tmp).
func journalBenchmarks(_ plan: Plan) -> [Benchmark] {
    let megabytes = plan.isQuick ? 64 : 512, commits = plan.isQuick ? 300 : 2000
    let appends = [100, 16_384].map { payload in
        // Until all is durable, so that neither side leaves work to the other's round.
        Benchmark("journal/append/\(payload) B", "MB/s") {
            let directory = try ScratchDirectory()
            let bytes = megabytes << 20
            return Prepared(sides: [
                Side(name: "journal") {
                    let time = try withJournal(directory.fresh()) { try $0.append(bytes: bytes, payload: payload) }
                    return [Double(bytes) / time / 1e6]
                },
                Side(name: "write, fdatasync") {
                    let file = try File(directory.fresh(), .createExclusive)
                    let piece = [UInt8](repeating: 7, count: 1 << 20)
                    let time = try seconds {
                        try file.allocate(UInt64(bytes))
                        for _ in 0..<bytes / piece.count { try file.writeAll(piece) }
                        try file.syncData()
                    }
                    return [Double(bytes) / time / 1e6]
                },
            ])
        }
    }
    let commit = Benchmark("journal/commit", percentiles.map { Metric(name: $0.0, unit: "µs", isRate: false) }) {
        let directory = try ScratchDirectory()
        return Prepared(sides: [
            Side(name: "journal, one at a time") {
                var times: [Double] = []
                _ = try withJournal(directory.fresh()) { run in
                    for _ in 0..<commits { times.append(try seconds { try run.commit(run.append(payload: 100)) } * 1e6) }
                }
                return summary(times)
            },
            Side(name: "write, fdatasync") {
                let file = try File(directory.fresh(), .createExclusive)
                try file.allocate(64 << 20)
                try file.sync()
                let record = [UInt8](repeating: 7, count: 144)
                return summary(try (0..<commits).map { _ in
                    try seconds {
                        try file.writeAll(record)
                        try file.syncData()
                    } * 1e6
                })
            },
        ])
    }
    return appends + [commit]
}

private func summary(_ times: [Double]) -> [Double] {
    let sorted = times.sorted()
    return percentiles.map { sorted[min(sorted.count - 1, Int(Double(sorted.count) * $0.1))] }
}

/// Opens a journal that syncs for who waits and at once, runs `body` with its time taken (seconds), and closes it.
private func withJournal(_ directory: String, _ body: (JournalUser) throws -> Void) throws -> Double {
    let settings = JournalSettings(sync: .never, groupCommitNanoseconds: 0)
    let journal = try Journal.open(directory: directory, settings: settings).journal
    let user = try JournalUser(journal)
    let thread = try SystemThread(name: "journal") { journal.run() }
    defer {
        journal.stop()
        thread.join()
        journal.close()
    }
    return try seconds { try body(user) }
}

/// Who appends to a journal, and waits. One thread.
private final class JournalUser {
    private let journal: Journal
    private let listener: EventDescriptor
    private var position: UInt64 = 0

    init(_ journal: Journal) throws {
        self.journal = journal
        listener = try EventDescriptor()
        journal.addListener(listener)
    }

    /// Adds a record, waiting for room.
    func append(payload: Int) throws -> UInt64 {
        while true {
            let number = journal.append(kind: 1, firstPosition: position + 1, lastPosition: position + 1, payloadBytes: payload) { place in
                _ = memset(place.baseAddress!, 7, place.count)
            }
            if let number {
                position += 1
                return number
            }
            try wait()
        }
    }

    /// Makes a record durable.
    func commit(_ number: UInt64) throws {
        journal.commit(through: number)
        while !journal.isDurable(number) { try wait() }
    }

    /// Adds records of that many payload bytes in all, and makes them durable.
    func append(bytes: Int, payload: Int) throws {
        var last: UInt64 = 0
        for _ in 0..<bytes / payload { last = try append(payload: payload) }
        try commit(last)
    }

    private func wait() throws {
        guard journal.health == .good else { throw BenchmarkError("the journal says \(journal.health)") }
        listener.wait(timeoutMilliseconds: 1000)
    }
}

/// A directory that goes with the object, and names in it.
private final class ScratchDirectory {
    private let path: String
    private var count = 0

    init() throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/factord-bench-\(String(repeating: "X", count: 6))".utf8CString)
        guard let made = mkdtemp(&template) else { throw BenchmarkError("no temporary directory can be made: errno \(errno)") }
        path = String(cString: made)
    }

    deinit { remove(path) }

    /// A name for a file or a directory that is not there; what was there under the one before goes.
    func fresh() -> String {
        remove("\(path)/\(count)")
        count += 1
        return "\(path)/\(count)"
    }

    private func remove(_ path: String) {
        if unlink(path) == 0 { return }
        for name in (try? Directory.list(path)) ?? [] { remove("\(path)/\(name)") }
        rmdir(path)
    }
}
