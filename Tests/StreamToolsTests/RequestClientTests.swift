import LinuxSystem
@testable import StreamTools
import Synchronization
import Testing
import WireFormats
import ZeroMQ

/// A reply socket that answers with what a closure says; nil leaves a request without an answer.
private final class AnsweringServer: Sendable {
    let endpoint: String
    private let thread: SystemThread
    private let flag: Flag

    init(_ answer: @escaping @Sendable (_ method: String, _ id: UInt64, _ params: JSONTree) -> [String]) throws {
        let context = try ZeroMQContext()
        let socket = try ZeroMQSocket(context, .router, options: .requests)
        try socket.bind("tcp://127.0.0.1:*")
        endpoint = try socket.lastEndpoint().description
        socket.handOver()
        let flag = Flag()
        self.flag = flag
        thread = try SystemThread(name: "answers") {
            let message = MultipartMessage()
            let poller = ZeroMQPoller()
            let parser = JSONParser()
            poller.add(socket)
            while !flag.isSet {
                guard let ready = try? poller.wait(timeoutMilliseconds: 20), ready > 0 else { continue }
                while let result = try? socket.receive(into: message, wait: false), result == .message {
                    guard let root = try? parser.parse(message[message.count - 1]) else { continue }
                    let request = JSONTree(root)
                    let id = UInt64(request["id"]?.integer ?? 0)
                    // A copy, for an envelope that is moved out answers once.
                    let envelope = message.envelope
                    for text in answer(request["method"]?.string ?? "", id, request["params"] ?? .null) {
                        var text = text
                        _ = try? text.withUTF8 { try socket.reply(to: envelope, UnsafeRawBufferPointer($0)) }
                    }
                }
            }
            socket.close()
            context.terminate()
        }
    }

    /// Set by the test, read by the server's thread.
    private final class Flag: Sendable {
        private let value = Atomic<Bool>(false)
        var isSet: Bool { value.load(ordering: .acquiring) }
        func set() { value.store(true, ordering: .releasing) }
    }

    deinit {
        flag.set()
        thread.join()
    }
}

@Suite("Request client")
struct RequestClientTests {
    @Test("Calls, scores and recommends; parameters as the contract has them")
    func methods() throws {
        let server = try AnsweringServer { method, id, params in
            let result = switch method {
            case "score": #"{"scores":[0.5,null],"position":7}"#
            case "recommend": #"{"items":[{"item":"b","score":1.5},{"item":4,"score":1}],"position":9,"fallback":"popularity"}"#
            default: params.json
            }
            return [#"{"jsonrpc":"2.0","id":\#(id),"result":\#(result)}"#]
        }
        let client = try RequestClient(endpoint: server.endpoint)
        #expect(try client.call("echo", ["a": [1, 2.5, "x"], "b": true]) == ["a": [1, 2.5, "x"], "b": true])
        let scores = try client.score(user: .text("u"), items: [.integer(1), .text("b")])
        #expect(scores[0] == 0.5 && scores[1].isNaN)
        let answer = try client.recommend(user: .integer(3), count: 2)
        #expect(answer == Recommendations(
            items: [Recommendation(item: .text("b"), score: 1.5), Recommendation(item: .integer(4), score: 1)], position: 9,
            fallback: "popularity"))
        #expect(RequestClient.recommendParameters(
            user: .integer(3), count: 2, excludeSeen: false, exclude: [.text("a")],
            context: [ContextPair(field: "hour", value: .integer(4))]).json
            == #"{"user":3,"n":2,"exclude_seen":false,"exclude":["a"],"context":{"hour":4}}"#)
        var rules = ListRules()
        rules.filter = "price < 5"
        rules.boosts = [ListRules.Boost(when: "a", add: 0.5)]
        rules.caps = [ListRules.Cap(field: "brand", limit: 2)]
        (rules.diversity, rules.offset, rules.minimumScore, rules.candidates) = (0.25, 3, -1.5, [.integer(4)])
        #expect(RequestClient.recommendParameters(user: .integer(3), count: 2, excludeSeen: true, exclude: [], context: [], rules: rules).json
            == #"{"user":3,"n":2,"exclude_seen":true,"candidates":[4],"filter":"price < 5","boosts":[{"when":"a","add":0.5}],"min_score":-1.5,"caps":[{"field":"brand","limit":2}],"diversity":0.25,"offset":3}"#)
    }

    @Test("Errors of the daemon come as such; late and foreign answers are passed over")
    func errors() throws {
        let server = try AnsweringServer { method, id, _ in
            switch method {
            case "bad": [#"{"jsonrpc":"2.0","id":\#(id),"error":{"code":-32601,"message":"no such method"}}"#]
            case "odd": [#"{"jsonrpc":"2.0","id":\#(id)}"#]
            case "late": ["not json", #"{"id":999,"result":0}"#, #"{"id":\#(id),"result":"right"}"#]
            default: []
            }
        }
        let client = try RequestClient(endpoint: server.endpoint, deadlineSeconds: 5)
        #expect(throws: StreamToolsError.refused(method: "bad", code: -32601, message: "no such method")) { _ = try client.call("bad") }
        #expect(try client.call("late") == "right")
        #expect {
            _ = try client.call("odd")
        } throws: { error in
            if case .malformedAnswer? = error as? StreamToolsError { true } else { false }
        }
        client.deadlineSeconds = 0.1
        #expect(throws: StreamToolsError.noAnswer(method: "silent", endpoint: server.endpoint, seconds: 0.1)) {
            _ = try client.call("silent")
        }
        client.deadlineSeconds = 5
        #expect(try client.call("late") == "right")
    }

    @Test("Nobody there: an error that says so")
    func nobody() throws {
        let client = try RequestClient(endpoint: "ipc:///nonexistent/factord.sock", deadlineSeconds: 0.1)
        #expect(throws: StreamToolsError.noAnswer(method: "ping", endpoint: client.endpoint, seconds: 0.1)) { _ = try client.call("ping") }
        #expect(throws: StreamToolsError.self) { _ = try RequestClient(endpoint: "nowhere") }
    }

    @Test("A push sink delivers all before it closes, and gives up on a receiver that is not there")
    func sink() throws {
        let context = try ZeroMQContext()
        let receiver = try ZeroMQSocket(context, .pull, options: .ingest(.pull))
        try receiver.bind("tcp://127.0.0.1:*")
        let endpoint = try receiver.lastEndpoint().description
        let sink = try ZeroMQSink(endpoint: endpoint)
        let publisher = try Publisher(to: sink, options: PublishOptions(format: .json))
        for index in 0..<3000 { try publisher.publish(DatasetEvent(user: .integer(Int64(index)), item: .integer(1))) }
        #expect(try publisher.finish())
        let message = MultipartMessage()
        let poller = ZeroMQPoller()
        poller.add(receiver)
        var received = 0
        while try poller.wait(timeoutMilliseconds: 2000) > 0 {
            while try receiver.receive(into: message, wait: false) == .message {
                #expect(message.string(0).hasPrefix("{\"user\":\(received),"))
                received += 1
            }
            if received == 3000 { break }
        }
        #expect(received == 3000)
        receiver.close()
        context.terminate()

        let lonely = try ZeroMQSink(endpoint: "ipc:///nonexistent/factord.sock", patience: 0.1, lingerMilliseconds: 0)
        #expect(throws: StreamToolsError.queueFull(endpoint: "ipc:///nonexistent/factord.sock", seconds: 0.1)) {
            try lonely.send([[1]])
        }
    }
}
