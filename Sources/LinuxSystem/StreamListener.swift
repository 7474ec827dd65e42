internal import CLinux
import Glibc

/// Where byte streams are taken: a TCP port or a path of the file system.
public enum StreamAddress: Equatable, Sendable, CustomStringConvertible {
    /// A numeric IPv4 or IPv6 address (without brackets), or `localhost`; port 0 is any free one.
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    public var description: String {
        switch self {
        case .tcp(let host, let port): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

/// A listening stream socket, non-blocking. A path's file goes with it.
///
/// Thread safety: one thread at a time.
public final class StreamListener: Sendable {
    public let address: StreamAddress
    /// For poll sets.
    public let descriptor: CInt

    /// Binds and listens. A path that a dead process left behind is taken over; one that is served, or that is no socket, is not.
    /// - Parameter backlog: connections that may wait to be taken; past it who connects tries again only after a second.
    /// - Throws: `SystemError`, with EADDRINUSE where another serves it.
    public init(_ address: StreamAddress, backlog: CInt = 4096) throws(SystemError) {
        let family: CInt = if case .unix = address { AF_UNIX } else if case .tcp(let host, _) = address, host.contains(":") { AF_INET6 } else { AF_INET }
        let made = try StreamListener.makeSocket(family, "\(address)")
        do {
            switch address {
            case .tcp(let host, let port): try StreamListener.bind(made, host: host, port: port, "\(address)")
            case .unix(let path): try StreamListener.bind(made, path: path, "\(address)")
            }
            try systemCall("listen", "\(address)") { listen(made, backlog) }
        } catch {
            close(made)
            throw error
        }
        // Only now is there something for `deinit` to take away: not the file of another's socket.
        self.address = address
        descriptor = made
    }

    deinit {
        close(descriptor)
        if case .unix(let path) = address { unlink(path) }
    }

    /// The port in use, where it was asked for as 0.
    public var port: UInt16? {
        guard case .tcp = address else { return nil }
        var name = sockaddr_in6(), size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let code = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        // The port stands at the same place in both families' addresses.
        return code == 0 ? UInt16(bigEndian: name.sin6_port) : nil
    }

    /// What a look for a connection found.
    public enum Accepted: Sendable {
        case connection(StreamConnection)
        case nothing
        /// The process, or the machine, may open no more descriptors: the connection waits.
        case noDescriptor
    }

    /// Takes a connection that waits; one that has gone meanwhile counts as nothing.
    public func accept() throws(SystemError) -> Accepted {
        let accepted = clinux_accept(descriptor)
        if accepted >= 0 { return .connection(StreamConnection(descriptor: accepted)) }
        switch errno {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .noDescriptor
        case EAGAIN, EINTR, ECONNABORTED, EPROTO, EPERM, ENETDOWN, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH, ENONET, EOPNOTSUPP: return .nothing
        case let code: throw SystemError(call: "accept", subject: "\(address)", code: code)
        }
    }

    private static func makeSocket(_ family: CInt, _ subject: String) throws(SystemError) -> CInt {
        try systemCall("socket", subject) { socket(family, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0) }
    }

    private static func bind(_ descriptor: CInt, host: String, port: UInt16, _ subject: String) throws(SystemError) {
        var on: CInt = 1
        try systemCall("setsockopt", subject) { setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size)) }
        if host.contains(":") {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            guard inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else { throw SystemError(call: "bind", subject: subject, code: EADDRNOTAVAIL) }
            try bind(descriptor, &address, MemoryLayout<sockaddr_in6>.size, subject)
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            let numeric = host == "localhost" ? "127.0.0.1" : host == "*" ? "0.0.0.0" : host
            guard inet_pton(AF_INET, numeric, &address.sin_addr) == 1 else { throw SystemError(call: "bind", subject: subject, code: EADDRNOTAVAIL) }
            try bind(descriptor, &address, MemoryLayout<sockaddr_in>.size, subject)
        }
    }

    /// The file is open to owner and group, like those of the daemon's other sockets.
    private static func bind(_ descriptor: CInt, path: String, _ subject: String) throws(SystemError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path) - 1
        guard !path.isEmpty, path.utf8.count <= room else { throw SystemError(call: "bind", subject: subject, code: ENAMETOOLONG) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        var status = stat()
        if lstat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFSOCK else { throw SystemError(call: "bind", subject: subject, code: EADDRINUSE) }
            let probe = try makeSocket(AF_UNIX, subject)
            defer { close(probe) }
            let isRefused = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) != 0 && errno == ECONNREFUSED }
            }
            guard isRefused else { throw SystemError(call: "bind", subject: subject, code: EADDRINUSE) }
            unlink(path)
        }
        try bind(descriptor, &address, MemoryLayout<sockaddr_un>.size, subject)
        try systemCall("chmod", path) { chmod(path, 0o770) }
    }

    private static func bind<Address>(_ descriptor: CInt, _ address: inout Address, _ size: Int, _ subject: String) throws(SystemError) {
        try systemCall("bind", subject) {
            withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(descriptor, $0, socklen_t(size)) }
            }
        }
    }
}
