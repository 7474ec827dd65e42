import Factorization
import LinuxSystem
import Logging
import Synchronization

/// Has the rows of users re-solved while trainers have nothing to do: all users once, round by round, a few at a time.
///
/// When, the clock decides; what, a record of the journal says, which a start applies again at its place between the events
/// (`Sequencer.takeRefinement`). A round begins once enough events have been learned since the last one: a row that is
/// solved again and again while nothing moves would go ever further towards the few items that are held.
final class Refiner: Service {
    let name = "refiner"
    private let engine: Engine
    private let ingest: Ingest
    private let log: Logger
    /// Share of one processor, as the bits of a Float: it changes while the daemon runs. And events between two rounds.
    private let budget: Atomic<UInt32>
    private let after: Atomic<Int>
    private let thread: ServiceThread
    /// Rounds ended, and nanoseconds that trainers were given work for, of this process.
    let rounds = Atomic<Int>(0)
    let nanoseconds = Atomic<Int>(0)
    /// The next user of the round under way; nil between two rounds.
    private let next = Atomic<Int>(-1)

    /// Milliseconds between two looks where there is nothing to do, and where trainers are busy.
    private static let pause = 1000, wait = 20

    init(_ settings: Configuration.Refining, engine: Engine, ingest: Ingest, log: Logger) throws(SystemError) {
        self.engine = engine
        self.ingest = ingest
        self.log = log
        budget = Atomic(settings.budget.bitPattern)
        after = Atomic(settings.after)
        thread = try ServiceThread()
    }

    /// Works by these settings from here on.
    func use(_ settings: Configuration.Refining) {
        budget.store(settings.budget.bitPattern, ordering: .relaxed)
        after.store(settings.after, ordering: .relaxed)
        thread.wake()
    }

    /// Users that the round under way has done; nil between two rounds.
    var progress: Int? {
        let next = next.load(ordering: .relaxed)
        return next < 0 ? nil : next
    }

    func start() throws { try thread.start(name, .isWoken) { [self] in run() } }

    func stop() { thread.stop() }

    private func run() {
        let batch = EventBatch(recordCapacity: 1, featureCapacity: 1, textCapacity: 1, messageCapacity: 1)
        var learned = 0, milliseconds = Refiner.pause
        while !thread.isStopping {
            thread.sleep(milliseconds: milliseconds)
            let share = Float(bitPattern: budget.load(ordering: .relaxed))
            milliseconds = Refiner.pause
            guard share > 0 else { continue }
            if progress == nil {
                guard interactions - learned >= after.load(ordering: .relaxed) else { continue }
                learned = interactions
                next.store(0, ordering: .relaxed)
            }
            milliseconds = Refiner.wait
            // Events come first.
            guard engine.trainers.allSatisfy({ $0.queueDepth == 0 }) else { continue }
            let spent = refine(batch)
            // What is over from the share of the time is left to others.
            let rest = Double(spent) * (1 / Double(share) - 1) / 1e6
            if progress == nil { milliseconds = Refiner.pause } else { milliseconds = Int(min(rest.rounded(.up), 10_000)) }
        }
    }

    /// The next few users; answers the nanoseconds until they were done.
    private func refine(_ batch: EventBatch) -> Int64 {
        let first = next.load(ordering: .relaxed)
        guard first < engine.users.count else {
            next.store(-1, ordering: .relaxed)
            rounds.add(1, ordering: .relaxed)
            log.info("rows of users re-solved", metadata: ["users": "\(engine.users.count)"])
            return 0
        }
        batch.reset()
        _ = batch.appendRefinement(of: first, count: EventRecord.mostRefined, hashing: engine.hashing)
        let start = MonotonicClock.nanoseconds
        _ = ingest.take(batch)
        let position = ingest.sequencer.lastPosition
        while engine.appliedPosition < position, !thread.isStopping { MonotonicClock.sleep(microseconds: 100) }
        let spent = MonotonicClock.nanoseconds - start
        nanoseconds.add(Int(spent), ordering: .relaxed)
        next.store(first + EventRecord.mostRefined, ordering: .relaxed)
        return spent
    }

    private var interactions: Int { engine.trainers.reduce(0) { $0 + $1.interactions } }
}
