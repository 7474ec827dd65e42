internal import CZeroMQ
internal import Glibc
internal import LinuxSystem

extension ZeroMQSocket {
    /// Serves an endpoint.
    ///
    /// An ipc path that a live process serves is not taken from it (libzmq would, silently); one that a dead process
    /// left behind is replaced; a file that is no socket is left alone. The socket's file is open to owner and group.
    /// Two processes that bind at the very same moment are not kept apart: lock something else first.
    /// - Throws: `addressInUse`, `badEndpoint`, or `failed`.
    public func bind(_ endpoint: Endpoint) throws(ZeroMQError) {
        if let path = endpoint.path { try SocketFile.clear(path, for: endpoint) }
        try setAddressFamily(endpoint)
        try requireZeroMQ("zmq_bind", endpoint.description) { zmq_bind(handle, endpoint.description) }
        if let path = endpoint.path { try SocketFile.openToGroup(path) }
    }

    /// Connects to an endpoint, now or whenever it comes; a lost connection is tried again, except after a protocol
    /// fault such as a frame over the limit (`SocketMonitor` finds those).
    /// - Throws: `badEndpoint` for a wildcard, or `failed`.
    public func connect(_ endpoint: Endpoint) throws(ZeroMQError) {
        if endpoint.isWildcard {
            throw .badEndpoint(endpoint.description, reason: "a wildcard can be bound but not connected to")
        }
        try setAddressFamily(endpoint)
        try requireZeroMQ("zmq_connect", endpoint.description) { zmq_connect(handle, endpoint.description) }
        isConnecting = true
    }

    /// `bind(_:)` of an endpoint in text form.
    public func bind(_ endpoint: String) throws(ZeroMQError) { try bind(Endpoint(endpoint)) }

    /// `connect(_:)` to an endpoint in text form.
    public func connect(_ endpoint: String) throws(ZeroMQError) { try connect(Endpoint(endpoint)) }

    /// Stops serving an endpoint; give the resolved form where a wildcard was bound. Peers that are connected stay.
    public func unbind(_ endpoint: Endpoint) throws(ZeroMQError) {
        try requireZeroMQ("zmq_unbind", endpoint.description) { zmq_unbind(handle, endpoint.description) }
    }

    /// The endpoint of the last bind or connect with wildcards resolved: the way to learn a free port that was chosen.
    public func lastEndpoint() throws(ZeroMQError) -> Endpoint {
        var size = 1024
        let text = UnsafeMutablePointer<CChar>.allocate(capacity: size)
        defer { text.deallocate() }
        try requireZeroMQ("zmq_getsockopt", "\(kind.rawValue) last endpoint") {
            zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, text, &size)
        }
        return try Endpoint(String(cString: text))
    }

    /// Takes the topics that begin with `prefix`; the empty one takes all. For `sub` sockets.
    public func subscribe(_ prefix: String = "") throws(ZeroMQError) {
        precondition(kind == .sub, "only a sub socket subscribes")
        try requireZeroMQ("zmq_setsockopt", "subscribe '\(prefix)'") {
            zmq_setsockopt(handle, ZMQ_SUBSCRIBE, prefix, prefix.utf8.count)
        }
    }

    /// Takes back a `subscribe` of the same prefix.
    public func unsubscribe(_ prefix: String = "") throws(ZeroMQError) {
        precondition(kind == .sub, "only a sub socket subscribes")
        try requireZeroMQ("zmq_setsockopt", "unsubscribe '\(prefix)'") {
            zmq_setsockopt(handle, ZMQ_UNSUBSCRIBE, prefix, prefix.utf8.count)
        }
    }

    /// Changes how long the socket goes on sending after it is closed; `nil` waits without end.
    public func setLinger(milliseconds: Int?) throws(ZeroMQError) {
        try set(ZMQ_LINGER, CInt(clamping: milliseconds ?? -1))
    }

    /// IPv6 only where the endpoint asks for it: with it always on, `localhost` would mean `::1`, which a server on
    /// 127.0.0.1 does not serve, and libzmq tries one address only.
    private func setAddressFamily(_ endpoint: Endpoint) throws(ZeroMQError) {
        guard endpoint.transport == .tcp else { return }
        let isLiteral4 = endpoint.host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (48...57).contains($0) }
        let isLiteral6 = endpoint.host.hasPrefix("[")
        try set(ZMQ_IPV6, isLiteral6 || (options.prefersIPv6 && !isLiteral4) ? 1 : 0)
    }
}

/// The file of a listening ipc socket.
private enum SocketFile {
    /// Makes room at `path` for a bind, and refuses where that would harm someone.
    static func clear(_ path: String, for endpoint: Endpoint) throws(ZeroMQError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw .badEndpoint(endpoint.description, reason: "a file that is not a socket stands there; move it away")
        }
        let served: Bool
        do {
            served = try isServed(path)
            if !served { try systemCall("unlink", path) { unlink(path) } }
        } catch {
            // Gone in the meantime is as good as removed.
            if error.code == ENOENT { return }
            throw .system(error)
        }
        if served { throw .addressInUse(endpoint: endpoint.description) }
    }

    /// Only the group of the daemon may talk to it. Changed after the bind and not by the umask before it, because
    /// the umask belongs to the whole process and other threads create files.
    static func openToGroup(_ path: String) throws(ZeroMQError) {
        do {
            try systemCall("chmod", path) { chmod(path, 0o770) }
        } catch {
            throw .system(error)
        }
    }

    /// Whether a connection is taken there. The probe is closed at once; to the server it is a peer that never spoke.
    private static func isServed(_ path: String) throws(SystemError) -> Bool {
        let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let probe = try systemCall("socket", path) { socket(AF_UNIX, kind, 0) }
        defer { close(probe) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        do {
            try systemCall("connect", path) {
                withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                    }
                }
            }
            return true
        } catch {
            switch error.code {
            case ECONNREFUSED, ENOENT: return false
            // The queue of connections is full: someone serves it, or did a moment ago.
            case EAGAIN: return true
            default: throw error
            }
        }
    }
}
