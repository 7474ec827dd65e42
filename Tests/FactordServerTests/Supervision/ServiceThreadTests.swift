import LinuxSystem
import Synchronization
import Testing

@testable import FactordServer

@Suite("Service threads") struct ServiceThreadTests {
    /// The pulse of the running thread of this name.
    private func pulse(_ name: String) -> Pulse? { Pulse.all.first { $0.name == name }?.pulse }

    @Test("A thread sleeps until it is woken, sees what was told before, and has ended when its stop returns")
    func wakesAndEnds() throws {
        let thread = try ServiceThread(), told = Atomic<Int>(0), seen = Atomic<Int>(0), hasEnded = Atomic<Bool>(false)
        try thread.start("woken", .isWoken) {
            while !thread.isStopping {
                thread.sleep()
                seen.store(told.load(ordering: .acquiring), ordering: .releasing)
            }
            MonotonicClock.sleep(microseconds: 20_000)
            hasEnded.store(true, ordering: .releasing)
        }
        for number in 1...200 {
            told.store(number, ordering: .releasing)
            thread.wake()
            // A signal that is lost leaves the thread asleep for good, and this test with it.
            while seen.load(ordering: .acquiring) < number { MonotonicClock.sleep(microseconds: 20) }
        }
        #expect(!thread.isStopping)
        thread.stop()
        #expect(thread.isStopping && hasEnded.load(ordering: .acquiring))
    }

    @Test("A sleeper is asked for a sign of life by its wake-up; one that looks around is not; a trusted one has no pulse")
    func signsOfLife() throws {
        for (name, life) in [("asked", ServiceThread.Life.isWoken), ("looking around", .looksAround), ("trusted", .isTrusted)] {
            let thread = try ServiceThread(), rounds = Atomic<Int>(0)
            try thread.start(name, life) {
                while !thread.isStopping {
                    rounds.add(1, ordering: .releasing)
                    thread.sleep(milliseconds: life == .isWoken ? nil : 20)
                }
            }
            while rounds.load(ordering: .acquiring) < 1 { MonotonicClock.sleep(microseconds: 100) }
            if life == .isTrusted {
                #expect(pulse(name) == nil)
            } else {
                let pulse = try #require(self.pulse(name))
                for _ in 0..<3 {
                    let before = pulse.sight
                    while pulse.sight == before {
                        pulse.rouse()
                        MonotonicClock.sleep(microseconds: 200)
                    }
                }
            }
            thread.stop()
            #expect(pulse(name) == nil, "a thread that has ended is not looked after")
        }
    }

    @Test("A thread that never began is stopped at once, and one can be woken by what others signal")
    func withoutStartAndWithAnothersEvent() throws {
        let idle = try ServiceThread()
        idle.stop()
        #expect(idle.isStopping)

        let event = try EventDescriptor(), thread = ServiceThread(wokenBy: event), seen = Atomic<Bool>(false)
        try thread.start("another's") {
            thread.sleep()
            seen.store(true, ordering: .releasing)
        }
        event.signal()
        while !seen.load(ordering: .acquiring) { MonotonicClock.sleep(microseconds: 100) }
        thread.stop()
    }
}
