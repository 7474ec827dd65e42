import LinuxSystem
import Testing
import ZeroMQ

@Suite(.timeLimit(.minutes(15)))
struct BoundsTests {
    let context: ZeroMQContext

    init() throws { context = try ZeroMQContext() }

    private func pair(_ name: String, _ options: SocketOptions = SocketOptions()) throws -> (ZeroMQSocket, ZeroMQSocket) {
        let pull = try ZeroMQSocket(context, .pull, options: options)
        try pull.bind("inproc://\(name)")
        let push = try ZeroMQSocket(context, .push, options: options)
        try push.connect("inproc://\(name)")
        return (push, pull)
    }

    @Test func messagesWithinAndOverTheFrameLimit() throws {
        let (push, pull) = try pair("frames")
        let message = MultipartMessage(frameLimit: 3, byteLimit: 1000)
        for frames in 1...8 {
            #expect(try push.send((0..<frames).map { bytes("\($0)") }) == .sent)
            #expect(try push.send("after") == .sent)
            let result = try pull.receive(into: message, wait: true)
            #expect(result == (frames <= 3 ? .message : .oversize))
            #expect(message.count == min(frames, 3))
            #expect(message.isOversize == (frames > 3))
            #expect(message.receivedFrames == frames)
            #expect((0..<message.count).map { message.string($0) } == (0..<min(frames, 3)).map { "\($0)" })
            // The rest of it was drained: the next message begins at its beginning.
            #expect(try pull.receive(into: message, wait: true) == .message)
            #expect(message.count == 1 && message.string(0) == "after")
        }
    }

    @Test func messagesWithinAndOverTheByteLimit() throws {
        let (push, pull) = try pair("bytes")
        let message = MultipartMessage(frameLimit: 10, byteLimit: 100)
        // Sizes by frame, and how many frames are kept.
        let cases: [([Int], Int)] = [
            ([100], 1), ([50, 50], 2), ([100, 0], 2), ([101], 0), ([0, 101, 1], 1), ([60, 41, 3], 1), ([99, 2], 1),
        ]
        for (sizes, kept) in cases {
            #expect(try push.send(sizes.map { [UInt8](repeating: 1, count: $0) }) == .sent)
            let result = try pull.receive(into: message, wait: true)
            #expect(result == (kept == sizes.count ? .message : .oversize), "\(sizes)")
            #expect(message.count == kept, "\(sizes)")
            #expect(message.receivedBytes == sizes.reduce(0, +))
            #expect(message.receivedFrames == sizes.count)
        }
        #expect(try pull.receive(into: message, wait: false) == .nothing)
        #expect(message.count == 0 && message.receivedFrames == 0)
    }

    @Test func anOversizeRequestCanStillBeRefused() throws {
        let router = try ZeroMQSocket(context, .router, options: .requests)
        try router.bind("tcp://127.0.0.1:*")
        let req = try ZeroMQSocket(context, .req, options: .client)
        try req.connect(router.lastEndpoint())
        #expect(try req.send([UInt8](repeating: 32, count: 5000)) == .sent)
        try expectInput(router)
        let request = MultipartMessage(frameLimit: 8, byteLimit: 1000)
        #expect(try router.receive(into: request, wait: false) == .oversize)
        #expect(request.envelopeCount == 3)
        #expect(try router.reply(to: request, bytes("too long")) == .sent)
        #expect(try receiveString(req) == "too long")
    }

    @Test func aFullQueueAnswersInsteadOfWaiting() throws {
        var options = SocketOptions()
        options.sendQueueMessages = 10
        options.receiveQueueMessages = 10
        let (push, pull) = try pair("full", options)
        var sent = 0
        while try push.send("\(sent)", wait: false) == .sent { sent += 1 }
        #expect(sent == 20)
        for number in 0..<sent { #expect(try receiveString(pull) == "\(number)") }
        #expect(try pull.receive(into: ZeroMQMessage(), wait: false) == false)
        // The reader's thanks travel as a command, which the sender need not see at once.
        try eventually { try push.send("again", wait: false) == .sent }
    }

    @Test func aPushWithoutAPeerQueuesNothing() throws {
        let push = try ZeroMQSocket(context, .push, options: .publisher)
        try push.connect("tcp://127.0.0.1:1")
        #expect(try push.send("lost", wait: false) == .wouldBlock)
        try push.setLinger(milliseconds: 0)
    }

    @Test func aFrameOverTheTransportLimitNeverArrives() throws {
        var options = SocketOptions.ingest(.pull)
        options.maximumFrameBytes = 2048
        let pull = try ZeroMQSocket(context, .pull, options: options)
        try pull.bind("tcp://127.0.0.1:*")
        let monitor = try SocketMonitor(pull)
        let push = try ZeroMQSocket(context, .push)
        try push.connect(pull.lastEndpoint())
        #expect(try push.send([UInt8](repeating: 1, count: 4096)) == .sent)
        // A binding socket drops the peer, which comes back by itself.
        try eventually {
            try monitor.drain()
            return monitor.counters.disconnected >= 1 && monitor.counters.accepted >= 2
        }
        #expect(try push.send("short") == .sent)
        #expect(try receiveString(pull) == "short")
    }
}
