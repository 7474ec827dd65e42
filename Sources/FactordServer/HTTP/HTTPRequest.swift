/// The head of a request of HTTP/1.0 or 1.1 (RFC 9112), as far as this server looks at it.
struct HTTPRequest: Equatable {
    var method: String
    /// The target without its query.
    var path: String
    /// Bytes of the body that follows the head.
    var contentLength = 0
    /// The Host field; empty where an old client sends none.
    var host = ""
    /// Whether the connection stays for another request.
    var isKeptAlive: Bool
    /// The client waits for a word before it sends the body.
    var expectsContinue = false

    /// The most bytes of a head.
    static let headLimit = 8 << 10

    /// Reads a head: the bytes before the empty line, without it.
    ///
    /// Strict where leniency has led to requests that two programs read differently: lines end with CR LF, names have no
    /// blanks, nothing is folded, a length is given once, and bodies in chunks are refused.
    static func read(_ head: ArraySlice<UInt8>) throws(HTTPRefusal) -> HTTPRequest {
        var lines = try lines(head)[...]
        var request = try readRequestLine(lines.removeFirst())
        let isOld = request.version == "HTTP/1.0"
        request.request.isKeptAlive = !isOld
        var hasHost = false, length: Int?
        for line in lines {
            let (name, value) = try field(line)
            switch name {
            case "host":
                if hasHost { throw .badRequest("two Host fields") }
                hasHost = true
                request.request.host = value
            case "content-length":
                guard !value.isEmpty, value.utf8.count <= 15, value.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(value) else {
                    throw .badRequest("Content-Length is no number")
                }
                if length != nil { throw .badRequest("two Content-Length fields") }
                length = number
            case "transfer-encoding": throw HTTPRefusal(411, "a body needs a Content-Length; chunks are not taken")
            case "connection":
                let words = value.lowercased().split(separator: ",").map { $0.filter { $0 != " " } }
                if words.contains("close") { request.request.isKeptAlive = false }
                if isOld, words.contains("keep-alive") { request.request.isKeptAlive = true }
            case "expect":
                guard value.lowercased() == "100-continue" else { throw HTTPRefusal(417, "an expectation other than 100-continue") }
                request.request.expectsContinue = !isOld
            default: break
            }
        }
        if !isOld, !hasHost { throw .badRequest("no Host field") }
        request.request.contentLength = length ?? 0
        return request.request
    }

    /// Text of a head in lines.
    private static func lines(_ head: ArraySlice<UInt8>) throws(HTTPRefusal) -> [Substring] {
        var previous: UInt8 = 0
        for byte in head {
            if (byte == 0x0A) != (previous == 0x0D) || byte < 0x20 && byte != 0x0A && byte != 0x0D && byte != 0x09 || byte == 0x7F {
                throw .badRequest("a control character in the head, or a line that does not end with CR LF")
            }
            previous = byte
        }
        if previous == 0x0D { throw .badRequest("a line that does not end with CR LF") }
        return String(decoding: head, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
    }

    private static func readRequestLine(_ line: Substring) throws(HTTPRefusal) -> (request: HTTPRequest, version: Substring) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, !words[0].isEmpty, words[0].utf8.allSatisfy(isToken) else { throw .badRequest("no request line") }
        guard words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" else {
            throw words[2].hasPrefix("HTTP/") ? HTTPRefusal(505, "HTTP/1.1 is spoken here") : .badRequest("no request line")
        }
        var target = words[1]
        if target.hasPrefix("http://") { target = target.dropFirst(7).drop { $0 != "/" } }
        guard target.hasPrefix("/") else { throw .badRequest("a target that is no path") }
        let path = target.prefix { $0 != "?" && $0 != "#" }
        return (HTTPRequest(method: String(words[0]), path: String(path), isKeptAlive: false), words[2])
    }

    /// A field's name in small letters, and its value.
    private static func field(_ line: Substring) throws(HTTPRefusal) -> (name: String, value: String) {
        guard let colon = line.firstIndex(of: ":"), colon > line.startIndex, line[..<colon].utf8.allSatisfy(isToken) else {
            throw .badRequest("a field without a name")
        }
        var value = line[line.index(after: colon)...]
        while let first = value.first, first == " " || first == "\t" { value.removeFirst() }
        while let last = value.last, last == " " || last == "\t" { value.removeLast() }
        return (line[..<colon].lowercased(), String(value))
    }

    /// RFC 9110, 5.6.2.
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

/// Why a request is not looked at: the status, and a word to the client.
struct HTTPRefusal: Error, Equatable {
    let status: Int
    let detail: String

    init(_ status: Int, _ detail: String) {
        self.status = status
        self.detail = detail
    }

    static func badRequest(_ detail: String) -> HTTPRefusal { HTTPRefusal(400, detail) }
}
