import LinuxSystem
import Testing
import ZeroMQ

@Suite(.timeLimit(.minutes(15)))
struct PatternTests {
    let context: ZeroMQContext

    init() throws { context = try ZeroMQContext() }

    @Test func pushToPullKeepsOrderAndContent() throws {
        try eachTransport { endpoint in
            let pull = try ZeroMQSocket(context, .pull, options: .ingest(.pull))
            try pull.bind(endpoint)
            let push = try ZeroMQSocket(context, .push, options: .publisher)
            try push.connect(pull.lastEndpoint())
            for number in 0..<1000 { #expect(try push.send("event \(number)") == .sent) }
            #expect(try push.send([] as [UInt8]) == .sent)
            for number in 0..<1000 { #expect(try receiveString(pull) == "event \(number)") }
            #expect(try receiveString(pull) == "")
            pull.close()
            push.close()
        }
    }

    @Test func subscriberGetsItsTopicsOnly() throws {
        try eachTransport { endpoint in
            let pub = try ZeroMQSocket(context, .pub)
            try pub.bind(endpoint)
            let sub = try ZeroMQSocket(context, .sub, options: .ingest(.sub))
            try sub.subscribe("events")
            try sub.connect(pub.lastEndpoint())
            // What is sent before the subscription lands is lost, so send until the first arrives.
            let message = MultipartMessage()
            try eventually {
                #expect(try pub.send([bytes("events.sync"), []]) == .sent)
                return try sub.receive(into: message, wait: false) == .message
            }
            #expect(try pub.send([bytes("other"), bytes("no")]) == .sent)
            #expect(try pub.send([bytes("events.last"), bytes("yes")]) == .sent)
            var last = try receiveStrings(sub)
            while last[0] == "events.sync" { last = try receiveStrings(sub) }
            #expect(last == ["events.last", "yes"])
            try sub.unsubscribe("events")
            pub.close()
            sub.close()
        }
    }

    @Test func requestsThroughARouter() throws {
        try eachTransport { endpoint in
            let router = try ZeroMQSocket(context, .router, options: .requests)
            try router.bind(endpoint)
            let req = try ZeroMQSocket(context, .req, options: .client)
            try req.connect(router.lastEndpoint())
            let request = MultipartMessage()
            for number in 0..<20 {
                #expect(try req.send("ask \(number)") == .sent)
                try expectInput(router)
                #expect(try router.receive(into: request, wait: false) == .message)
                // REQ_CORRELATE puts a request id before the delimiter: all of it must go back.
                #expect(request.envelopeCount == 3)
                #expect(request.string(request.count - 1) == "ask \(number)")
                #expect(try router.reply(to: request, bytes("answer \(number)")) == .sent)
                #expect(try receiveString(req) == "answer \(number)")
            }
            router.close()
            req.close()
        }
    }

    @Test func dealerPipelinesWithAndWithoutDelimiter() throws {
        try eachTransport { endpoint in
            let router = try ZeroMQSocket(context, .router, options: .requests)
            try router.bind(endpoint)
            let dealer = try ZeroMQSocket(context, .dealer, options: .client)
            try dealer.connect(router.lastEndpoint())
            for number in 0..<100 {
                let frames = number % 2 == 0 ? [bytes("\(number)")] : [[], bytes("\(number)"), bytes("payload")]
                #expect(try dealer.send(frames) == .sent)
            }
            let request = MultipartMessage()
            var kept: [(Envelope, [UInt8])] = []
            for number in 0..<100 {
                try expectInput(router)
                #expect(try router.receive(into: request, wait: false) == .message)
                let body = [UInt8](request[request.envelopeCount])
                #expect(body == bytes("\(number)"))
                kept.append((request.envelope, body))
            }
            #expect(Set(kept.map(\.0.client)).count == 1)
            // Answered late and in another order, from the kept envelopes.
            for (envelope, body) in kept.reversed() {
                let sent = try body.withUnsafeBytes { body in try router.reply(to: envelope, body, payload: body) }
                #expect(sent == .sent)
            }
            for number in (0..<100).reversed() {
                let expected = number % 2 == 0 ? ["\(number)", "\(number)"] : ["", "\(number)", "\(number)"]
                #expect(try receiveStrings(dealer) == expected)
            }
            router.close()
            dealer.close()
        }
    }

    @Test func repAndPairTalk() throws {
        let rep = try ZeroMQSocket(context, .rep)
        try rep.bind("inproc://rep")
        let req = try ZeroMQSocket(context, .req)
        try req.connect("inproc://rep")
        #expect(try req.send("a") == .sent)
        #expect(try receiveString(rep) == "a")
        #expect(try rep.send("b") == .sent)
        #expect(try receiveString(req) == "b")
        // Out of turn: an error that names the call.
        #expect {
            _ = try rep.send("c")
        } throws: { error in
            "\(error)".contains("zmq_send rep")
        }
    }

    @Test func unknownRouterPeerIsReported() throws {
        let router = try ZeroMQSocket(context, .router, options: .requests)
        try router.bind("tcp://127.0.0.1:*")
        #expect(try router.send([bytes("nobody"), bytes("x")]) == .unreachable)
        // The socket is as good as before.
        let dealer = try ZeroMQSocket(context, .dealer, options: .client)
        try dealer.connect(router.lastEndpoint())
        #expect(try dealer.send("hello") == .sent)
        try expectInput(router)
        let request = MultipartMessage()
        #expect(try router.receive(into: request, wait: false) == .message)
        let envelope = request.envelope
        #expect(try router.reply(to: request, bytes("hi")) == .sent)
        #expect(try receiveString(dealer) == "hi")
        dealer.close()
        try eventually {
            let result = try bytes("late").withUnsafeBytes { try router.reply(to: envelope, $0) }
            return result == .unreachable
        }
    }

    @Test func routerNeverWaitsForASlowClient() throws {
        var options = SocketOptions.requests
        options.sendQueueMessages = 5
        let router = try ZeroMQSocket(context, .router, options: options)
        try router.bind("inproc://slow")
        var clientOptions = SocketOptions.client
        clientOptions.receiveQueueMessages = 5
        let slow = try ZeroMQSocket(context, .dealer, options: clientOptions)
        try slow.connect("inproc://slow")
        let good = try ZeroMQSocket(context, .dealer, options: clientOptions)
        try good.connect("inproc://slow")
        #expect(try slow.send("ask") == .sent)
        try expectInput(router)
        let request = MultipartMessage()
        #expect(try router.receive(into: request, wait: false) == .message)
        let envelope = request.envelope
        var shed = 0
        for _ in 0..<100 {
            // `wait` is what would hang here, were it obeyed.
            if try router.send(envelope.frames[0], more: true, wait: true) == .sent {
                #expect(try router.send("answer") == .sent)
            } else {
                shed += 1
            }
        }
        #expect(shed == 90)
        #expect(try good.send("ask") == .sent)
        try expectInput(router)
        #expect(try router.receive(into: request, wait: false) == .message)
        #expect(try router.reply(to: request, bytes("answer")) == .sent)
        #expect(try receiveString(good) == "answer")
    }

    @Test func framesMoveOnWithoutACopy() throws {
        let pull = try ZeroMQSocket(context, .pull)
        try pull.bind("inproc://first")
        let push = try ZeroMQSocket(context, .push)
        try push.connect("inproc://first")
        let next = try ZeroMQSocket(context, .pull)
        try next.bind("inproc://second")
        let forward = try ZeroMQSocket(context, .push)
        try forward.connect("inproc://second")

        let large = [UInt8](repeating: 7, count: 100_000)
        #expect(try push.send([large, bytes("tail")]) == .sent)
        try expectInput(pull)
        let message = MultipartMessage()
        #expect(try pull.receive(into: message, wait: false) == .message)
        let address = message[0].baseAddress
        #expect(try forward.send(movingFrame: 0, of: message, more: true) == .sent)
        #expect(try forward.send(movingFrame: 1, of: message) == .sent)
        #expect(message[0].isEmpty)
        try expectInput(next)
        let single = ZeroMQMessage()
        #expect(try next.receive(into: single, wait: false))
        #expect(single.hasMore)
        #expect(single.bytes.baseAddress == address)
        #expect(single.bytes.elementsEqual(large))
        #expect(try next.receive(into: single, wait: false))
        #expect(!single.hasMore)
        #expect(single.string == "tail")
    }
}
