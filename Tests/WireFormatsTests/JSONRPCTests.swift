import Factorization
import Testing
import WireFormats

/// The examples of the standard (jsonrpc.org, section 7) with its own methods, and factord's parameters.
@Suite struct JSONRPCTests {
    /// The reply's text, nil where none is due.
    func ask(_ body: String, maxBytes: Int = 1 << 20, batchLimit: Int = 1000) -> String? {
        let parser = JSONParser(maxBytes: maxBytes)
        var writer = JSONWriter()
        let bytes = Array(body.utf8)
        let isDue = bytes.withUnsafeBytes { body in
            JSONRPC.answer(body, with: parser, batchLimit: batchLimit, into: &writer) {
                (request, writer) throws(JSONRPCError) in
                switch request.methodName {
                case "subtract":
                    if let elements = request.params?.elements {
                        let numbers = elements.compactMap(\.int64)
                        writer.value(numbers[0] - numbers[1])
                    } else {
                        let named = try JSONRPCParameters(of: request)
                        writer.value(try named.integer("minuend", in: -99...99) - named.integer("subtrahend", in: -99...99))
                    }
                case "sum": writer.value(request.params?.elements?.reduce(0) { $0 + $1.int64! } ?? 0)
                case "get_data":
                    writer.beginArray()
                    writer.value("hello")
                    writer.value(5)
                    writer.endArray()
                case "half":
                    writer.beginObject()
                    writer.key("lost")
                    throw .busy("in the middle of an answer")
                case "update", "notify_hello", "notify_sum": writer.value(true)
                default: throw .methodNotFound(request.methodName)
                }
            }
        }
        return isDue ? writer.string : nil
    }

    func error(_ code: Int, id: String = "null", _ message: String) -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"error":{"code":\#(code),"message":"\#(message)"}}"#
    }

    @Test func callsAndNotifications() {
        #expect(ask(#"{"jsonrpc":"2.0","method":"subtract","params":[42,23],"id":1}"#) == #"{"jsonrpc":"2.0","id":1,"result":19}"#)
        #expect(
            ask(#"{"jsonrpc":"2.0","method":"subtract","params":{"subtrahend":23,"minuend":42},"id":"a\"\n"}"#)
                == #"{"jsonrpc":"2.0","id":"a\"\n","result":19}"#)
        #expect(ask(#"{"jsonrpc":"2.0","method":"update","params":[1,2,3]}"#) == nil)
        #expect(ask(#"{"jsonrpc":"2.0","method":"foobar"}"#) == nil)
        #expect(ask(#"{"jsonrpc":"2.0","method":"update","id":null}"#) == #"{"jsonrpc":"2.0","id":null,"result":true}"#)
        for id in ["0", "-7", "18446744073709551615", "1.5", "\"\""] {
            #expect(ask("{\"jsonrpc\":\"2.0\",\"method\":\"update\",\"id\":\(id)}") == "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":true}")
        }
    }

    @Test func faults() throws {
        #expect(ask(#"{"jsonrpc":"2.0","method":"foobar","id":"1"}"#) == error(-32601, id: "\"1\"", "method not found: foobar"))
        let parse = try #require(ask(#"{"jsonrpc":"2.0","method":"foobar,"params":"bar","baz]"#))
        #expect(parse.hasPrefix(#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"#))
        #expect(ask(#"{"jsonrpc":"2.0","method":1,"params":"bar"}"#) == error(-32600, "invalid request: method: not a name"))
        #expect(ask(#"{"jsonrpc":"2.0","method":"update","params":"bar","id":3}"#)
            == error(-32600, id: "3", "invalid request: params: neither an object nor an array"))
        #expect(ask(#"{"method":"update","id":3}"#)?.contains("-32600") == true)
        #expect(ask(#"{"jsonrpc":"2.0","method":"update","id":[3]}"#) == error(-32600, "invalid request: id: not a string, a number or null"))
        #expect(ask(#"{"jsonrpc":"2.0","method":"half","id":3}"#) == error(-32002, id: "3", "busy: in the middle of an answer"))
        #expect(ask(String(repeating: " ", count: 100), maxBytes: 64) == error(-32001, "the body has 100 bytes, the limit is 64"))
    }

    @Test func batches() throws {
        #expect(ask("[]") == error(-32600, "invalid request: the batch is empty"))
        let broken = try #require(ask(#"[{"jsonrpc":"2.0","method":"sum","params":[1,2,4],"id":"1"},{"jsonrpc":"2.0","method"]"#))
        #expect(broken.hasPrefix(#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"#), "one error, no array")
        let invalid = error(-32600, "invalid request: not an object")
        #expect(ask("[1]") == "[\(invalid)]")
        #expect(ask("[1,2,3]") == "[\(invalid),\(invalid),\(invalid)]")
        #expect(ask("[1,2,3]", batchLimit: 2) == error(-32600, "invalid request: a batch of 3 requests, the limit is 2"))
        #expect(
            ask(
                #"[{"jsonrpc":"2.0","method":"sum","params":[1,2,4],"id":"1"},{"jsonrpc":"2.0","method":"notify_hello","params":[7]},{"jsonrpc":"2.0","method":"subtract","params":[42,23],"id":"2"},{"foo":"boo"},{"jsonrpc":"2.0","method":"foo.get","params":{"name":"myself"},"id":"5"},{"jsonrpc":"2.0","method":"get_data","id":"9"}]"#)
                == #"[{"jsonrpc":"2.0","id":"1","result":7},{"jsonrpc":"2.0","id":"2","result":19},"#
                + error(-32600, #"invalid request: jsonrpc: not \"2.0\""#) + "," + error(-32601, id: "\"5\"", "method not found: foo.get")
                + #",{"jsonrpc":"2.0","id":"9","result":["hello",5]}]"#)
        #expect(ask(#"[{"jsonrpc":"2.0","method":"notify_sum","params":[1]},{"jsonrpc":"2.0","method":"half"}]"#) == nil)
    }

    func parameters<Value>(
        _ json: String, _ body: (JSONRPCParameters) throws(JSONRPCError) -> Value
    ) -> Result<Value, JSONRPCError> {
        let parser = JSONParser()
        let root = try! parser.parse(#"{"jsonrpc":"2.0","id":1,"method":"m","params":\#(json)}"#)
        guard case .request(let request) = JSONRPCRequest.read(root) else { return .failure(.internalError("no request")) }
        return Result { () throws(JSONRPCError) in try body(JSONRPCParameters(of: request)) }
    }

    @Test func parametersAreTyped() {
        let json = #"{"n":10,"user":"7","items":["a",1,"b"],"flag":true,"rate":0.5,"after":18446744073709551615,"context":{"h":1},"none":null,"name":"x"}"#
        #expect(parameters(json) { p throws(JSONRPCError) in try p.integer("n", in: 1...100) } == .success(10))
        #expect(parameters(json) { p throws(JSONRPCError) in try p.integer("none", default: 3, in: 1...100) } == .success(3))
        #expect(parameters(json) { p throws(JSONRPCError) in try p.bool("flag", default: false) } == .success(true))
        #expect(parameters(json) { p throws(JSONRPCError) in try p.number("rate", in: 0...1) } == .success(0.5))
        #expect(parameters(json) { p throws(JSONRPCError) in try p.unsigned("after") } == .success(.max))
        #expect(parameters(json) { p throws(JSONRPCError) in try p.text("name").map { $0.equals("x") } } == .success(true))
        #expect(parameters(json) { p throws(JSONRPCError) in
            try p.key("user", policy: .canonical, hashing: hashing).map(show) } == .success("#7"))
        #expect(parameters(json) { p throws(JSONRPCError) in
            var shown: [String] = []
            try p.forEachKey("items", limit: 3, policy: .exact, hashing: hashing) { shown.append(show($0)) }
            return shown
        } == .success(["\"a\"", "#1", "\"b\""]))
    }

    @Test func parameterFaultsNameTheParameter() {
        func message(_ json: String, _ body: (JSONRPCParameters) throws(JSONRPCError) -> Void) -> String {
            guard case .failure(let error) = parameters(json, body) else { return "no error" }
            #expect(error.code == -32602)
            return error.message
        }
        #expect(message(#"{"items":[1,2,"x",true]}"#) { p throws(JSONRPCError) in
            try p.forEachKey("items", limit: 9, policy: .canonical, hashing: hashing) { _ in }
        }.hasPrefix("params.items[3]: an id is a string"))
        #expect(message(#"{"items":[1,2]}"#) { p throws(JSONRPCError) in _ = try p.array("items", limit: 1) } == "params.items: 2 elements, the limit is 1")
        #expect(message(#"{"n":0}"#) { p throws(JSONRPCError) in _ = try p.integer("n", in: 1...5) } == "params.n: an integer from 1 to 5 is expected")
        #expect(message("{}") { p throws(JSONRPCError) in _ = try p.integer("n", in: 1...5) } == "params.n: missing")
        #expect(message("[]") { p throws(JSONRPCError) in _ = p.value("n") }.hasPrefix("params: an object"))
        #expect(message(#"{"user":1.5}"#) { p throws(JSONRPCError) in
            _ = try p.key("user", policy: .exact, hashing: hashing) }.hasPrefix("params.user: an id is"))
    }
}
