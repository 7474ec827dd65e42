import Factorization
import LinuxSystem
import Synchronization

/// Looks at the daemon once a second and keeps what it sees in `SampleHistory`.
final class Sampler: Service {
    let name = "sampler"
    /// Events a second that are ranked before they are learned; each costs its receiver some ten microseconds.
    private static let probes = 50
    private let stats: StatsReport
    private let thread: ServiceThread

    init(_ stats: StatsReport) throws(SystemError) {
        self.stats = stats
        thread = try ServiceThread()
    }

    func start() throws { try thread.start(name) { [self] in run() } }

    func stop() { thread.stop() }

    private func run() {
        var look = SampleLook(stats)
        var next = MonotonicClock.nanoseconds + 1_000_000_000
        while true {
            let rest = max(0, next - MonotonicClock.nanoseconds)
            thread.sleep(milliseconds: Int((rest + 999_999) / 1_000_000))
            if thread.isStopping { return }
            let now = MonotonicClock.nanoseconds
            guard now >= next else { continue }
            // Seconds that were slept through stay out.
            next = max(next + 1_000_000_000, now + 100_000_000)
            stats.ranking.allow(Sampler.probes)
            look.sample(now: now, delay: delay())
        }
    }

    /// Where the sequencer stood at the last look. The thread's own.
    private let seen = Atomic<UInt64>(0)

    /// Waits until everything that has a position now is learned, at most half a second.
    /// - Returns: how long that took, seconds; NaN where nothing has come since the last look.
    private func delay() -> Double {
        let target = stats.engine.sequencer.lastPosition
        guard seen.exchange(target, ordering: .relaxed) < target else { return .nan }
        let began = MonotonicClock.nanoseconds
        var taken: Int64 = 0
        while stats.engine.appliedPosition < target, taken < 500_000_000, !thread.isStopping {
            MonotonicClock.sleep(microseconds: taken < 5_000_000 ? 100 : 1000)
            taken = MonotonicClock.nanoseconds - began
        }
        stats.learningDelays.record(microseconds: taken / 1000)
        return Double(taken) / 1e9
    }
}
