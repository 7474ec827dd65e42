public import LinuxSystem

/// What can go wrong when feeding and asking a daemon. Each case names the thing at fault and what to do.
public enum StreamToolsError: Error, Equatable, CustomStringConvertible {
    /// A system call on a file failed.
    case system(SystemError)
    /// A compressed file that zlib cannot go on with (damaged, or cut short).
    case damagedFile(path: String, line: Int, reason: String)
    /// A line, counted from 1, that is not what its file's format promises.
    case malformedLine(path: String, line: Int, reason: String)
    /// A file whose format cannot be told, or that lacks a column.
    case unknownFormat(path: String, reason: String)
    /// A setting outside its range: which, and what is allowed.
    case invalidSetting(name: String, reason: String)
    /// The transport refused: what was being done, on which endpoint, and libzmq's reason.
    case transport(doing: String, endpoint: String, reason: String)
    /// The queue to `endpoint` stayed full: nobody there, or a daemon that has stopped reading.
    case queueFull(endpoint: String, seconds: Double)
    /// No answer within the deadline.
    case noAnswer(method: String, endpoint: String, seconds: Double)
    /// The daemon does not let this key in there, or is another than the one of the server key.
    case notAdmitted(endpoint: String)
    /// The daemon answered with a JSON-RPC error.
    case refused(method: String, code: Int, message: String)
    /// The daemon's answer is not what the method promises.
    case malformedAnswer(method: String, reason: String)
    /// The person pressed ^C.
    case interrupted

    public var description: String {
        switch self {
        case .system(let error): error.description
        case .damagedFile(let path, let line, let reason):
            "\(path):\(line): the file cannot be read further: \(reason); fetch or compress it again"
        case .malformedLine(let path, let line, let reason): "\(path):\(line): \(reason)"
        case .unknownFormat(let path, let reason): "\(path): \(reason)"
        case .invalidSetting(let name, let reason): "\(name): \(reason)"
        case .transport(let doing, let endpoint, let reason): "cannot \(doing) \(endpoint): \(reason)"
        case .queueFull(let endpoint, let seconds):
            "\(endpoint): nothing could be sent for \(tidy(seconds)) s: is the daemon running and reading there?\(keyHint(endpoint))"
        case .noAnswer(let method, let endpoint, let seconds):
            "\(method): no answer from \(endpoint) within \(tidy(seconds)) s: is the daemon running there?\(keyHint(endpoint))"
        case .notAdmitted(let endpoint):
            "\(endpoint): the daemon refuses this key, or has another than --server-key says: is the key in its list for this endpoint (security.query, "
                + "admin or publish), was it reloaded since, and does the endpoint ask for keys at all?"
        case .refused(let method, let code, let message): "\(method): the daemon answers error \(code): \(message)"
        case .malformedAnswer(let method, let reason): "\(method): the answer cannot be understood: \(reason)"
        case .interrupted: "interrupted"
        }
    }
}

/// An endpoint that asks for keys does not say so to who has none.
private func keyHint(_ endpoint: String) -> String {
    endpoint.hasPrefix("tcp:") ? " If it asks for keys, is yours in its list (--server-key, --key)?" : ""
}

/// A number without a needless fraction: `5`, `0.25`.
func tidy(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 1e15 ? String(Int64(number)) : String(number)
}
