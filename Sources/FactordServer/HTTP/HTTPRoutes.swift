import WireFormats

/// What stands behind each path. Belongs to the HTTP thread.
final class HTTPRoutes {
    /// A page that is read, as callers know it.
    struct Page: Sendable {
        let path: String
        let summary: String
        let type: String
        /// Status and meaning.
        let answers: [(String, String)]
    }

    static let pages: [Page] = [
        Page(path: "/metrics", summary: "All counters and gauges for Prometheus", type: "text/plain", answers: [("200", "Metrics in Prometheus' text format")]),
        Page(path: "/livez", summary: "Whether the process is alive", type: "text/plain", answers: [("200", "It is"), ("503", "A thread of it is stuck; the text says which")]),
        Page(
            path: "/readyz", summary: "Whether the daemon answers and keeps what it learns", type: "text/plain",
            answers: [("200", "It does"), ("503", "It does not; the text says why")]),
        Page(path: "/openapi.json", summary: "This document", type: "application/json", answers: [("200", "An OpenAPI 3.1 document")]),
    ]

    /// What a request comes to.
    enum Answer {
        case response(HTTPResponse)
        /// To be asked again when the position is reached or the time is over.
        case wait(position: UInt64, milliseconds: Int)
    }

    /// Nil until the state is recovered.
    private var served: HTTPServer.Served?
    private let parser: JSONParser
    private var writer = JSONWriter(capacity: 1 << 14)
    private let waiting = WaitState()

    init(maxBody: Int) { parser = JSONParser(maxBytes: max(maxBody, 4 << 20)) }

    var isServing: Bool { served != nil }

    /// From now on methods are answered.
    func serve(_ served: HTTPServer.Served) { self.served = served }

    /// - Parameter isFinal: the request has waited long enough.
    func answer(_ request: HTTPRequest, _ body: ArraySlice<UInt8>, isFinal: Bool) -> Answer {
        if request.path.hasPrefix("/v1/") {
            guard let method = MethodDescription.named(request.path.dropFirst(4), at: .requests) else {
                return .response(.error(.methodNotFound(String(request.path.dropFirst(4).prefix(128)))))
            }
            guard request.method == "POST" else { return .response(HTTPRoutes.wrongMethod(allowed: "POST")) }
            return call(method, body, isFinal: isFinal)
        }
        guard request.path == "/" || HTTPRoutes.pages.contains(where: { $0.path == request.path }) else {
            return .response(.text("nothing is here; / names what there is", status: 404))
        }
        guard request.method == "GET" || request.method == "HEAD" else { return .response(HTTPRoutes.wrongMethod(allowed: "GET, HEAD")) }
        switch request.path {
        case "/livez": return .response(liveness())
        case "/readyz": return .response(readiness())
        case "/metrics": return .response(HTTPResponse(content: .metrics, body: Array(metrics().utf8)))
        case "/openapi.json": return .response(HTTPResponse(body: OpenAPIDocument.json()))
        default: return .response(.text(HTTPRoutes.index))
        }
    }

    private static func wrongMethod(allowed: String) -> HTTPResponse {
        var response = HTTPResponse.text("use \(allowed)", status: 405)
        response.fields = "Allow: \(allowed)\r\n"
        return response
    }

    private static let index: String = {
        let all = HTTPRoutes.pages.map { "GET  \($0.path)  \($0.summary)" }
        let methods = MethodDescription.all.filter { $0.place == .requests }.map { "POST /v1/\($0.name)  \($0.summary)" }
        return (["factord"] + all + methods).joined(separator: "\n")
    }()

    private func liveness() -> HTTPResponse {
        if let fault = served?.stats.vitals.fault { return .text("stuck: \(fault)", status: 503) }
        return .text("alive")
    }

    private func readiness() -> HTTPResponse {
        guard let served else { return .text("recovering: the journal is applied", status: 503) }
        if let fault = served.stats.fault { return .text("degraded: storage: \(fault)", status: 503) }
        return .text("ready")
    }

    private func call(_ method: MethodDescription, _ body: ArraySlice<UInt8>, isFinal: Bool) -> Answer {
        guard let served else { return .response(.error(.notAvailable("recovering"))) }
        waiting.isFinal = isFinal
        waiting.wanted = nil
        do throws(JSONRPCError) {
            try JSONRPC.call(method.name, parameters: body, with: parser, into: &writer) { (request, writer) throws(JSONRPCError) in
                try served.methods.answer(request, waiting: waiting, into: &writer)
            }
        } catch {
            if let wanted = waiting.wanted { return .wait(position: wanted.position, milliseconds: wanted.milliseconds) }
            return .response(.error(error))
        }
        return .response(HTTPResponse(body: Array(writer.bytes)))
    }

    private func metrics() -> String {
        var metrics = MetricsText()
        metrics.add("factord_ready", "gauge", served != nil && served?.stats.fault == nil ? "1" : "0")
        guard let served else { return metrics.text }
        writer.reset()
        served.stats.write(into: &writer)
        // What was written is JSON; a text over the parser's limit would leave the numbers out, and say so.
        if let stats = try? parser.parse(writer.bytes) { metrics.add(stats) } else { metrics.add("factord_stats_too_long", "gauge", "1") }
        for (name, histogram) in served.stats.latencies { metrics.add("factord_request_duration_seconds", [("socket", name)], histogram) }
        return metrics.text
    }
}
