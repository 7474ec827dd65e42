import Glibc
import LinuxSystem
import Synchronization
import Testing
import ZeroMQ

@Suite(.timeLimit(.minutes(15)))
struct LifetimeTests {
    /// A blocked receive, a blocked poll, and a blocked send: each ends with `contextTerminated` in its own thread.
    @Test(arguments: ["receive", "poll", "send"])
    func shutdownEndsBlockedCalls(_ call: String) throws {
        let context = try ZeroMQContext()
        let socket = try ZeroMQSocket(context, call == "send" ? .push : .pull)
        socket.handOver()
        let started = try EventDescriptor()
        let outcome = Lock<ZeroMQError?>(nil)
        let thread = try SystemThread(name: "blocked") {
            do throws(ZeroMQError) {
                defer { socket.close() }
                let poller = ZeroMQPoller()
                poller.add(socket)
                let message = MultipartMessage()
                started.signal()
                switch call {
                case "receive": _ = try socket.receive(into: message, wait: true)
                case "poll": try poller.wait()
                default: _ = try socket.send("to nobody", wait: true)
                }
            } catch {
                outcome.withLock { $0 = error }
            }
        }
        try DescriptorPoller([started.descriptor]).wait()
        usleep(20_000)
        context.shutdown()
        thread.join()
        context.terminate()
        context.terminate()
        context.shutdown()
        guard case .contextTerminated = outcome.withLock({ $0 }) else {
            Issue.record("ended with \(String(describing: outcome.withLock { $0 }))")
            return
        }
        #expect {
            _ = try ZeroMQSocket(context, .pull)
        } throws: { $0 as? ZeroMQError == .contextTerminated(call: "zmq_socket") }
    }

    @Test func eventDescriptorEndsAPoll() throws {
        let context = try ZeroMQContext()
        let socket = try ZeroMQSocket(context, .pull)
        try socket.bind("inproc://quiet")
        let wake = try EventDescriptor()
        let poller = ZeroMQPoller()
        let input = poller.add(socket)
        let woken = poller.add(wake)
        #expect(try poller.wait(timeoutMilliseconds: 0) == 0)

        let thread = try SystemThread(name: "waker") {
            usleep(20_000)
            for _ in 0..<3 { wake.signal() }
        }
        #expect(try poller.wait() == 1)
        thread.join()
        #expect(poller.isReadable(woken) && !poller.isReadable(input))
        // Level-triggered until drained; several signals are one.
        #expect(try poller.wait() == 1)
        #expect(wake.drain())
        #expect(!wake.drain())
        #expect(try poller.wait(timeoutMilliseconds: 0) == 0)
        #expect(!poller.isReadable(woken))
    }

    @Test func pollerTellsWhichAndCanPause() throws {
        let context = try ZeroMQContext()
        let poller = ZeroMQPoller()
        var pulls: [ZeroMQSocket] = []
        var pushes: [ZeroMQSocket] = []
        var entries: [ZeroMQPoller.Entry] = []
        for number in 0..<3 {
            pulls.append(try ZeroMQSocket(context, .pull))
            try pulls[number].bind("inproc://\(number)")
            pushes.append(try ZeroMQSocket(context, .push))
            try pushes[number].connect("inproc://\(number)")
            entries.append(poller.add(pulls[number]))
        }
        let room = poller.add(pushes[0], .output)
        #expect(try poller.wait(timeoutMilliseconds: 1000) == 1)
        #expect(poller.isWritable(room))
        poller.setInterest([], of: room)
        #expect(try pushes[1].send("x") == .sent)
        #expect(try poller.wait(timeoutMilliseconds: 20_000) == 1)
        #expect(entries.map(poller.isReadable) == [false, true, false])
        poller.setInterest([], of: entries[1])
        #expect(try poller.wait(timeoutMilliseconds: 0) == 0)
        poller.setInterest(.input, of: entries[1])
        #expect(try poller.wait(timeoutMilliseconds: 0) == 1)

        let replacement = try ZeroMQSocket(context, .pull)
        poller.replace(entries[1], with: replacement)
        #expect(try poller.wait(timeoutMilliseconds: 0) == 0)
    }

    /// A handler without SA_RESTART interrupts the blocked calls again and again: none of them may notice.
    @Test func signalsDoNotEndCalls() throws {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in interruptions.add(1, ordering: .relaxed) }
        sigaction(SIGUSR2, &action, nil)

        let context = try ZeroMQContext()
        let pull = try ZeroMQSocket(context, .pull)
        try pull.bind("inproc://interrupted")
        pull.handOver()
        let target = Lock<pthread_t?>(nil)
        let received = Lock<[String]>([])
        let thread = try SystemThread(name: "interrupted") {
            var set = sigset_t()
            sigemptyset(&set)
            sigaddset(&set, SIGUSR2)
            pthread_sigmask(SIG_UNBLOCK, &set, nil)
            target.withLock { $0 = pthread_self() }
            do {
                defer { pull.close() }
                let message = ZeroMQMessage()
                #expect(try pull.receive(into: message, wait: true))
                received.withLock { $0.append(message.string) }
                let poller = ZeroMQPoller()
                poller.add(pull)
                #expect(try poller.wait() == 1)
                #expect(try pull.receive(into: message, wait: false))
                received.withLock { $0.append(message.string) }
                // An interrupted wait with a limit still ends, and at its limit.
                #expect(try poller.wait(timeoutMilliseconds: 50) == 0)
            } catch {
                Issue.record(error)
            }
        }
        let push = try ZeroMQSocket(context, .push)
        try push.connect("inproc://interrupted")
        try eventually { target.withLock { $0 != nil } }
        let identifier = target.withLock { $0! }
        for text in ["first", "second"] {
            let before = interruptions.load(ordering: .relaxed)
            try eventually {
                pthread_kill(identifier, SIGUSR2)
                return interruptions.load(ordering: .relaxed) >= before + 20
            }
            #expect(try push.send(text) == .sent)
            try eventually { received.withLock { $0.last == text } }
        }
        thread.join()
        #expect(received.withLock { $0 } == ["first", "second"])
    }

    /// A connecting socket that is sent too long a frame is dropped by libzmq for good; the monitor finds it.
    @Test func monitorFindsAnAbandonedSocket() throws {
        let context = try ZeroMQContext()
        let push = try ZeroMQSocket(context, .push)
        try push.bind("tcp://127.0.0.1:*")
        let endpoint = try push.lastEndpoint()
        var options = SocketOptions.ingest(.pull)
        options.maximumFrameBytes = 2048
        options.reconnectMilliseconds = 10

        var pull = try ZeroMQSocket(context, .pull, options: options)
        var monitor = try SocketMonitor(pull)
        try pull.connect(endpoint)
        try eventually {
            try monitor.drain()
            return monitor.counters.handshakes == 1
        }
        #expect(!monitor.isAbandoned(forMilliseconds: 0))
        #expect(try push.send([UInt8](repeating: 1, count: 4096)) == .sent)
        try eventually {
            try monitor.drain()
            return monitor.isAbandoned(forMilliseconds: 200)
        }
        #expect(monitor.counters.disconnected == 1 && monitor.counters.retried == 0)

        pull.close()
        pull = try ZeroMQSocket(context, .pull, options: options)
        monitor = try SocketMonitor(pull)
        try pull.connect(endpoint)
        #expect(try push.send("short") == .sent)
        #expect(try receiveString(pull) == "short")
        try monitor.drain()
        #expect(!monitor.isAbandoned(forMilliseconds: 0))
    }

    /// An ordinary loss is retried by libzmq itself and must not be taken for the other.
    @Test func monitorLeavesAReconnectingSocketAlone() throws {
        let context = try ZeroMQContext()
        let pull = try ZeroMQSocket(context, .pull)
        let monitor = try SocketMonitor(pull)
        let folder = try ScratchFolder()
        let first = try ZeroMQSocket(context, .push)
        try first.bind(folder.endpoint("s"))
        try pull.connect(folder.endpoint("s"))
        try eventually {
            try monitor.drain()
            return monitor.counters.handshakes == 1
        }
        first.close()
        try eventually {
            try monitor.drain()
            return monitor.counters.disconnected == 1 && monitor.counters.retried >= 1
        }
        #expect(!monitor.isAbandoned(forMilliseconds: 0))
        let second = try ZeroMQSocket(context, .push)
        try second.bind(folder.endpoint("s"))
        #expect(try second.send("back") == .sent)
        #expect(try receiveString(pull) == "back")
    }
}

/// Counted by the handler, which can capture nothing.
private let interruptions = Atomic<Int>(0)
