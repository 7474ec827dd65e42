import Glibc
import LinuxSystem
import Testing
import ZeroMQ

/// What peers do, by accident or on purpose, and must not achieve.
@Suite(.timeLimit(.minutes(15)))
struct HarmTests {
    /// With a bounded queue of events libzmq's I/O thread would stop at some 800 connections.
    @Test func anUndrainedMonitorDoesNotStopService() throws {
        let context = try ZeroMQContext()
        let router = try ZeroMQSocket(context, .router, options: .requests)
        let monitor = try SocketMonitor(router)
        try router.bind("tcp://127.0.0.1:*")
        let endpoint = try router.lastEndpoint()
        let port = try #require(UInt16(endpoint.address.split(separator: ":").last ?? ""))
        for _ in 0..<1500 { try connectAndLeave(port) }
        let dealer = try ZeroMQSocket(context, .dealer, options: .client)
        try dealer.connect(endpoint)
        #expect(try dealer.send("ping") == .sent)
        let request = MultipartMessage()
        try expectInput(router)
        #expect(try router.receive(into: request, wait: false) == .message)
        #expect(request.property("Peer-Address", frame: 1) == "127.0.0.1")
        #expect(request.property("No-Such-Thing", frame: 1) == nil)
        #expect(try router.reply(to: request, bytes("pong"), payload: bytes("!")) == .sent)
        #expect(try receiveStrings(dealer) == ["pong", "!"])
        try eventually {
            try monitor.drain()
            return monitor.counters.accepted == 1501 && monitor.counters.disconnected == 1500
        }
        #expect(monitor.counters.handshakes == 1)
    }

    /// A peer that leaves while our queue is full: with heartbeats libzmq would end the process at the next probe.
    @Test func aPeerThatLeavesAFullQueueDoesNotEndTheProcess() async {
        await #expect(processExitsWith: .success) {
            let kinds: [(mine: ZeroMQSocket.Kind, options: SocketOptions, theirs: ZeroMQSocket.Kind)] = [
                (.pull, .ingest(.pull), .push), (.router, .requests, .dealer),
            ]
            for (mine, options, theirs) in kinds {
                let context = try ZeroMQContext()
                var options = options
                options.receiveQueueMessages = 1
                let socket = try ZeroMQSocket(context, mine, options: options)
                let monitor = try SocketMonitor(socket)
                try socket.bind("tcp://127.0.0.1:*")
                var theirOptions = SocketOptions()
                theirOptions.sendQueueMessages = 1
                let peer = try ZeroMQSocket(context, theirs, options: theirOptions)
                try peer.connect(try socket.lastEndpoint())
                // Until every queue and buffer between the two has been full for a while.
                let large = [UInt8](repeating: 1, count: 1 << 20)
                var refused = 0
                while refused < 100 {
                    if try peer.send(large, wait: false) == .sent { refused = 0 } else { refused += 1 }
                    MonotonicClock.sleep(microseconds: 1000)
                }
                peer.close()
                // Longer than any heartbeat that these sockets ever had.
                MonotonicClock.sleep(microseconds: 2_500_000)
                // What had arrived is still there, and then the connection is seen to be gone.
                let message = MultipartMessage()
                #expect(try socket.receive(into: message, wait: false) == .message)
                try eventually {
                    _ = try socket.receive(into: message, wait: false)
                    try monitor.drain()
                    return monitor.counters.disconnected == 1
                }
            }
        }
    }

    /// A REQ whose answer never came may ask again, and the late answer is not taken for that of the second.
    @Test func aLostAnswerDoesNotLockAClient() throws {
        let context = try ZeroMQContext()
        let router = try ZeroMQSocket(context, .router, options: .requests)
        try router.bind("inproc://lost")
        let req = try ZeroMQSocket(context, .req, options: .client)
        try req.connect("inproc://lost")
        let request = MultipartMessage()
        #expect(try req.send("first") == .sent)
        try expectInput(router)
        #expect(try router.receive(into: request, wait: false) == .message)
        let late = request.envelope
        #expect(try req.send("second") == .sent)
        _ = try router.reply(to: late, bytes("answer to the first"))
        try expectInput(router)
        #expect(try router.receive(into: request, wait: false) == .message)
        #expect(request.string(request.count - 1) == "second")
        #expect(try router.reply(to: request, bytes("answer to the second")) == .sent)
        #expect(try receiveString(req) == "answer to the second")
    }

    /// At libzmq's defaults this would hang for ever.
    @Test func anUnreachablePeerDoesNotHoldUpTheEnd() throws {
        var options = SocketOptions()
        options.queueOnlyToConnected = false
        let context = try ZeroMQContext()
        let push = try ZeroMQSocket(context, .push, options: options)
        try push.connect("tcp://127.0.0.1:1")
        for _ in 0..<10 { #expect(try push.send("never", wait: false) == .sent) }
        push.close()
        context.terminate()
    }

    /// A publisher that closes at once still delivers what it was given.
    @Test func aPublisherLingersToDeliverItsTail() throws {
        let pull = try ZeroMQSocket(try ZeroMQContext(), .pull, options: .ingest(.pull))
        try pull.bind("tcp://127.0.0.1:*")
        let endpoint = try pull.lastEndpoint()
        let large = [UInt8](repeating: 1, count: 100_000)
        let sender = try SystemThread(name: "publisher") {
            do {
                let push = try ZeroMQSocket(try ZeroMQContext(), .push, options: .publisher)
                try push.connect(endpoint)
                for _ in 0..<200 { #expect(try push.send(large) == .sent) }
            } catch {
                Issue.record(error)
            }
        }
        let message = ZeroMQMessage()
        for _ in 0..<200 {
            try expectInput(pull)
            #expect(try pull.receive(into: message, wait: false))
            #expect(message.bytes.count == large.count)
        }
        sender.join()
    }

    @Test func manySubscriptionsAllArrive() throws {
        let context = try ZeroMQContext()
        let pub = try ZeroMQSocket(context, .pub)
        let sub = try ZeroMQSocket(context, .sub, options: .ingest(.sub))
        // Subscribed before the peer is there: at libzmq's bound of 1000 the last two thousand would be lost.
        try sub.connect("tcp://127.0.0.1:\(try freePort())")
        for number in 0..<3000 { try sub.subscribe("topic-\(number).") }
        try pub.bind(sub.lastEndpoint())
        let message = MultipartMessage()
        try eventually {
            #expect(try pub.send("topic-2999.") == .sent)
            return try sub.receive(into: message, wait: false) == .message
        }
    }

    #if DEBUG
    @Test func useFromASecondThreadStopsADebugBuild() async {
        await #expect(processExitsWith: .failure) {
            let socket = try ZeroMQSocket(try ZeroMQContext(), .pull)
            try SystemThread(name: "thief") { _ = try? socket.lastEndpoint() }.join()
        }
    }
    #endif

    private func freePort() throws -> UInt16 {
        let probe = try ZeroMQSocket(try ZeroMQContext(), .pull)
        try probe.bind("tcp://127.0.0.1:*")
        return try #require(UInt16(try probe.lastEndpoint().address.split(separator: ":").last ?? ""))
    }

    private func connectAndLeave(_ port: UInt16) throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0)
    }
}
