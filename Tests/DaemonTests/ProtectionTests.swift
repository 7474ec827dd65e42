import StreamTools
import Testing
import ZeroMQ

/// What one client may take from the others: nothing.
@Suite("Protection")
struct ProtectionTests {
    private func request(_ id: Int, _ params: String, _ method: String = "score") -> String { RequestTests.request(method, params, id: "\(id)") }

    @Test("A client's requests in flight are bounded, and the rest is told so at once; another client has its own")
    func inFlight() throws {
        let daemon = try DaemonProcess(["requests.in_flight=4"])
        let greedy = try RawClient(to: daemon.requests, daemon.context), other = try RawClient(to: daemon.requests, daemon.context)
        for id in 0..<6 { try greedy.send(request(id, #"{"user":"u","items":["i"],"after":1,"deadline_ms":60000}"#)) }
        for id in [4, 5] {
            let answer = try #require(try greedy.answer())
            #expect(answer["id"]?.integer == id && answer["error"]?["code"]?.integer == -32002, "\(answer.json)")
        }
        try other.send(request(9, #"{"user":"u","items":["i"],"after":1,"deadline_ms":60000}"#))
        // The greedy one may still ask what is answered at once.
        #expect(try greedy.ask(RequestTests.good)["result"] != nil)
        let stats = try daemon.stats()["requests"]
        #expect(stats?["waiting"]?.integer == 5 && stats?["refused"]?["in_flight"]?.integer == 2, "\(stats?.json ?? "")")
        try daemon.sender().deliver(eventsJSON(0..<1))
        let answered = try (0..<4).map { _ in try greedy.answer()?["id"]?.integer }
        #expect(Set(answered) == [0, 1, 2, 3])
        #expect(try other.answer()?["id"]?.integer == 9)
        #expect(try greedy.ask(request(7, #"{"user":"u","items":["i"],"after":99,"deadline_ms":1}"#))["result"]?["late"]?.bool == true)
    }

    @Test("A rate, where one is set, holds for each client by itself")
    func rate() throws {
        let daemon = try DaemonProcess(["requests.rate=50"])
        let fast = try RawClient(to: daemon.requests, daemon.context), other = try RawClient(to: daemon.requests, daemon.context)
        for _ in 0..<500 { try fast.send(RequestTests.good) }
        var busy = 0
        for _ in 0..<500 where try fast.answer()?["error"]?["code"]?.integer == -32002 { busy += 1 }
        #expect(busy > 0 && busy <= 450, "\(busy) of 500 were told to come again")
        #expect(try other.ask(RequestTests.good)["result"] != nil)
        #expect(try daemon.stats()["requests"]?["refused"]?["rate"]?.integer == busy)
    }

    @Test("A request whose turn comes behind its deadline is not computed, and counted")
    func deadline() throws {
        let daemon = try DaemonProcess()
        let client = try RawClient(to: daemon.requests, daemon.context)
        // Long ones first; one that may take no time at all stands behind them.
        let items = (0..<20_000).map(String.init).joined(separator: ",")
        for id in 0..<20 { try client.send(request(id, #"{"user":1,"items":[\#(items)]}"#)) }
        try client.send(request(20, #"{"user":1,"n":5,"deadline_ms":0}"#, "recommend"))
        try client.send(request(21, #"{"user":1,"n":5,"deadline_ms":60000}"#, "recommend"))
        var late: JSONTree?, answered = 0
        for _ in 0..<22 {
            let answer = try #require(try client.answer())
            if answer["id"]?.integer == 20 { late = answer } else if answer["result"] != nil { answered += 1 }
        }
        #expect(late?["error"]?["code"]?.integer == -32003 && answered == 21, "\(late?.json ?? "none")")
        #expect(try daemon.stats()["requests"]?["refused"]?["deadline"]?.integer == 1)
    }

    @Test("Replies that a client does not read are lost to it alone, and counted")
    func unread() throws {
        let daemon = try DaemonProcess(["requests.high_water_mark=100"])
        try daemon.sender().deliver(eventsJSON(0..<500))
        try daemon.wait(for: 500)
        var options = SocketOptions.client
        options.receiveQueueMessages = 1
        options.sendQueueMessages = 0
        let slow = try RawClient(to: daemon.requests, daemon.context, options: options)
        let items = (0..<300).map { "\"i\($0 % 80)\"" }.joined(separator: ",")
        for id in 0..<3000 { try slow.send(request(id, #"{"user":"u1","items":[\#(items)]}"#)) }
        let honest = try RawClient(to: daemon.requests, daemon.context)
        for _ in 0..<200 { #expect(try honest.ask(RequestTests.good)["result"] != nil) }
        let isDropped = try eventually { try daemon.stats()["requests"]?["dropped"]?.integer ?? 0 > 0 }
        #expect(isDropped)
        #expect(try daemon.stop() == .exited(0))
    }

    @Test("Long requests of one client stand aside for short ones, and take turns with another's")
    func long() throws {
        let daemon = try DaemonProcess(["requests.in_flight=5000"])
        try daemon.sender().deliver(eventsJSON(0..<2000, users: 50, items: 2000))
        try daemon.wait(for: 2000)
        let greedy = try RawClient(to: daemon.requests, daemon.context), other = try RawClient(to: daemon.requests, daemon.context)
        for id in 0..<2000 { try greedy.send(request(id, #"{"user":"u1","n":200}"#, "recommend")) }
        // One of another's long ones is answered while most of the greedy one's still wait.
        #expect(try other.ask(request(1, #"{"user":"u2","n":200}"#, "recommend"))["result"]?["items"]?.array?.count == 200)
        #expect(try other.ask(RequestTests.good)["result"] != nil)
        var ids: Set<Int> = []
        for _ in 0..<2000 { if let id = try greedy.answer()?["id"]?.integer { ids.insert(id) } }
        #expect(ids.count == 2000)
    }
}
