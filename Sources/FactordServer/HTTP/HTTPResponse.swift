import WireFormats

/// An answer of HTTP.
struct HTTPResponse {
    enum Content: String {
        case json = "application/json"
        case text = "text/plain; charset=utf-8"
        case html = "text/html; charset=utf-8"
        case style = "text/css; charset=utf-8"
        case script = "text/javascript; charset=utf-8"
        case picture = "image/svg+xml"
        /// The text format of Prometheus.
        case metrics = "text/plain; version=0.0.4; charset=utf-8"
    }

    var status = 200
    var content = Content.json
    var body: [UInt8] = []
    /// Further fields, each with its CR LF.
    var fields = ""

    static func text(_ text: String, status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, content: .text, body: Array((text + "\n").utf8))
    }

    /// `{"error":{"code":…,"message":…}}`, as the reply socket has it, under the status that goes with the code.
    static func error(_ error: JSONRPCError) -> HTTPResponse {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("error")
        writer.value(error)
        writer.endObject()
        let status = status(of: error.code)
        return HTTPResponse(status: status, body: Array(writer.bytes), fields: status == 503 ? "Retry-After: 1\r\n" : "")
    }

    /// What was no request, or too large a one, in the same form.
    static func refusal(_ refusal: HTTPRefusal) -> HTTPResponse {
        let invalid = JSONRPCError.invalidRequest(refusal.detail)
        var response = error(refusal.status == 413 ? JSONRPCError(code: -32001, message: refusal.detail) : invalid)
        response.status = refusal.status
        return response
    }

    /// The status that goes with a code of JSON-RPC.
    static func status(of code: Int) -> Int {
        switch code {
        case -32700, -32600, -32602: 400
        case -32601: 404
        case -32001: 413
        case -32002: 503
        case -32003: 504
        case -32004: 503
        default: 500
        }
    }

    private static let reasons: [Int: String] = [
        200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout", 411: "Length Required",
        413: "Content Too Large", 417: "Expectation Failed", 421: "Misdirected Request", 431: "Request Header Fields Too Large", 500: "Internal Server Error",
        503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
    ]

    /// The bytes of the answer.
    /// - Parameters:
    ///   - isHead: the request was HEAD: the body's length is told, the body is not sent.
    ///   - isLast: the connection ends with it.
    func bytes(isHead: Bool, isLast: Bool) -> [UInt8] {
        let head = """
            HTTP/1.1 \(status) \(HTTPResponse.reasons[status] ?? "Unknown")\r\nContent-Type: \(content.rawValue)\r\nContent-Length: \(body.count)\r\n\
            Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\(fields)\(isLast ? "Connection: close\r\n" : "")\r\n
            """
        return isHead ? Array(head.utf8) : Array(head.utf8) + body
    }
}
