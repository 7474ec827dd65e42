import Synchronization

/// Work that is divided among threads: as many as there are processors, up to where the memory is the limit.
public enum Parallel {
    public static let mostThreads = 8
    /// Threads at once, where there is work for all of them.
    public static var threads: Int { min(SystemThread.processors.count, mostThreads) }

    /// Calls `body` with each number below `count`, on several threads at once; returns when all is done. Where the system
    /// gives no threads, the caller does it alone.
    /// - Parameter name: what the threads are called.
    public static func forEach(_ count: Int, name: String, _ body: (Int) -> Void) {
        let threads = min(threads, count)
        withoutActuallyEscaping(body) { body in
            let work = Work(count: count, body: body)
            let helpers = threads > 1 ? (1..<threads).compactMap { number in try? SystemThread(name: "\(name) \(number)") { work.run() } } : []
            work.run()
            for helper in helpers { helper.join() }
        }
    }

    /// What threads share. Sendable by hand: every thread is joined before the caller's closure goes.
    private final class Work: @unchecked Sendable {
        private let count: Int
        private let body: (Int) -> Void
        private let next = Atomic<Int>(0)

        init(count: Int, body: @escaping (Int) -> Void) {
            self.count = count
            self.body = body
        }

        func run() {
            while true {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                body(index)
            }
        }
    }
}
