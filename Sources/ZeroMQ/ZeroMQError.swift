internal import CZeroMQ
internal import Glibc
public import LinuxSystem

/// What went wrong in the transport, and on what.
public enum ZeroMQError: Error, Equatable, CustomStringConvertible {
    /// The context was shut down: close the socket and end the thread. The normal end of a blocked call, no fault.
    case contextTerminated(call: String)
    /// An endpoint that cannot be used; the reason says what to write instead.
    case badEndpoint(String, reason: String)
    /// Another process, or another socket of this one, serves the endpoint.
    case addressInUse(endpoint: String)
    /// Any other failure of libzmq.
    case failed(call: String, subject: String, code: Int32, reason: String)
    /// A failure of the operating system around the socket.
    case system(SystemError)

    public var description: String {
        switch self {
        case .contextTerminated(let call):
            return "\(call): the ZeroMQ context was shut down"
        case .badEndpoint(let endpoint, let reason):
            return "endpoint '\(endpoint)': \(reason)"
        case .addressInUse(let endpoint):
            return "endpoint '\(endpoint)' is in use: another process serves it; stop that one or choose another address"
        case .failed(let call, let subject, _, let reason):
            return subject.isEmpty ? "\(call): \(reason)" : "\(call) \(subject): \(reason)"
        case .system(let error):
            return error.description
        }
    }
}

/// How a call of libzmq ended, where that was one of the ends that belong to normal work.
enum CallResult {
    case value(CInt)
    /// EAGAIN: nothing to read, or no room.
    case wouldBlock
    /// EHOSTUNREACH: a ROUTER has no peer of that name.
    case unreachable
}

/// The one place that reads libzmq's errno: runs `body`, tries again when a signal interrupted it, and turns
/// failures into errors, apart from those that belong to normal work.
@inline(__always)
func zeroMQCall(
    _ call: StaticString, _ subject: @autoclosure () -> String = "", _ body: () -> CInt
) throws(ZeroMQError) -> CallResult {
    while true {
        let value = body()
        if value >= 0 { return .value(value) }
        let code = zmq_errno()
        switch code {
        case EINTR: continue
        case EAGAIN: return .wouldBlock
        case EHOSTUNREACH: return .unreachable
        default: throw makeError("\(call)", subject(), code)
        }
    }
}

/// A call for which every failure is an error.
@discardableResult
func requireZeroMQ(
    _ call: StaticString, _ subject: @autoclosure () -> String = "", _ body: () -> CInt
) throws(ZeroMQError) -> CInt {
    switch try zeroMQCall(call, subject(), body) {
    case .value(let value): return value
    case .wouldBlock: throw makeError("\(call)", subject(), EAGAIN)
    case .unreachable: throw makeError("\(call)", subject(), EHOSTUNREACH)
    }
}

/// A call that returns a handle, or none with libzmq's errno set.
func requireZeroMQHandle(
    _ call: StaticString, _ subject: @autoclosure () -> String = "", _ body: () -> UnsafeMutableRawPointer?
) throws(ZeroMQError) -> UnsafeMutableRawPointer {
    guard let handle = body() else { throw makeError("\(call)", subject(), zmq_errno()) }
    return handle
}

/// Kept out of line: no receive loop should carry the code that words an error.
@inline(never)
private func makeError(_ call: String, _ subject: String, _ code: CInt) -> ZeroMQError {
    switch code {
    case contextTerminatedCode: .contextTerminated(call: call)
    case EADDRINUSE: .addressInUse(endpoint: subject)
    default: .failed(call: call, subject: subject, code: code, reason: String(cString: zmq_strerror(code)))
    }
}

/// `ETERM`, which libzmq defines as an expression that Swift may not see.
private let contextTerminatedCode: CInt = 156_384_712 + 53

/// The version of the libzmq that the process runs with, which need not be the one it was built with.
public enum ZeroMQVersion {
    /// Such as `4.3.4`.
    public static var description: String {
        var (major, minor, patch): (CInt, CInt, CInt) = (0, 0, 0)
        zmq_version(&major, &minor, &patch)
        return "\(major).\(minor).\(patch)"
    }

    /// Whether the library was built with an ability, such as `curve`, `ipc` or `draft`.
    public static func has(_ capability: String) -> Bool {
        zmq_has(capability) == 1
    }
}
