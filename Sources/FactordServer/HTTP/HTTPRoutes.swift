import LinuxSystem
import Persistence
import Synchronization
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
        Page(
            path: "/", summary: "The dashboard", type: "text/html",
            answers: [("200", "A page that shows live what the daemon does; plain text with all paths where its files are missing")]),
        Page(
            path: "/samples/seconds.json", summary: "What the dashboard draws: each of the last ten minutes' seconds", type: "application/json",
            answers: [("200", "Series by name, oldest first; null is nothing"), ("503", "Not yet: the state is being recovered")]),
        Page(
            path: "/samples/minutes.json", summary: "The same for each minute of the last day", type: "application/json",
            answers: [("200", "Series by name, oldest first; null is nothing"), ("503", "Not yet: the state is being recovered")]),
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

    private let assets: DashboardAssets
    private let counters: HTTPCounters

    init(maxBody: Int, assets: DashboardAssets = .none, counters: HTTPCounters = HTTPCounters()) {
        parser = JSONParser(maxBytes: max(maxBody, 4 << 20))
        self.assets = assets
        self.counters = counters
    }

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
        let asset = assets.response(request.path)
        guard asset != nil || HTTPRoutes.pages.contains(where: { $0.path == request.path }) else {
            return .response(.text("nothing is here; /openapi.json names what there is", status: 404))
        }
        guard request.method == "GET" || request.method == "HEAD" else { return .response(HTTPRoutes.wrongMethod(allowed: "GET, HEAD")) }
        if let asset { return .response(asset) }
        switch request.path {
        case "/livez": return .response(liveness())
        case "/readyz": return .response(readiness())
        case "/metrics": return .response(HTTPResponse(content: .metrics, body: Array(metrics().utf8)))
        case "/openapi.json": return .response(HTTPResponse(body: OpenAPIDocument.json()))
        case "/samples/seconds.json": return .response(samples(.seconds))
        case "/samples/minutes.json": return .response(samples(.minutes))
        default: return .response(.text([assets.problem, HTTPRoutes.index].compactMap { $0 }.joined(separator: "\n\n")))
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
        let began = MonotonicClock.nanoseconds
        func count(_ code: Int?) {
            counters.methods.count(
                counters.methods.number(method.name), MethodCounters.Outcome(code: code), microseconds: (MonotonicClock.nanoseconds - began) / 1000)
        }
        do throws(JSONRPCError) {
            try JSONRPC.call(method.name, parameters: body, with: parser, into: &writer) { (request, writer) throws(JSONRPCError) in
                try served.methods.answer(request, waiting: waiting, into: &writer)
            }
        } catch {
            if let wanted = waiting.wanted { return .wait(position: wanted.position, milliseconds: wanted.milliseconds) }
            count(error.code)
            return .response(.error(error))
        }
        count(nil)
        return .response(HTTPResponse(body: Array(writer.bytes)))
    }

    private func samples(_ span: SampleHistory.Span) -> HTTPResponse {
        guard let served else { return .error(.notAvailable("recovering")) }
        writer.reset()
        served.stats.samples.write(span, into: &writer)
        return HTTPResponse(body: Array(writer.bytes))
    }

    private func metrics() -> String {
        var page = MetricsPage()
        page.add("factord_ready", [], served != nil && served?.stats.fault == nil ? "1" : "0")
        guard let served else { return page.text }
        let stats = served.stats
        writer.reset()
        stats.write(into: &writer)
        // What was written is JSON; a text over the parser's limit would leave the numbers out.
        if let stats = try? parser.parse(writer.bytes) { page.add(stats) }
        if let journal = stats.journal?.journal { page.add("factord_journal_sync_duration_seconds", times: journal.syncTimes.counts) }
        page.add("factord_learning_delay_seconds", times: stats.learningDelays.counts)
        for (socket, methods) in [("requests", stats.requests?.methods), ("admin", stats.admin?.methods), ("http", counters.methods)] {
            for (method, counts, times) in methods?.all ?? [] {
                for outcome in MethodCounters.Outcome.allCases {
                    page.add("factord_requests_total", [("socket", socket), ("method", method), ("outcome", outcome.name)], "\(counts[outcome.rawValue])")
                }
                page.add("factord_request_duration_seconds", [("socket", socket), ("method", method)], times: times)
            }
        }
        for (name, count) in [("2xx", counters.succeeded.load(ordering: .relaxed)), ("4xx", counters.clientErrors.load(ordering: .relaxed)), ("5xx", counters.serverErrors.load(ordering: .relaxed))] {
            page.add("factord_http_responses_total", [("class", name)], "\(count)")
        }
        page.add("factord_http_response_duration_seconds", times: counters.latency.buckets)
        return page.text
    }
}
