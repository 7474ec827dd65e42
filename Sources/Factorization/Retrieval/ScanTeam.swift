import CKernels
import Synchronization

/// Threads that take parts of a large catalogue for the one request that is being answered.
///
/// The scorer that asks opens a task, and whoever has nothing to do joins it: stretches are claimed from one counter, the rows that
/// may reach the list go through a ring to the scorer, which alone asks the rules, scores in floats and keeps the list; its
/// threshold comes back through an atomic. A scorer that finds the team at work for another goes on alone. Nothing is allocated.
///
/// Thread safety: `serve` belongs to the helper of that number, the rest to the scorer that has opened the task. The engine starts
/// no threads: whoever does says by `attach` how to wake them.
public final class ScanTeam: @unchecked Sendable {
    /// Scorers at most, the one that answers included.
    public static let mostScorers = 8
    /// Helpers beside the thread that answers.
    public let helpers: Int
    private let epochs: ReaderEpochs
    private let members: [Member]
    /// Set once, before any scorer may open a task.
    private var wake: @Sendable () -> Void = {}
    private let isAttached = Atomic<Bool>(false)
    private let isTaken = Atomic<Bool>(false)
    /// Whether helpers may join, and how many are at work.
    private let state = Atomic<UInt32>(0)
    private static let open: UInt32 = 1 << 31
    /// Whether there is a threshold: until then helpers that have joined wait, which is less than a stretch.
    private let hasThreshold = Atomic<Bool>(false)
    /// A float's bits: rows whose bound is below it are passed over.
    private let threshold = Atomic<UInt32>(0)
    /// The next rows that nobody has claimed.
    private let next = Atomic<Int>(0)
    /// Written while nobody is at work, read by those who have joined.
    private var task: ScanTask?

    /// Rows that are claimed at once.
    static let claim = 8 * ScanPart.stretch

    init(helpers: Int, epochs: ReaderEpochs, width: Int) {
        self.helpers = helpers
        self.epochs = epochs
        members = (0..<helpers).map { _ in Member(ticket: epochs.register(), width: width) }
    }

    /// What a helper has for itself.
    private final class Member {
        let ticket: Int
        let part: ScanPart
        let ring = ScanRing()

        init(ticket: Int, width: Int) {
            self.ticket = ticket
            part = ScanPart(width: width)
        }
    }

    /// Says how to wake the helpers. Once, when they run.
    public func attach(_ wake: @escaping @Sendable () -> Void) {
        self.wake = wake
        isAttached.store(true, ordering: .releasing)
    }

    // MARK: Helpers

    /// Takes part in the task that is open, if any, until no rows are left. By the helper `number`, each time it is woken.
    public func serve(_ number: Int) {
        guard join() else { return }
        defer { state.subtract(1, ordering: .releasing) }
        guard let task else { return }
        while !hasThreshold.load(ordering: .acquiring) { fk_yield() }
        let member = members[number]
        epochs.reading(member.ticket) {
            while let first = claim(task.count) {
                for start in stride(from: first, to: min(first + ScanTeam.claim, task.count), by: ScanPart.stretch) {
                    let found = member.part.scan(task, from: start, threshold: Float(bitPattern: threshold.load(ordering: .relaxed)))
                    for index in 0..<found {
                        // The scorer takes what is there between its own stretches, and when it has none left.
                        while !member.ring.put(member.part.rows[index], member.part.bounds[index]) { fk_yield() }
                    }
                }
            }
        }
    }

    private func join() -> Bool {
        var seen = state.load(ordering: .acquiring)
        while seen & ScanTeam.open != 0 {
            let (exchanged, now) = state.compareExchange(expected: seen, desired: seen + 1, ordering: .acquiringAndReleasing)
            if exchanged { return true }
            seen = now
        }
        return false
    }

    // MARK: The scorer

    /// Opens a task; false where there are no helpers or they are at work.
    func begin(_ task: ScanTask, from first: Int) -> Bool {
        guard isAttached.load(ordering: .acquiring), helpers > 0, !isTaken.exchange(true, ordering: .acquiring) else { return false }
        self.task = task
        next.store(first, ordering: .relaxed)
        hasThreshold.store(false, ordering: .relaxed)
        state.store(ScanTeam.open, ordering: .releasing)
        wake()
        return true
    }

    func publish(threshold value: Float) {
        threshold.store(value.bitPattern, ordering: .relaxed)
        if !hasThreshold.load(ordering: .relaxed) { hasThreshold.store(true, ordering: .releasing) }
    }

    /// Claims rows; nil where none is left.
    func claim(_ count: Int) -> Int? {
        let first = next.add(ScanTeam.claim, ordering: .relaxed).oldValue
        return first < count ? first : nil
    }

    /// Calls `body` with what helpers have found since the last call.
    @inline(__always)
    func take(_ body: (UInt32, Float) -> Void) {
        for member in members { while let (row, bound) = member.ring.take() { body(row, bound) } }
    }

    /// Ends the task: after the last helper's last row.
    func end(_ body: (UInt32, Float) -> Void) {
        state.subtract(ScanTeam.open, ordering: .acquiringAndReleasing)
        while state.load(ordering: .acquiring) != 0 {
            take(body)
            fk_yield()
        }
        take(body)
        task = nil
        isTaken.store(false, ordering: .releasing)
    }
}

/// Rows and their bounds on the way from one helper to the scorer: a ring for one writer and one reader.
private final class ScanRing {
    private static let capacity = 4096
    private let entries = UnsafeMutablePointer<(row: UInt32, bound: Float)>.allocate(capacity: ScanRing.capacity)
    /// Put by the helper, taken by the scorer.
    private let putCount = Atomic<Int>(0)
    private let takenCount = Atomic<Int>(0)

    deinit { entries.deallocate() }

    /// False where it is full.
    func put(_ row: UInt32, _ bound: Float) -> Bool {
        let count = putCount.load(ordering: .relaxed)
        guard count - takenCount.load(ordering: .acquiring) < ScanRing.capacity else { return false }
        (entries + count % ScanRing.capacity).initialize(to: (row, bound))
        putCount.store(count + 1, ordering: .releasing)
        return true
    }

    func take() -> (UInt32, Float)? {
        let count = takenCount.load(ordering: .relaxed)
        guard count < putCount.load(ordering: .acquiring) else { return nil }
        let entry = entries[count % ScanRing.capacity]
        takenCount.store(count + 1, ordering: .releasing)
        return (entry.row, entry.bound)
    }
}
