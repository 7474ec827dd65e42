/// A checked address of a socket: `tcp://HOST:PORT`, `ipc://PATH` or `inproc://NAME`, and nothing else that libzmq
/// would take (UDP, multicast, TIPC and others bring code that no one here tests).
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    public enum Transport: String, Sendable {
        /// Between machines.
        case tcp
        /// Between processes, by a path in the file system or, with a leading `@`, an abstract name.
        case ipc
        /// Between the threads of a process that share a context.
        case inproc
    }

    public let transport: Transport
    /// What follows `://`.
    public let address: String

    /// The form that libzmq takes.
    public var description: String { "\(transport.rawValue)://\(address)" }

    /// Linux keeps socket paths in 108 bytes, the last of them zero.
    static let maximumPathBytes = 107

    /// - Throws: `badEndpoint` with what is wrong.
    public init(_ text: String) throws(ZeroMQError) {
        guard let separator = text.firstRange(of: "://") else {
            throw .badEndpoint(text, reason: "write tcp://HOST:PORT, ipc://PATH or inproc://NAME")
        }
        guard let transport = Transport(rawValue: String(text[..<separator.lowerBound])) else {
            let name = text[..<separator.lowerBound]
            throw .badEndpoint(text, reason: "the transport '\(name)' is not supported; use tcp, ipc or inproc")
        }
        let address = String(text[separator.upperBound...])
        if let fault = Self.fault(of: address, transport) { throw .badEndpoint(text, reason: fault) }
        self.transport = transport
        self.address = address
    }

    /// Whether only this machine can reach it. A name other than `localhost` counts as foreign, whatever it resolves to.
    public var isLocal: Bool {
        guard transport == .tcp else { return true }
        return host == "localhost" || host == "[::1]" || Self.isLoopback4(host)
    }

    /// Whether it stands for an address that is chosen at bind: such an endpoint can only be bound.
    public var isWildcard: Bool {
        switch transport {
        case .tcp: host == "*" || port == "*" || port == "0"
        case .ipc: address == "*"
        case .inproc: false
        }
    }

    /// The host of a tcp endpoint, with the brackets of an IPv6 address.
    var host: Substring {
        address.lastIndex(of: ":").map { address[..<$0] } ?? ""
    }

    /// The port of a tcp endpoint.
    var port: Substring {
        address.lastIndex(of: ":").map { address[address.index(after: $0)...] } ?? ""
    }

    /// The socket's file, where the endpoint has one whose name is known.
    var path: String? {
        transport == .ipc && address != "*" && !address.hasPrefix("@") ? address : nil
    }

    private static func fault(of address: String, _ transport: Transport) -> String? {
        if address.isEmpty { return "the address is empty" }
        if address.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) {
            return "the address has a space or a control character"
        }
        switch transport {
        case .inproc:
            return address.utf8.count <= 255 ? nil : "a name has at most 255 bytes"
        case .ipc:
            return address.utf8.count <= maximumPathBytes ? nil : "a socket path has at most \(maximumPathBytes) bytes"
        case .tcp:
            return faultOfTCP(address)
        }
    }

    private static func faultOfTCP(_ address: String) -> String? {
        guard let colon = address.lastIndex(of: ":") else { return "the port is missing: tcp://HOST:PORT" }
        let host = address[..<colon]
        let port = address[address.index(after: colon)...]
        if host.isEmpty { return "the host is missing; '*' means every interface" }
        if host.hasPrefix("[") != host.hasSuffix("]") || (host.contains(":") && !host.hasPrefix("[")) {
            return "write an IPv6 address in brackets: tcp://[::1]:5555"
        }
        if host.contains("/") || host.contains(";") { return "'\(host)' is not a host" }
        if port == "*" { return nil }
        guard port.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), UInt16(port) != nil else {
            return "'\(port)' is not a port; use 1 to 65535, or '*' for any free one"
        }
        return nil
    }

    private static func isLoopback4(_ host: Substring) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
