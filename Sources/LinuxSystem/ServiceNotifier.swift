import Glibc

/// Tells the service manager how the process fares: systemd's `sd_notify` protocol, a datagram of `KEY=VALUE` lines to the socket
/// that `NOTIFY_SOCKET` names. Without that variable nothing is sent. What cannot be delivered is dropped: no service fails
/// because nobody listens.
///
/// Threads: any; each datagram is sent whole.
public final class ServiceNotifier: Sendable {
    private let descriptor: CInt
    private let address: [UInt8]

    /// - Parameter path: the value of `NOTIFY_SOCKET`: a path, or `@` and a name of the abstract namespace; nil for none.
    public init(path: String?) {
        guard let path, let address = ServiceNotifier.address(path) else {
            (descriptor, self.address) = (-1, [])
            return
        }
        self.address = address
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    }

    /// The one of this process's environment.
    public convenience init() { self.init(path: getenv("NOTIFY_SOCKET").map { String(cString: $0) }) }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Whether a service manager listens.
    public var isListened: Bool { descriptor >= 0 }

    /// The service has started, or has read its configuration anew.
    public func ready(status: String) { send("READY=1\nSTATUS=\(line(status))") }
    /// The service has begun to read its configuration anew; `ready` ends that. In one datagram with the time, as Type=notify-reload asks.
    public func reloading() { send("RELOADING=1\nMONOTONIC_USEC=\(MonotonicClock.nanoseconds / 1000)") }
    /// The service has begun to stop.
    public func stopping() { send("STOPPING=1") }
    /// What the service is at, in words for a person.
    public func status(_ text: String) { send("STATUS=\(line(text))") }
    /// Starting (or stopping) takes longer: asks for so much time from now on.
    public func extendTimeout(microseconds: Int64, status: String) {
        send("EXTEND_TIMEOUT_USEC=\(microseconds)\nSTATUS=\(line(status))")
    }

    /// How often the service manager wants to hear that all is well (`WatchdogSec=`), in microseconds; nil where it does not ask, or asks another process.
    public static var watchdogMicroseconds: Int64? {
        func number(_ name: String) -> Int64? { getenv(name).flatMap { Int64(String(cString: $0)) } }
        guard let wanted = number("WATCHDOG_USEC"), wanted > 0 else { return nil }
        if let process = number("WATCHDOG_PID"), process != Int64(getpid()) { return nil }
        return wanted
    }

    /// All is well.
    public func alive() { send("WATCHDOG=1") }
    /// Nothing is well: the service manager is to do at once what it does where it hears nothing.
    public func stuck(status: String) { send("WATCHDOG=trigger\nSTATUS=\(line(status))") }

    private func line(_ text: String) -> String { String(text.map { $0.isNewline ? " " : $0 }) }

    private func send(_ text: String) {
        guard descriptor >= 0 else { return }
        var text = text
        text.withUTF8 { bytes in
            address.withUnsafeBytes { address in
                _ = sendto(
                    descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL),
                    address.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(address.count))
            }
        }
    }

    /// A `sockaddr_un` of exactly the name's length: in the abstract namespace every byte counts.
    private static func address(_ path: String) -> [UInt8]? {
        var name = Array(path.utf8)
        guard name.count >= 2, name.count <= 107, name[0] == UInt8(ascii: "/") || name[0] == UInt8(ascii: "@") else { return nil }
        if name[0] == UInt8(ascii: "@") { name[0] = 0 } else { name.append(0) }
        return withUnsafeBytes(of: sa_family_t(AF_UNIX)) { Array($0) } + name
    }
}
