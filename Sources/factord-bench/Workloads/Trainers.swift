import CYardstick
import Factorization
import LinuxSystem
import Synchronization

/// The trainers of an engine whose tables hold all ids of a workload, without the sequencer: ids are resolved, and divided
/// among trainers, beforehand.
final class Trainers {
    private let engine: Engine
    private let shares: [[ResolvedInteraction]]

    /// - Parameter historyLength: items of each user that are held, 0 for no lists of users; without them events bear values.
    init(_ model: ModelSettings, _ workload: Workload, threads: Int, historyLength: Int = 0) throws {
        let engine = factord_bench.engine(model, workload, trainers: threads, historyLength: historyLength)
        for batch in eventBatches(workload.events[...], hashing: engine.hashing) { engine.learnNow(batch) }
        precondition(engine.users.count == workload.userCount && engine.items.count == workload.itemCount)
        var parts = [[ResolvedInteraction]](repeating: [], count: threads)
        for event in workload.events {
            parts[Placement.shard(event.user) % threads].append(
                ResolvedInteraction(user: event.user, item: event.item, value: event.label))
        }
        for trainer in engine.trainers { trainer.clock = { UInt64(MonotonicClock.nanoseconds) } }
        self.engine = engine
        shares = parts
    }

    /// Some passes, each trainer over its own events; answers the seconds in which the one that took longest learned, without those in
    /// which records were placed in its queue. All fill their queues, and then all learn half of what waits: nobody learns undisturbed
    /// because others are busy with their queues, and nobody comes to the end of what waits before the end of all, as under full load.
    func secondsOfLearning(passes: Int) throws -> Double {
        let engine = engine, shares = shares, meeting = Meeting(of: shares.count)
        let capacity = engine.settings.queueCapacity, half = capacity / 2
        let rounds = 1 + max(0, passes * shares.map(\.count).max()! - capacity + half - 1) / half
        let longest = Atomic<UInt64>(0)
        @Sendable func run(_ number: Int) {
            let own = shares[number].withUnsafeBufferPointer { share in
                var left = passes * share.count, rest = share[...], learning = 0.0
                for _ in 0..<rounds {
                    while left > 0 {
                        let placed = engine.place(rest.prefix(left), trainer: number)
                        if placed == 0 { break }
                        left -= placed
                        rest = placed == rest.count ? share[...] : rest.dropFirst(placed)
                    }
                    meeting.wait()
                    learning += seconds { _ = engine.trainers[number].drain(limit: left > 0 ? half : .max) }
                    meeting.wait()
                }
                precondition(left == 0 && engine.trainers[number].queueDepth == 0, "all is learned")
                return learning
            }
            longest.max(UInt64(own * 1e9), ordering: .relaxed)
        }
        let helpers = try (1..<shares.count).map { number in try SystemThread(name: "trainer \(number)") { run(number) } }
        run(0)
        for helper in helpers { helper.join() }
        return Double(longest.load(ordering: .relaxed)) / 1e9
    }

    /// The sum of losses so far, each event scored before it was learned.
    var lossSum: Double {
        let report = engine.prequential(0)
        let mean = report.metric == "rmse" ? report.value * report.value : report.value
        return mean * Double(report.events)
    }
}

/// Where threads wait for each other, as often as they like. They do not sleep: what is measured begins as soon as all are there.
private final class Meeting: Sendable {
    private let count: Int
    private let arrived = Atomic<Int>(0)

    init(of count: Int) { self.count = count }

    func wait() {
        let end = (arrived.add(1, ordering: .acquiringAndReleasing).newValue + count - 1) / count * count
        while arrived.load(ordering: .acquiring) < end {}
    }
}
