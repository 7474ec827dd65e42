import Foundation
import Glibc
import LinuxSystem
import Testing

@Suite(.timeLimit(.minutes(15)))
struct LinuxSystemTests {
    @Test func aThreadHasItsNameMaskAndProcessor() throws {
        let before = blockedSignals()
        let facts = Lock<(name: String, blocksTerm: Bool, blocksSegv: Bool, pinned: Bool)>(("", false, true, false))
        let thread = try SystemThread(name: "a-very-long-thread-name", processor: 0, stackBytes: 1 << 20) {
            var set = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &set)
            let name = (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? ""
            let status = (try? String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8)) ?? ""
            let pinned = status.contains("Cpus_allowed_list:\t0\n")
            let (term, segv) = (sigismember(&set, SIGTERM) == 1, sigismember(&set, SIGSEGV) == 1)
            facts.withLock { $0 = (name, term, segv, pinned) }
        }
        thread.join()
        thread.join()
        facts.withLock {
            #expect($0.name == "a-very-long-thr\n")
            #expect($0.blocksTerm && !$0.blocksSegv)
            #expect($0.pinned)
        }
        // The creator's own mask is as it was.
        #expect(blockedSignals() == before)
    }

    @Test(arguments: [-1, 1023, 1 << 40])
    func aProcessorThatIsNotThereIsAnError(_ processor: Int) {
        #expect {
            _ = try SystemThread(name: "nowhere", processor: processor) {}
        } throws: { "\($0)".contains("processor \(processor)") }
    }

    @Test func aThreadReleasesWhatItCaptured() throws {
        final class Token: Sendable {}
        weak var token: Token?
        do {
            let strong = Token()
            token = strong
            try SystemThread(name: "short") { _ = strong }.join()
        }
        #expect(token == nil)
    }

    @Test func aNameIsCutBetweenCharacters() throws {
        let name = Lock("")
        try SystemThread(name: "empfänger-fünfzehn") {
            let text = (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? ""
            name.withLock { $0 = text }
        }.join()
        #expect(name.withLock { $0 } == "empfänger-fün\n")
    }

    @Test func aLockAdmitsOneThreadAtATime() throws {
        struct Refused: Error {}
        final class Counter {
            var count = 0
        }
        let counter = Lock(Counter())
        let threads = try (0..<4).map { number in
            try SystemThread(name: "counter \(number)") {
                for turn in 0..<20_000 {
                    // An error lets go of the lock too.
                    try? counter.withLock { counter throws(Refused) in
                        counter.count += 1
                        if turn % 2 == 0 { throw Refused() }
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(counter.withLock { $0.count } == 80_000)
    }

    @Test func aLockReleasesItsValue() {
        final class Token: Sendable {}
        weak var token: Token?
        do {
            let lock = Lock<Token?>(nil)
            lock.withLock { value in
                let strong = Token()
                token = strong
                value = strong
            }
            #expect(token != nil)
            lock.withLock { _ in }
        }
        #expect(token == nil)
    }

    @Test func signalsComeThroughTheDescriptor() throws {
        let taken = Lock<[CInt?]>([])
        let failure = Lock<String?>(nil)
        try SystemThread(name: "signals") {
            do {
                let source = try SignalSource([SIGHUP, SIGUSR1])
                let poller = DescriptorPoller([source.descriptor])
                let quiet = source.next()
                let none = try poller.wait(timeoutMilliseconds: 0)
                pthread_kill(pthread_self(), SIGUSR1)
                let some = try poller.wait(timeoutMilliseconds: 20_000)
                let ready = poller.isReady(0)
                pthread_kill(pthread_self(), SIGHUP)
                // Standard signals are delivered lowest number first.
                let rest = [source.next(), source.next(), source.next()]
                taken.withLock { $0 = [quiet, CInt(none), CInt(some), ready ? 1 : 0] + rest }
            } catch {
                failure.withLock { $0 = "\(error)" }
            }
        }.join()
        #expect(failure.withLock { $0 } == nil)
        #expect(taken.withLock { $0 } == [nil, 0, 1, 1, SIGHUP, SIGUSR1, nil])
        #expect(throws: SystemError.self) { try SignalSource([9999]) }
    }

    @Test func dividedWorkIsDoneOnceEach() {
        for count in [0, 1, 5, 1000] {
            let done = Lock([Int](repeating: 0, count: count))
            Parallel.forEach(count, name: "dividing") { number in done.withLock { $0[number] += 1 } }
            #expect(done.withLock { $0.allSatisfy { $0 == 1 } })
        }
    }

    @Test func anEventIsWaitedForAndTaken() throws {
        let event = try EventDescriptor()
        let start = MonotonicClock.nanoseconds
        #expect(!event.wait(timeoutMilliseconds: 20) && MonotonicClock.nanoseconds - start >= 20_000_000)
        event.signal()
        event.signal()
        #expect(event.wait() && !event.drain(), "signals merge into one, and the wait takes it")
        let signaller = try SystemThread(name: "signaller") {
            MonotonicClock.sleep(microseconds: 20_000)
            event.signal()
        }
        #expect(event.wait())
        signaller.join()
        #expect(!event.wait(timeoutMilliseconds: 0))
    }

    @Test func clocksRun() {
        let first = MonotonicClock.nanoseconds
        usleep(1000)
        #expect(MonotonicClock.nanoseconds - first >= 1_000_000)
        // After the day this was written, before the year 2200.
        #expect((1_780_000_000_000..<7_258_000_000_000).contains(WallClock.milliseconds))
    }
}

private func blockedSignals() -> [CInt] {
    var set = sigset_t()
    pthread_sigmask(SIG_BLOCK, nil, &set)
    return (1...31).filter { sigismember(&set, $0) == 1 }
}
