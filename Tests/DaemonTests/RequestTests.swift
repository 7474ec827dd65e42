import StreamTools
import Testing
import ZeroMQ

/// What clients may send, and what they must not; after everything the next request is answered.
@Suite("Requests")
struct RequestTests {
    /// A request and the code of the error that answers it.
    struct Bad: Sendable, CustomTestStringConvertible {
        let body: String
        let code: Int
        /// Stands in the message.
        let names: String
        var testDescription: String { String(body.prefix(80)) }
    }

    static let bad: [Bad] = [
        Bad(body: "", code: -32700, names: "parse error"),
        Bad(body: "{", code: -32700, names: "parse error"),
        Bad(body: "\u{1}\u{2}", code: -32700, names: "parse error"),
        Bad(body: String(repeating: "[", count: 5000), code: -32700, names: "parse error"),
        Bad(body: "[]", code: -32600, names: "empty"),
        Bad(body: "5", code: -32600, names: "object"),
        Bad(body: #"{"id":1,"method":"ping"}"#, code: -32600, names: "jsonrpc"),
        Bad(body: #"{"jsonrpc":"2.0","id":1}"#, code: -32600, names: "method"),
        Bad(body: #"{"jsonrpc":"2.0","id":1,"method":5}"#, code: -32600, names: "method"),
        Bad(body: #"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, code: -32600, names: "id"),
        Bad(body: #"{"jsonrpc":"2.0","id":1,"method":"ping","params":5}"#, code: -32600, names: "params"),
        Bad(body: request("dance"), code: -32601, names: "dance"),
        Bad(body: request("snapshot"), code: -32601, names: "snapshot"),
        Bad(body: request("score"), code: -32602, names: "items"),
        Bad(body: request("score", #"["u",["i1"]]"#), code: -32602, names: "params"),
        Bad(body: request("score", #"{"items":["i1"]}"#), code: -32602, names: "params.user"),
        Bad(body: request("score", #"{"user":"u1"}"#), code: -32602, names: "params.items"),
        Bad(body: request("score", #"{"user":1.5,"items":["i1"]}"#), code: -32602, names: "params.user"),
        Bad(body: request("score", #"{"user":"","items":["i1"]}"#), code: -32602, names: "params.user"),
        Bad(body: request("score", #"{"user":"u1","items":"i1"}"#), code: -32602, names: "params.items"),
        Bad(body: request("score", #"{"user":"u1","items":["i1",null]}"#), code: -32602, names: "params.items[1]"),
        Bad(body: request("score", #"{"user":"u1","items":["i1"],"context":5}"#), code: -32602, names: "context"),
        Bad(body: request("score", #"{"user":"u1","items":["i1"],"after":-1}"#), code: -32602, names: "params.after"),
        Bad(body: request("score", #"{"user":"u1","items":["i1"],"after":99999,"deadline_ms":"x"}"#), code: -32602, names: "params.deadline_ms"),
        Bad(body: request("score", #"{"user":"u1","items":["i1"],"probability":1}"#), code: -32602, names: "params.probability"),
        Bad(body: request("score", #"{"user":"u1","items":["i1"],"model":"other"}"#), code: -32602, names: "other"),
        Bad(body: request("recommend"), code: -32602, names: "params.user"),
        Bad(body: request("recommend", #"{"user":"u1","n":0}"#), code: -32602, names: "params.n"),
        Bad(body: request("recommend", #"{"user":"u1","n":"ten"}"#), code: -32602, names: "params.n"),
        Bad(body: request("recommend", #"{"user":"u1","exclude_seen":"no"}"#), code: -32602, names: "params.exclude_seen"),
        Bad(body: request("recommend", #"{"user":"u1","exclude":{"i1":1}}"#), code: -32602, names: "params.exclude"),
    ]

    static func request(_ method: String, _ params: String? = nil, id: String = "7") -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)"\#(params.map { #","params":\#($0)"# } ?? "")}"#
    }

    static let good = request("score", #"{"user":"u1","items":["i1","i2"]}"#, id: #""good""#)

    private func expectGood(_ client: RawClient, after what: String) throws {
        let answer = try client.ask(RequestTests.good)
        #expect(answer["id"]?.string == "good" && answer["result"]?["scores"]?.array?.count == 2, "after \(what.prefix(80)): \(answer.json)")
    }

    @Test("Each wrong request gets the standard's error that names the fault, and the next one its answer")
    func wrongRequests() throws {
        let daemon = try DaemonProcess()
        try daemon.sender().deliver(eventsJSON(0..<500))
        try daemon.wait(for: 500)
        let dealer = try RawClient(to: daemon.requests, daemon.context)
        for bad in RequestTests.bad {
            let answer = try dealer.ask(bad.body)
            #expect(answer["error"]?["code"]?.integer == bad.code, "\(bad.testDescription): \(answer.json)")
            #expect(answer["error"]?["message"]?.string?.contains(bad.names) == true, "\(bad.testDescription): \(answer.json)")
            #expect(answer["result"] == nil)
            try expectGood(dealer, after: bad.body)
        }
        // An unmodified REQ client fares no worse: it has to get an answer to each, or it could send no more.
        let req = try RawClient(.req, to: daemon.requests, daemon.context)
        for bad in RequestTests.bad {
            #expect(try req.ask(bad.body)["error"]?["code"]?.integer == bad.code)
        }
        try expectGood(req, after: "all of them over REQ")
        let errors = try daemon.stats()["requests"]?["errors"]?.integer
        #expect(errors == 2 * RequestTests.bad.count, "stats count \(String(describing: errors)) errors")
    }

    @Test("Batches are answered as one, with an error in its place; notifications get no answer")
    func batches() throws {
        let daemon = try DaemonProcess()
        try daemon.sender().deliver(eventsJSON(0..<500))
        try daemon.wait(for: 500)
        let dealer = try RawClient(to: daemon.requests, daemon.context)

        let notification = #"{"jsonrpc":"2.0","method":"ping"}"#
        try dealer.send(notification)
        try dealer.send("[\(notification),\(notification)]")
        try expectGood(dealer, after: "two notifications, whose answers would have come first")

        let mixed = "[\(RequestTests.good),5,\(notification),\(RequestTests.request("dance", id: "8")),\(RequestTests.request("ping", id: "9"))]"
        let answers = try #require(try dealer.ask(mixed).array)
        #expect(answers.count == 4)
        #expect(answers.first { $0["id"]?.string == "good" }?["result"]?["scores"]?.array?.count == 2)
        #expect(answers.first { $0["id"] == nil }?["error"]?["code"]?.integer == -32600)
        #expect(answers.first { $0["id"]?.integer == 8 }?["error"]?["code"]?.integer == -32601)
        #expect(answers.first { $0["id"]?.integer == 9 }?["result"]?["position"]?.integer == 500)
        try expectGood(dealer, after: mixed)
    }

    @Test("A body over the limit is told the limit; one over the transport's limit costs the connection and is counted")
    func oversizeBodies() throws {
        let daemon = try DaemonProcess()
        let dealer = try RawClient(to: daemon.requests, daemon.context)
        let padding = { (bytes: Int) in RequestTests.request("ping", "{\"pad\":\"\(String(repeating: "x", count: bytes))\"}") }

        let small = try dealer.ask(padding(1 << 19))
        #expect(small["result"]?["pong"]?.bool == true)
        let refused = try dealer.ask(padding(2 << 20))
        #expect(refused["error"]?["code"]?.integer == -32001)
        #expect(refused["error"]?["message"]?.string?.contains("\(1 << 20)") == true, "\(refused.json)")
        try expectGood(dealer, after: "2 MB")

        // Clients that went by themselves are counted too: this one stays.
        let client = try daemon.client()
        let disconnects = { () throws -> Int in try client.call("stats")["requests"]?["disconnects"]?.integer ?? 0 }
        #expect(try eventually { try disconnects() == 1 }, "the client that waited for the start has left")
        try dealer.send(padding(10 << 20))
        let isCounted = try eventually { try disconnects() == 2 }
        #expect(isCounted)
        #expect(try dealer.answer(seconds: 0.3) == nil)
        let other = try RawClient(to: daemon.requests, daemon.context)
        try expectGood(other, after: "10 MB")
        // libzmq connects the offender anew by itself.
        try expectGood(dealer, after: "10 MB from the same client")
    }

    @Test("Whom and what the models do not know is answered, and said to be so")
    func unknownIds() throws {
        let daemon = try DaemonProcess()
        let client = try daemon.client()
        // Nothing learned at all.
        let nothing = try client.call("recommend", ["user": "u1"])
        #expect(nothing["items"]?.array == [] && nothing["position"]?.integer == 0)

        // Item i0 is by far the most popular, i1 comes next.
        var events = (0..<60).map { #"{"user":"a\#($0)","item":"i0"}"# }
        events += (0..<30).map { #"{"user":"a\#($0)","item":"i1"}"# }
        events += (0..<10).map { #"{"user":"b","item":"x\#($0)"}"# }
        try daemon.sender().deliver("[" + events.joined(separator: ",") + "]")
        try daemon.wait(for: events.count)

        let popular = try client.call("recommend", ["user": "a stranger", "n": 3])
        #expect(popular["fallback"]?.string == "popularity")
        #expect(popular["items"]?.array?.prefix(2).map { $0["item"]?.string } == ["i0", "i1"], "\(popular.json)")
        let score = try client.call("score", ["user": "a stranger", "items": ["i0", "never seen", "i1"]])
        #expect(score["fallback"]?.string == "item_bias" && score["scores"]?.array?.count == 3)
        #expect(score["unknown_items"]?.array == [1])
        let known = try client.call("score", ["user": "b", "items": ["never seen", "x1"]])
        #expect(known["fallback"] == nil && known["unknown_items"]?.array == [0])
        let unseen = try client.call("recommend", ["user": "b", "n": 100])["items"]?.array ?? []
        #expect(Set(unseen.compactMap { $0["item"]?.string }) == ["i0", "i1"])
        #expect(try client.call("score", ["user": "b", "items": []])["scores"]?.array == [])
        // A context that no event had.
        #expect(try client.call("score", ["user": "b", "items": ["x1"], "context": ["weather": "odd"]])["scores"]?.array?.count == 1)
    }

    @Test("`after` waits for events that come later, delays nobody, and says when it was in vain")
    func after() throws {
        let daemon = try DaemonProcess()
        let waiting = try RawClient(to: daemon.requests, daemon.context)
        for id in 0..<20 {
            try waiting.send(RequestTests.request("score", #"{"user":"u1","items":["i1"],"after":\#(1 + id * 10),"deadline_ms":60000}"#, id: "\(id)"))
        }
        // Others are answered while those wait.
        #expect(try daemon.position() == 0)
        #expect(try waiting.answer(seconds: 0.2) == nil)
        try daemon.sender().deliver(eventsJSON(0..<191))
        var answered: Set<Int> = []
        while answered.count < 20, let answer = try waiting.answer() {
            let id = try #require(answer["id"]?.integer)
            #expect(answer["result"]?["position"]?.integer ?? 0 >= 1 + id * 10, "\(answer.json)")
            #expect(answer["result"]?["late"] == nil)
            answered.insert(id)
        }
        #expect(answered.count == 20)
        let late = try waiting.ask(RequestTests.request("recommend", #"{"user":"u1","after":1000,"deadline_ms":10}"#))
        #expect(late["result"]?["late"]?.bool == true && late["result"]?["position"]?.integer == 191)
        // Who still waits at the end is answered, late, before the daemon goes.
        try waiting.send(RequestTests.request("score", #"{"user":"u1","items":["i1"],"after":1000,"deadline_ms":60000}"#))
        // The answer to what was sent after it shows that the daemon has it.
        try expectGood(waiting, after: "a request that waits")
        daemon.program?.signal(15)
        let last = try waiting.answer()
        #expect(last?["result"]?["late"]?.bool == true, "\(last?.json ?? "no answer")")
        #expect(try daemon.stop() == .exited(0))
    }
}
