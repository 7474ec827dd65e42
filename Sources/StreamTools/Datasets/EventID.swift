import Factorization

/// A user or item id as a file gives it, in its canonical form (`IdPolicy`): decimal text that fits a 64-bit integer
/// is that integer, anything else is text.
public enum EventID: Hashable, Sendable, CustomStringConvertible {
    case integer(Int64)
    /// 1…1024 bytes of UTF-8.
    case text(String)

    /// Nil when the bytes cannot be an id: empty, longer than 1024 bytes, or not UTF-8.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 1, bytes.count <= Key.longestText else { return nil }
        if let integer = IdPolicy.canonicalInteger(bytes) {
            self = .integer(integer)
        } else {
            guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
            self = .text(text)
        }
    }

    /// Nil when `text` is empty or longer than 1024 bytes.
    public init?(_ text: String) {
        var text = text
        guard let id = text.withUTF8({ EventID(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = id
    }

    public var description: String {
        switch self {
        case .integer(let value): String(value)
        case .text(let value): value
        }
    }
}
