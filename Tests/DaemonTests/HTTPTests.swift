import Glibc
import StreamTools
import Testing
import ZeroMQ

/// The HTTP side of a daemon: methods, pages, and clients that behave badly.
@Suite("HTTP")
struct HTTPTests {
    private func taught(_ settings: [String] = []) throws -> DaemonProcess {
        let daemon = try DaemonProcess(settings)
        try daemon.sender().deliver(eventsJSON(0..<500))
        try daemon.wait(for: 500)
        return daemon
    }

    @Test("A method answers what the reply socket answers; errors carry its codes under HTTP's statuses")
    func methods() throws {
        let daemon = try taught()
        let client = try daemon.client(), http = try HTTPClient(path: daemon.http)
        for (method, params) in [
            ("score", #"{"user":"u1","items":["i1","nobody knows","i2"],"probability":true}"#), ("recommend", #"{"user":"u1","n":5,"exclude":["i3"]}"#),
            ("ping", "{}"),
        ] {
            let answer = try http.ask("POST", "/v1/\(method)", params)
            #expect(answer.status == 200 && answer.fields["content-type"] == "application/json", "\(answer)")
            let expected = try client.call(method, parsed(params))
            // What is durable may have grown in between.
            #expect(method == "ping" ? answer.json?["pong"] == expected["pong"] : answer.json == expected, "\(answer.body)")
        }
        #expect(try http.ask("POST", "/v1/stats").json?["http"]?["succeeded"]?.integer == 3)
        for (path, body, status, code) in [
            ("score", "{", 400, -32700), ("score", "[1]", 400, -32602), ("score", #"{"user":"u1"}"#, 400, -32602), ("dance", "{}", 404, -32601),
            ("snapshot", "{}", 404, -32601), ("score", #"{"user":"u1","items_frame":true}"#, 400, -32602),
            ("score", #"{"user":"u1","items":[1],"after":-1}"#, 400, -32602),
        ] {
            let answer = try http.ask("POST", "/v1/\(path)", body)
            #expect(answer.status == status && answer.json?["error"]?["code"]?.integer == code, "\(path) \(body): \(answer)")
        }
        let wrong = try http.ask("GET", "/v1/score")
        #expect(wrong.status == 405 && wrong.fields["allow"] == "post")
        #expect(try http.ask("GET", "/nothing").status == 404 && http.ask("DELETE", "/livez").status == 405)
        #expect(try daemon.stop() == .exited(0))
    }

    @Test("Metrics, health and the document are there")
    func pages() throws {
        let daemon = try taught()
        let http = try HTTPClient(path: daemon.http)
        #expect(try http.ask("GET", "/livez").status == 200 && http.ask("GET", "/readyz").body == "ready\n")
        let metrics = try http.ask("GET", "/metrics")
        #expect(metrics.status == 200 && metrics.fields["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
        #expect(metrics.body.contains("\nfactord_ready 1\n") && metrics.body.contains("\nfactord_interactions_total 500\n"))
        let head = try http.ask("HEAD", "/openapi.json"), document = try http.ask("GET", "/openapi.json")
        #expect(head.fields["content-length"] == "\(document.body.utf8.count)" && document.json?["paths"]?["/v1/score"] != nil)
    }

    @Test("Requests that come together, in pieces, late or never are each dealt with; the daemon stops with all of them open")
    func manners() throws {
        let daemon = try taught(["http.timeout=400ms", "http.idle=300ms", "requests.max_body=64KiB"])
        // Together, and one in pieces.
        let together = try HTTPClient(path: daemon.http)
        let ping = "POST /v1/ping HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n{}"
        together.send(ping + ping + String(ping.dropLast(30)))
        #expect(together.answer()?.status == 200 && together.answer()?.status == 200)
        for character in ping.suffix(30) { together.send(String(character)) }
        #expect(together.answer()?.json?["pong"]?.bool == true)
        // Whoever asks first whether a body is welcome, and one that is not.
        let careful = try HTTPClient(path: daemon.http)
        careful.send("POST /v1/ping HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        #expect(careful.answer()?.status == 100)
        careful.send("{}")
        #expect(careful.answer()?.status == 200)
        let large = try HTTPClient(path: daemon.http)
        large.send("POST /v1/ping HTTP/1.1\r\nHost: t\r\nContent-Length: 70000\r\n\r\n" + String(repeating: " ", count: 70_000))
        let tooLarge = large.answer()
        #expect(tooLarge?.status == 413 && tooLarge?.json?["error"]?["code"]?.integer == -32001 && large.isAtEnd())
        let long = try HTTPClient(path: daemon.http)
        long.send("GET / HTTP/1.1\r\n" + String(repeating: "X: y\r\n", count: 3000))
        #expect(long.answer()?.status == 431)
        let chunks = try HTTPClient(path: daemon.http)
        chunks.send("POST /v1/ping HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        #expect(chunks.answer()?.status == 411)
        // A head that drips, however long, has its time; silence has its own.
        let dripping = try HTTPClient(path: daemon.http), silent = try HTTPClient(path: daemon.http)
        dripping.send("GET /livez HTTP/1.1\r\nX:")
        for _ in 0..<60 {
            dripping.send("x")
            usleep(10_000)
        }
        #expect(dripping.answer()?.status == 408 && dripping.isAtEnd() && silent.isAtEnd())
        #expect(try HTTPClient(path: daemon.http).ask("GET", "/livez").status == 200)
        let stats = try daemon.stats()["http"]
        #expect(stats?["timed_out"]?.integer == 1 && stats?["client_errors"]?.integer == 4, "\(stats?.json ?? "")")
        let open = try HTTPClient(path: daemon.http)
        #expect(try open.ask("GET", "/livez").status == 200)
        open.send("POST /v1/sco")
        #expect(try daemon.stop() == .exited(0))
        #expect(open.isAtEnd())
    }

    @Test("Who only connects makes room for who asks")
    func silence() throws {
        let daemon = try taught(["http.connections=8", "http.timeout=60s"])
        let kept = try HTTPClient(path: daemon.http)
        #expect(try kept.ask("GET", "/livez").status == 200)
        var silent: [HTTPClient] = []
        for _ in 0..<100 {
            silent.append(try HTTPClient(path: daemon.http))
            #expect(try HTTPClient(path: daemon.http).ask("POST", "/v1/ping").status == 200)
        }
        #expect(silent[0].isAtEnd())
        let stats = try daemon.stats()["http"]
        #expect(stats?["evicted"]?.integer ?? 0 > 80 && stats?["connections"]?.integer ?? 99 <= 8, "\(stats?.json ?? "")")
    }

    @Test("`after` waits over HTTP too, delays nobody, and says when it was in vain")
    func after() throws {
        let daemon = try taught()
        let waiting = try HTTPClient(path: daemon.http), other = try HTTPClient(path: daemon.http)
        let body = #"{"user":"u1","items":["i1"],"after":600,"deadline_ms":60000}"#
        waiting.send("POST /v1/score HTTP/1.1\r\nHost: t\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        #expect(try other.ask("POST", "/v1/ping").json?["position"]?.integer == 500)
        let late = try other.ask("POST", "/v1/score", #"{"user":"u1","items":["i1"],"after":700,"deadline_ms":20}"#)
        #expect(late.json?["late"]?.bool == true)
        try daemon.sender().deliver(eventsJSON(500..<600))
        let answer = waiting.answer()
        #expect(answer?.json?["position"]?.integer == 600 && answer?.json?["late"] == nil)
        // Who still waits at the end is answered.
        let last = #"{"user":"u1","items":["i1"],"after":9999,"deadline_ms":60000}"#
        waiting.send("POST /v1/score HTTP/1.1\r\nHost: t\r\nContent-Length: \(last.utf8.count)\r\n\r\n\(last)")
        #expect(try other.ask("POST", "/v1/ping").status == 200)
        #expect(try daemon.stop() == .exited(0))
        #expect(waiting.answer()?.json?["late"]?.bool == true)
    }

    @Test("A port that others reach is refused; null switches HTTP off; a port in use is the start's error")
    func endpoints() throws {
        let open = try DaemonProcess(["http.endpoint=tcp://0.0.0.0:5599"], isStarted: false)
        #expect(try open.launch().wait() != .exited(0))
        #expect(open.log.contains("http.endpoint") && open.log.contains("insecure"))
        let off = try DaemonProcess(["http.endpoint=null"])
        #expect(throws: Unexpected.self) { try HTTPClient(path: off.http) }
        let first = try taught()
        let second = try DaemonProcess(["http.endpoint=unix:\(first.http)"], isStarted: false)
        #expect(try second.launch().wait() == .exited(71))
        #expect(try HTTPClient(path: first.http).ask("GET", "/livez").status == 200)
        // What a killed daemon left behind is in nobody's way.
        try first.kill()
        try first.start()
        #expect(try HTTPClient(path: first.http).ask("GET", "/livez").status == 200)
    }
}
