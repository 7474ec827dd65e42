import Glibc

/// A system call that failed: which one, on what, and why.
public struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The call's name, such as `fdatasync`.
    public let call: String
    /// What it worked on: a path, an endpoint, or empty.
    public let subject: String
    /// The errno value at the time of failure.
    public let code: Int32

    public init(call: String, subject: String, code: Int32) {
        self.call = call
        self.subject = subject
        self.code = code
    }

    public var description: String {
        let reason = String(cString: strerror(code))
        return subject.isEmpty ? "\(call): \(reason)" : "\(call) \(subject): \(reason)"
    }
}

/// The one place that reads errno for libc: runs `body`, tries again when a signal interrupted it, throws when it
/// returned a negative value.
@discardableResult
@inline(__always)
package func systemCall<Value: SignedInteger>(
    _ call: StaticString, _ subject: @autoclosure () -> String = "", _ body: () -> Value
) throws(SystemError) -> Value {
    while true {
        let value = body()
        if value >= 0 { return value }
        let code = errno
        if code == EINTR { continue }
        throw SystemError(call: "\(call)", subject: subject(), code: code)
    }
}

/// As `systemCall`, for calls that may wait for a disk: the thread is not answerable for how long they take.
@discardableResult
package func diskCall<Value: SignedInteger>(
    _ call: StaticString, _ subject: @autoclosure () -> String = "", _ body: () -> Value
) throws(SystemError) -> Value {
    try Pulse.outside { () throws(SystemError) in try systemCall(call, subject(), body) }
}

/// As `systemCall`, for calls that must not be repeated after a signal: an interrupted `close` has closed.
package func systemCallOnce(
    _ call: StaticString, _ subject: @autoclosure () -> String = "", _ body: () -> Int32
) throws(SystemError) {
    if body() >= 0 { return }
    let code = errno
    if code == EINTR { return }
    throw SystemError(call: "\(call)", subject: subject(), code: code)
}
