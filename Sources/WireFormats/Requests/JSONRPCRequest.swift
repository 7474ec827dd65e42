/// One request of JSON-RPC 2.0: a view on the parser's document, valid until the parser's next text.
public struct JSONRPCRequest {
    /// The id to be echoed; nil for a notification, which gets no reply.
    public let id: JSONValue?
    /// The method's name, not empty.
    public let method: UnsafeRawBufferPointer
    /// An object or an array; nil where absent or `null`.
    public let params: JSONValue?

    public var isNotification: Bool { id == nil }
    public var methodName: String { String(decoding: method.prefix(128), as: UTF8.self) }
}

/// What an object of a body turned out to be.
public enum JSONRPCElement {
    case request(JSONRPCRequest)
    /// No request, with the id under which its error goes out (nil is written as `null`).
    case fault(id: JSONValue?, error: JSONRPCError)
}

/// A request body.
public enum JSONRPCBody {
    case single(JSONRPCElement)
    /// One or more elements; each is to be read with `JSONRPCRequest.read`.
    case batch(JSONElements)

    /// Reads a body: a request, or an array of them.
    /// - Throws: -32700 for what is not JSON, -32001 over the parser's limit, -32600 for an empty or too long batch.
    public static func parse(
        _ body: UnsafeRawBufferPointer, with parser: JSONParser, batchLimit: Int = 1000
    ) throws(JSONRPCError) -> JSONRPCBody {
        let root: JSONValue
        do throws(JSONError) {
            root = try parser.parse(body)
        } catch {
            if case .tooLarge(let bytes, let limit) = error { throw .tooLarge(bytes: bytes, limit: limit) }
            throw .parseError(error.description)
        }
        guard let elements = root.elements else { return .single(JSONRPCRequest.read(root)) }
        let count = root.count
        guard count > 0 else { throw .invalidRequest("the batch is empty") }
        guard count <= batchLimit else { throw .invalidRequest("a batch of \(count) requests, the limit is \(batchLimit)") }
        return .batch(elements)
    }
}

extension JSONRPCRequest {
    /// Reads one request object.
    public static func read(_ value: JSONValue) -> JSONRPCElement {
        guard value.isObject else { return .fault(id: nil, error: .invalidRequest("not an object")) }
        let id = value["id"]
        if let id, id.isObject || id.isArray || id.bool != nil {
            return .fault(id: nil, error: .invalidRequest("id: not a string, a number or null"))
        }
        func fault(_ detail: String) -> JSONRPCElement {
            .fault(id: id, error: .invalidRequest(detail))
        }
        guard let version = value["jsonrpc"]?.stringBytes, version.equals("2.0") else { return fault("jsonrpc: not \"2.0\"") }
        guard let method = value["method"]?.stringBytes, !method.isEmpty else { return fault("method: not a name") }
        var params = value["params"]
        if params?.isNull == true { params = nil }
        if let params, !params.isObject, !params.isArray { return fault("params: neither an object nor an array") }
        return .request(JSONRPCRequest(id: id, method: method, params: params))
    }
}
