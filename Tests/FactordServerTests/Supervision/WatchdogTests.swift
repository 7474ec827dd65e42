import LinuxSystem
import Synchronization
import Testing

@testable import FactordServer

@Suite("Watchdog: what counts as a sign of life")
struct WatchdogTests {
    /// A thread that does what it is told, beside its pulse.
    private final class Subject: Sendable {
        let pulse = Pulse()
        private let thread: SystemThread
        private let done = EventBox()

        init(_ body: @escaping @Sendable (EventBox) -> Void) throws {
            thread = try SystemThread(name: "subject", pulse: pulse) { [done] in body(done) }
            // It is known once it runs.
            while !Pulse.all.contains(where: { [pulse] in $0.pulse === pulse }) { MonotonicClock.sleep(microseconds: 200) }
        }

        func end() {
            done.close()
            thread.join()
        }

        /// Waits for it to be seen in some way.
        func wait(until condition: (Pulse.Sight) -> Bool) {
            while !condition(pulse.sight) { MonotonicClock.sleep(microseconds: 200) }
        }
        var beating: Pulse.Beating { Pulse.all.first { $0.pulse === pulse }! }
    }

    @Test("Rounds of a loop, waits and pauses are signs of life; standing still is none")
    func rounds() throws {
        let holds = EventBox()
        let subject = try Subject { isDone in
            while !holds.isClosed { MonotonicClock.sleep(microseconds: 100) }
            // No call of this package: nothing but work that never ends.
            while !isDone.isClosed {}
        }
        var account = SilenceAccount(limit: 3)
        subject.wait { if case .rounds(let count) = $0 { count > 3 } else { false } }
        for _ in 0..<10 {
            let before = subject.pulse.sight
            #expect(account.look([subject.beating], elapsed: 1) == [])
            subject.wait { $0 != before }
        }
        holds.close()
        var last = subject.pulse.sight
        // It may come out of a last pause.
        while true {
            MonotonicClock.sleep(microseconds: 20_000)
            if subject.pulse.sight == last { break }
            last = subject.pulse.sight
        }
        let found = (0..<5).map { _ in account.look([subject.beating], elapsed: 1).map(\.name) }
        // The first look may still see the last round.
        #expect(found.last == ["subject"] && found.first == [], "\(found)")
        subject.end()
        #expect(!Pulse.all.contains { $0.pulse === subject.pulse }, "one that has ended is nobody's to look after")
    }

    @Test("Who waits for a lock, or in a disk's call, is not judged; who holds the lock is")
    func outside() throws {
        let lock = Lock(0)
        let holder = try Subject { isDone in
            lock.withLock { _ in while !isDone.isClosed {} }
        }
        MonotonicClock.sleep(microseconds: 50_000)
        let waiter = try Subject { _ in lock.withLock { $0 += 1 } }
        waiter.wait { $0 == .outside }
        var account = SilenceAccount(limit: 3)
        let both = [holder.beating, waiter.beating]
        var found: [SilenceAccount.Stall] = []
        for _ in 0..<6 { found = account.look(both, elapsed: 1) }
        #expect(found.map(\.name) == ["subject"] && found.first?.nanoseconds ?? 0 >= 3, "\(found)")
        #expect(waiter.pulse.sight == .outside)
        holder.end()
        waiter.end()
    }

    @Test("Positions that are given out and never learned count as a standstill; pauses on purpose do not")
    func standstill() {
        var account = SilenceAccount(limit: 3)
        func look(_ learning: (sequenced: UInt64, applied: UInt64)?) -> Bool { !account.look([], elapsed: 1, learning: learning).isEmpty }
        #expect((0..<9).allSatisfy { !look((UInt64(100 + $0), UInt64(50 + $0))) }, "behind, and going on")
        #expect((0..<9).allSatisfy { _ in !look((100, 100)) }, "nothing to do")
        #expect((0..<9).allSatisfy { _ in !look(nil) }, "held up on purpose")
        #expect((0..<5).map { _ in look((100, 60)) } == [false, false, false, true, true])
        #expect(!look((100, 61)), "going on again")
    }

    @Test("A final snapshot is estimated by what the disk has shown; small ones show nothing")
    func estimate() {
        let megabyte = 1 << 20
        func seconds(_ last: (UInt64, Double)?, rate: Int = 64 << 20) -> Double { SnapshotKeeper.estimate(bytes: 200 * megabyte, last: last, rate: rate) }
        let usual = seconds(nil)
        #expect(usual > 1.9 && usual < 2.5)
        #expect(seconds((UInt64(megabyte), 1)) == usual, "too small to tell")
        #expect(seconds((UInt64(640 * megabyte), 10)) == usual, "held back at its rate")
        #expect(seconds((UInt64(640 * megabyte), 64)) > 15, "a disk of 10 MiB/s")
        #expect(seconds((UInt64(640 * megabyte), 1), rate: 0) < 0.5, "a fast one")
    }
}

/// A flag that threads share.
final class EventBox: Sendable {
    private let closed = Atomic<Bool>(false)
    var isClosed: Bool { closed.load(ordering: .acquiring) }
    func close() { closed.store(true, ordering: .releasing) }
}
