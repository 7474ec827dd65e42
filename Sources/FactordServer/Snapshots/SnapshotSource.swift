import Factorization
import LinuxSystem
import Persistence
import Synchronization

/// A snapshot file as the engine's source of state. Pieces are read and checked on several threads, each with a reader of its own.
struct SnapshotSource: StateSource {
    typealias Failure = PersistenceError
    let reader: SnapshotReader

    /// Beyond these the memory is the limit.
    private static let mostThreads = 8

    func withSection(_ name: String, _ body: (UnsafeRawBufferPointer) throws(StateError) -> Void) throws -> Bool {
        guard let section = reader.section(name) else { return false }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(section.length), alignment: 64)
        defer { buffer.deallocate() }
        try reader.read(name, at: 0, into: buffer)
        try body(UnsafeRawBufferPointer(buffer))
        return true
    }

    func forEach(_ count: Int, _ body: (Int, SnapshotSource) throws -> Void) throws {
        let threads = min(SystemThread.processors.count, SnapshotSource.mostThreads, count)
        guard threads > 1 else {
            for index in 0..<count { try body(index, self) }
            return
        }
        try withoutActuallyEscaping(body) { body in
            let work = Work(count: count, body: body)
            let helpers = try (1..<threads).map { number in
                let source = SnapshotSource(reader: try SnapshotReader(reader.path))
                return try work.start(source, number)
            }
            work.run(self)
            for helper in helpers { helper.join() }
            if let failure = work.failure { throw failure }
        }
    }

    /// What threads share: whose turn it is, and the first failure. Every thread is joined before it goes.
    private final class Work: @unchecked Sendable {
        private let count: Int
        private let body: (Int, SnapshotSource) throws -> Void
        private let next = Atomic<Int>(0)
        private let failed = Lock<(any Error)?>(nil)

        init(count: Int, body: @escaping (Int, SnapshotSource) throws -> Void) {
            self.count = count
            self.body = body
        }

        var failure: (any Error)? { failed.withLock { $0 } }

        func start(_ source: sending SnapshotSource, _ number: Int) throws -> SystemThread {
            let own = Lock(source)
            return try SystemThread(name: "reading \(number)") { [self] in own.withLock { run($0) } }
        }

        func run(_ source: SnapshotSource) {
            while true {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < count, failure == nil else { return }
                do {
                    try body(index, source)
                } catch {
                    failed.withLock { if $0 == nil { $0 = error } }
                }
            }
        }
    }
}
