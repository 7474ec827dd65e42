import Foundation
import LinuxSystem

/// A ZeroMQ endpoint taken apart, as far as a configuration can be judged by it.
struct EndpointAddress: Equatable {
    enum Place: Equatable {
        /// Port 0 stands for `*`, any free port.
        case tcp(host: String, port: Int)
        case ipc(path: String)
        case inproc(name: String)
    }

    let place: Place

    /// Bytes that a Unix socket path may have (sun_path without its terminating zero).
    static let longestPath = 107

    /// - Throws: What is wrong with `text`, in words.
    init(_ text: String) throws(EndpointProblem) {
        guard let separator = text.range(of: "://") else {
            throw EndpointProblem(text.isEmpty ? "is missing" : "has no transport; write tcp://HOST:PORT or ipc://PATH")
        }
        let transport = text[..<separator.lowerBound]
        let rest = String(text[separator.upperBound...])
        switch transport {
        case "tcp":
            guard let colon = rest.lastIndex(of: ":") else { throw EndpointProblem("has no port; write tcp://HOST:PORT") }
            let host = String(rest[..<colon]), port = rest[rest.index(after: colon)...]
            guard !host.isEmpty else { throw EndpointProblem("has no host; write tcp://127.0.0.1:\(port)") }
            guard !host.contains(":") || (host.hasPrefix("[") && host.hasSuffix("]")) else {
                throw EndpointProblem("has an IPv6 address without brackets; write tcp://[ADDRESS]:PORT")
            }
            if port == "*" { place = .tcp(host: host, port: 0); return }
            guard let number = Int(port), (1...65_535).contains(number) else {
                throw EndpointProblem("has port `\(port)`; a port is 1…65535")
            }
            place = .tcp(host: host, port: number)
        case "ipc":
            guard !rest.isEmpty else { throw EndpointProblem("has no path; write ipc://PATH") }
            guard rest.utf8.count <= EndpointAddress.longestPath else {
                throw EndpointProblem("has a path of \(rest.utf8.count) bytes; a socket's path has at most \(EndpointAddress.longestPath)")
            }
            place = .ipc(path: URL(fileURLWithPath: rest).standardizedFileURL.path)
        case "inproc":
            guard !rest.isEmpty else { throw EndpointProblem("has no name") }
            place = .inproc(name: rest)
        default:
            throw EndpointProblem("has transport `\(transport)`; use tcp or ipc")
        }
    }

    /// The endpoint of a server of HTTP: `tcp://HOST:PORT` with a numeric host or localhost, or `unix:PATH`.
    init(http text: String) throws(EndpointProblem) {
        if text.hasPrefix("unix:") {
            let path = text.dropFirst(5)
            try self.init("ipc://" + (path.hasPrefix("//") ? path.dropFirst(2) : path))
            return
        }
        guard text.hasPrefix("tcp://") else { throw EndpointProblem("is no place for HTTP; write tcp://HOST:PORT, unix:PATH or null") }
        try self.init(text)
        guard case .tcp(let host, _) = place else { return }
        let bare = host.hasPrefix("[") ? host.dropFirst().dropLast() : host[...]
        let isNumeric = !bare.isEmpty && bare.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." } && (bare.contains(":") || bare.contains("."))
        guard isNumeric || host == "localhost" || host == "*" else { throw EndpointProblem("has host `\(host)`; HTTP is bound to a number such as 127.0.0.1") }
    }

    /// Where a stream socket listens; nil for what is none.
    var streamAddress: StreamAddress? {
        switch place {
        case .tcp(let host, let port): .tcp(host: host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host, port: UInt16(port))
        case .ipc(let path): .unix(path: path)
        case .inproc: nil
        }
    }

    /// Whether only this machine can reach it when it is bound.
    var isLocal: Bool {
        guard case .tcp(let host, _) = place else { return true }
        if host == "localhost" || host == "[::1]" || host == "lo" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return parts.count == 4 && parts[0] == 127 && !parts.contains(nil)
    }

    /// Whether binding both must fail.
    func clashes(with other: EndpointAddress) -> Bool {
        guard case .tcp(let host, let port) = place, case .tcp(let otherHost, let otherPort) = other.place else { return self == other }
        let everywhere: Set<String> = ["*", "0.0.0.0", "[::]"]
        let loopback: Set<String> = ["127.0.0.1", "localhost", "lo"]
        return port == otherPort && port != 0
            && (host == otherHost || everywhere.contains(host) || everywhere.contains(otherHost)
                || (loopback.contains(host) && loopback.contains(otherHost)))
    }
}

/// What is wrong with an endpoint.
struct EndpointProblem: Error {
    let words: String
    init(_ words: String) { self.words = words }
}

extension Configuration.HTTP {
    /// Where it listens; nil for nowhere. Of a configuration that was validated.
    var address: StreamAddress? {
        guard let endpoint else { return nil }
        // A path as it was written: made absolute it might be too long.
        if endpoint.hasPrefix("unix:") { return .unix(path: String(endpoint.dropFirst(endpoint.hasPrefix("unix://") ? 7 : 5))) }
        return (try? EndpointAddress(http: endpoint))?.streamAddress
    }
}
