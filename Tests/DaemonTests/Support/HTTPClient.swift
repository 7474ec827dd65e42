import Glibc
import StreamTools

/// A client of HTTP that sends what it is told: one connection to a path or a port.
final class HTTPClient {
    struct Answer {
        let status: Int
        /// Names in small letters.
        let fields: [String: String]
        let body: String
        var json: JSONTree? { try? parsed(body) }
    }

    private let descriptor: CInt
    private var input: [UInt8] = []

    /// - Parameter place: a socket's path, or a TCP port of this machine.
    init(path: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard code == 0 else { throw Unexpected("no connection to \(path): errno \(errno)") }
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, CInt(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// The next answer; nil where the connection ends before it is whole.
    func answer(hasBody: Bool = true) -> Answer? {
        while true {
            if let end = input.firstRange(of: Array("\r\n\r\n".utf8))?.lowerBound {
                let lines = String(decoding: input[..<end], as: UTF8.self).split(separator: "\r\n")
                let pairs = lines.dropFirst().map { line in line.split(separator: ":", maxSplits: 1).map { $0.lowercased().trimmed } }
                let fields = Dictionary(pairs.map { ($0[0], $0.count > 1 ? $0[1] : "") }, uniquingKeysWith: { $1 })
                let length = hasBody ? Int(fields["content-length"] ?? "") ?? 0 : 0
                if input.count >= end + 4 + length {
                    let body = String(decoding: input[(end + 4)..<(end + 4 + length)], as: UTF8.self)
                    input.removeFirst(end + 4 + length)
                    return Answer(status: Int(lines[0].split(separator: " ")[1]) ?? 0, fields: fields, body: body)
                }
            }
            guard receive() else { return nil }
        }
    }

    /// Whether the server has closed the connection, and nothing came before.
    func isAtEnd() -> Bool { input.isEmpty && !receive() }

    func ask(_ method: String, _ path: String, _ body: String? = nil) throws -> Answer {
        send("\(method) \(path) HTTP/1.1\r\nHost: test\r\n\(body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? "")\r\n\(body ?? "")")
        guard let answer = answer(hasBody: method != "HEAD") else { throw Unexpected("no answer to \(method) \(path)") }
        return answer
    }

    private func receive() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        input += buffer[..<count]
        return true
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        return String(text)
    }
}
