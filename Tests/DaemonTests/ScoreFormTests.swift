import StreamTools
import Testing
import ZeroMQ

/// The forms of `score`: one user and items, pairs, columns. All give the same scores.
@Suite("Score")
struct ScoreFormTests {
    private func request(_ params: String) -> [UInt8] { Array(RequestTests.request("score", params).utf8) }

    private func floats(_ frame: [UInt8]) -> [Float] {
        stride(from: 0, to: frame.count, by: 4).map { start in
            var word: UInt32 = 0
            for byte in 0..<4 { word |= UInt32(frame[start + byte]) << UInt32(8 * byte) }
            return Float(bitPattern: word)
        }
    }

    /// Asks over a DEALER with these frames; answers the frames of the reply.
    private func ask(_ socket: ZeroMQSocket, _ frames: [[UInt8]]) throws -> [[UInt8]] {
        try socket.deliver([[]] + frames)
        let message = MultipartMessage(frameLimit: 8, byteLimit: 64 << 20), poller = ZeroMQPoller()
        poller.add(socket)
        let reply = try eventually(seconds: 30) { () -> [[UInt8]]? in
            _ = try poller.wait(timeoutMilliseconds: 50)
            guard try socket.receive(into: message, wait: false) == .message else { return nil }
            return (1..<message.count).map { Array(message[$0]) }
        }
        guard let reply else { throw Unexpected("no answer") }
        return reply
    }

    private func column(_ items: [Int]) -> [UInt8] { items.flatMap { item in (0..<8).map { UInt8(truncatingIfNeeded: item >> ($0 * 8)) } } }

    @Test("Columns and pairs give the scores that a list gives, unknown ids among them, in and beside context")
    func forms() throws {
        let daemon = try DaemonProcess()
        try daemon.sender().deliver(columnarFrames(0..<4000))
        try daemon.wait(for: 4000)
        let client = try RawClient(to: daemon.requests, daemon.context)
        // More than are looked up one by one, ones that nobody knows among them.
        let items = (0..<300).map { $0 % 7 == 3 ? 1_000_000 + $0 : $0 }
        let list = items.map(String.init).joined(separator: ",")
        func scores(_ params: String) throws -> (scores: [Float], answer: JSONTree) {
            let answer = try client.ask(RequestTests.request("score", params))
            let result = try #require(answer["result"], "\(answer.json)")
            return (result["scores"]?.array?.compactMap { $0.number.map { Float($0) } } ?? [], result)
        }
        for rest in ["", #","context":{"hour":13},"probability":true"#] {
            let plain = try scores(#"{"user":5,"items":[\#(list)]\#(rest)}"#)
            #expect(plain.scores.count == items.count && Set(plain.scores).count > 100)
            let reply = try ask(client.socket, [request(#"{"user":5,"items_frame":true\#(rest)}"#), column(items)])
            #expect(reply.count == 2)
            let header = try parsed(String(decoding: reply[0], as: UTF8.self))["result"]
            #expect(floats(reply[1]) == plain.scores && header?["count"]?.integer == items.count && header?["scores"] == nil)
            #expect(header?["unknown_items"] == plain.answer["unknown_items"] && header?["position"] == plain.answer["position"])

            let pairs = try scores(#"{"pairs":[\#(items.map { "[5,\($0)]" }.joined(separator: ","))]\#(rest)}"#)
            #expect(pairs.scores == plain.scores && pairs.answer["unknown_items"] == plain.answer["unknown_items"])
        }
        // Users that change from pair to pair, and one that nobody knows.
        let users = [1, 1, 2, 77_777, 2, 1]
        let mixed = try scores(#"{"pairs":[\#(users.map { "[\($0),9]" }.joined(separator: ","))]}"#)
        for (index, user) in users.enumerated() { #expect(try mixed.scores[index] == scores(#"{"user":\#(user),"items":[9]}"#).scores[0]) }
        #expect(mixed.answer["unknown_users"]?.array == [3] && mixed.answer["fallback"]?.string == "item_bias")
        #expect(try scores(#"{"pairs":[]}"#).scores == [] && ask(client.socket, [request(#"{"user":5,"items_frame":true}"#), []]).last == [])
        // A request that waits keeps its column.
        try client.socket.deliver([[], request(#"{"user":5,"items_frame":true,"after":4001,"deadline_ms":60000}"#), column([1, 2])])
        let good = try ask(client.socket, [request(#"{"user":5,"items_frame":true}"#), column([1])])
        #expect(floats(try #require(good.last)).count == 1)
        try daemon.sender().deliver(columnarFrames(4000..<4001))
        let waited = try #require(try client.socket.next())
        #expect(waited.count == 3 && waited[1].contains(#""count":2"#))
    }

    @Test("A form that does not fit is refused, and says what is at fault")
    func faults() throws {
        let daemon = try DaemonProcess()
        let client = try RawClient(to: daemon.requests, daemon.context)
        for (params, frames, word) in [
            (#"{"user":5,"items_frame":true}"#, [], "items_frame"), (#"{"user":5,"items_frame":true}"#, [[1, 2, 3]], "items_frame"),
            (#"{"user":5,"items":[1],"items_frame":true}"#, [column([1])], "params.items"), (#"{"items_frame":true}"#, [column([1])], "params.user"),
            (#"{"pairs":[[1,2]],"user":5}"#, [], "pairs"), (#"{"pairs":[[1]]}"#, [], "params.pairs[0]"), (#"{"pairs":[[1,2],[1,null]]}"#, [], "params.pairs[1]"),
            (#"{"pairs":{}}"#, [], "pairs"), (#"{"user":5,"items":[1]}"#, [[1], [2], [3]], "frames"),
        ] as [(String, [[UInt8]], String)] {
            let reply = try parsed(String(decoding: try ask(client.socket, [request(params)] + frames)[0], as: UTF8.self))
            #expect(reply["error"]?["message"]?.string?.contains(word) == true, "\(params): \(reply.json)")
        }
    }
}
