import Factorization
import LinuxSystem
import Persistence
import Synchronization

/// Explored lists, one JSON line each, in files of bounded size and number (`RotatedLines`).
///
/// Whoever answers only leaves a line in memory; a thread of its own writes. What memory has no room for is counted as dropped.
final class ExplorationLog: Service {
    let name = "explorations"
    private let lines: RotatedLines
    private let waiting = Lock<[[UInt8]]>([])
    private let waitingBytes = Atomic<Int>(0)
    let dropped = Atomic<Int>(0)
    private let thread: ServiceThread

    /// Bytes that may wait, and at which the thread is woken.
    private static let room = 4 << 20
    private static let batch = 64 << 10

    init(_ settings: Configuration.Explorations.Log) throws {
        _ = try Directory.create(settings.directory, permissions: 0o700)
        lines = RotatedLines(
            "\(settings.directory)/explorations.jsonl", limits: DeadLetterLimits(fileBytes: settings.bytes.bytes, files: settings.files))
        thread = try ServiceThread()
    }

    /// Takes a line, without its newline. Any thread; never waits for the disk.
    func append(_ line: [UInt8]) {
        let before = waitingBytes.add(line.count, ordering: .relaxed).oldValue
        guard before + line.count <= ExplorationLog.room else {
            waitingBytes.subtract(line.count, ordering: .relaxed)
            dropped.add(1, ordering: .relaxed)
            return
        }
        waiting.withLock { $0.append(line) }
        if before < ExplorationLog.batch, before + line.count >= ExplorationLog.batch { thread.wake() }
    }

    var counts: DeadLetterCounts { lines.counts }

    /// Removes every line that may hold an id.
    func removeLines(holding id: [UInt8]) throws(PersistenceError) -> Int {
        write()
        return try lines.removeLines(holding: id)
    }

    private func write() {
        let taken = waiting.withLock { waiting in
            let taken = waiting
            waiting.removeAll()
            return taken
        }
        for line in taken {
            lines.append(line + [UInt8(ascii: "\n")])
            waitingBytes.subtract(line.count, ordering: .relaxed)
        }
        lines.flush()
    }

    // MARK: Service

    func start() throws {
        try thread.start(name) { [self] in
            while !thread.isStopping {
                thread.sleep(milliseconds: 1000)
                write()
            }
        }
    }

    func stop() {
        thread.stop()
        write()
    }
}
