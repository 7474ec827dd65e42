import LinuxSystem

/// Which Host a request may name (RFC 9110, 7.2).
///
/// A page in a browser on this machine may come from a name that its owner lets point here once it is loaded (DNS rebinding), and
/// then read what only programs on this machine may. Its requests bear that name. So a server on a loopback address takes
/// requests for an address, or for `localhost`, and for nothing else. Elsewhere nobody knows what names there are.
struct HostRule {
    private let isLocal: Bool

    init(_ address: StreamAddress) {
        if case .tcp(let host, _) = address { isLocal = host == "localhost" || host == "::1" || host.hasPrefix("127.") } else { isLocal = false }
    }

    func takes(_ host: String) -> Bool {
        guard isLocal, !host.isEmpty, !host.hasPrefix("[") else { return true }
        var name = host.prefix { $0 != ":" }.lowercased()
        if name.hasSuffix(".") { name.removeLast() }
        return name == "localhost" || name.hasSuffix(".localhost") || name.utf8.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ".") }
    }
}
