/// An error object of JSON-RPC 2.0: a code and a sentence that names what was wrong.
public struct JSONRPCError: Error, Equatable, Sendable, CustomStringConvertible {
    public let code: Int
    public let message: String

    public init(code: Int, message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(message) (\(code))" }

    // MARK: The standard's codes

    /// The body is not JSON.
    public static func parseError(_ detail: String) -> JSONRPCError { .init(code: -32700, message: "parse error: \(detail)") }
    /// The JSON is not a request.
    public static func invalidRequest(_ detail: String) -> JSONRPCError {
        .init(code: -32600, message: "invalid request: \(detail)")
    }
    public static func methodNotFound(_ method: String) -> JSONRPCError {
        .init(code: -32601, message: "method not found: \(method)")
    }
    /// A parameter is missing or of wrong form; the detail names it (`params.items[3]: …`).
    public static func invalidParams(_ detail: String) -> JSONRPCError { .init(code: -32602, message: detail) }
    public static func internalError(_ detail: String) -> JSONRPCError {
        .init(code: -32603, message: "internal error: \(detail)")
    }

    // MARK: factord's codes

    /// -32001: the body is over the configured limit, which the message names.
    public static func tooLarge(bytes: Int, limit: Int) -> JSONRPCError {
        .init(code: -32001, message: "the body has \(bytes) bytes, the limit is \(limit)")
    }
    /// -32002: the daemon has no room for the request now; try again later.
    public static func busy(_ detail: String) -> JSONRPCError { .init(code: -32002, message: "busy: \(detail)") }
    /// -32003: the deadline passed before an answer could be given.
    public static func late(_ detail: String) -> JSONRPCError { .init(code: -32003, message: "late: \(detail)") }
    /// -32004: what was asked for is not available in this state or configuration.
    public static func notAvailable(_ detail: String) -> JSONRPCError {
        .init(code: -32004, message: "not available: \(detail)")
    }
}
