import LinuxSystem
import Testing

@testable import FactordServer

/// Heads of requests, good and bad.
@Suite("HTTP requests")
struct HTTPRequestTests {
    private func read(_ head: String) throws(HTTPRefusal) -> HTTPRequest { try HTTPRequest.read(Array(head.utf8)[...]) }

    @Test("Method, path, length and what becomes of the connection are read")
    func good() throws {
        let get = try read("GET /metrics?x=1 HTTP/1.1\r\nHost: a")
        #expect(get == HTTPRequest(method: "GET", path: "/metrics", contentLength: 0, host: "a", isKeptAlive: true, expectsContinue: false))
        let post = try read("POST /v1/score HTTP/1.1\r\nhOsT:\ta \r\nContent-Length: 12\r\nConnection: Close\r\nExpect: 100-Continue\r\nX-Empty:")
        #expect(post == HTTPRequest(method: "POST", path: "/v1/score", contentLength: 12, host: "a", isKeptAlive: false, expectsContinue: true))
        #expect(try read("GET / HTTP/1.0").isKeptAlive == false)
        #expect(try read("GET / HTTP/1.0\r\nConnection: keep-alive").isKeptAlive)
        #expect(try read("GET http://a/livez HTTP/1.1\r\nHost: a").path == "/livez")
    }

    @Test("On a loopback address only addresses and localhost are this server's names; elsewhere, and on a path, any is")
    func hosts() {
        let good = ["", "127.0.0.1", "127.0.0.1:8080", "10.0.0.7", "[::1]:80", "localhost", "LocalHost:5563", "a.localhost", "localhost."]
        let bad = ["evil.example", "evil.example:5563", "localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost", "a"]
        for host in ["127.0.0.1", "127.8.8.8", "localhost", "::1"] {
            let rule = HostRule(.tcp(host: host, port: 1))
            for name in good { #expect(rule.takes(name), "\(name)") }
            for name in bad { #expect(!rule.takes(name), "\(name)") }
        }
        for rule in [HostRule(.tcp(host: "192.0.2.1", port: 1)), HostRule(.unix(path: "a"))] { #expect((good + bad).allSatisfy(rule.takes)) }
    }

    @Test(
        "What two programs might read differently is refused",
        arguments: [
            ("", 400), ("GET", 400), ("GET /", 400), ("GET  / HTTP/1.1\r\nHost: a", 400), ("GET / HTTP/1.1", 400), ("GET / HTTP/2.0\r\nHost: a", 505),
            ("G(T / HTTP/1.1\r\nHost: a", 400), ("GET livez HTTP/1.1\r\nHost: a", 400), ("GET / HTTP/1.1\nHost: a", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded", 400), ("GET / HTTP/1.1\r\nHost: a\r\nHost: b", 400), ("GET / HTTP/1.1\r\nHost : a", 400),
            ("GET / HTTP/1.1\r\nHost: a\u{1}", 400), ("GET / HTTP/1.1\r\nHost: a\r\n", 400), ("GET / HTTP/1.1\rHost: a", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1", 400), ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", 411), ("POST / HTTP/1.1\r\nHost: a\r\nExpect: more", 417),
        ] as [(String, Int)])
    func bad(_ head: String, _ status: Int) {
        do throws(HTTPRefusal) {
            let request = try read(head)
            Issue.record("\(head.debugDescription) was read as \(request)")
        } catch {
            #expect(error.status == status, "\(head.debugDescription): \(error)")
        }
    }

    @Test("No head makes the reader stop, whatever its bytes", arguments: 0..<200)
    func noise(_ seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        let pieces: [[UInt8]] = ["GET ", "/v1", " HTTP/1.1", "\r\n", "Host:", "Content-Length:", " ", "7", "\r", "\n", "é", ":"].map { Array($0.utf8) } + [[0xFF], [0]]
        let head = (0..<Int(next() % 40)).flatMap { _ in pieces[Int(next() % UInt64(pieces.count))] }
        _ = try? HTTPRequest.read(head[...])
    }
}
