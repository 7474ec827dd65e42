import Factorization
import WireFormats

/// Numbers and times as data sets write them.
enum FieldValue {
    /// A finite number, or nil.
    static func number(_ bytes: UnsafeRawBufferPointer) -> Double? {
        if let integer = IdPolicy.canonicalInteger(bytes) { return Double(integer) }
        guard let text = String(validating: bytes, as: UTF8.self), let number = Double(text), number.isFinite else { return nil }
        return number
    }

    /// Milliseconds since 1970 from unix seconds (also with a fraction), unix milliseconds, RFC 3339, or the looser
    /// forms of data sets: without a zone it is UTC, a date alone is its midnight. Nil for anything else.
    static func time(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        if let integer = IdPolicy.canonicalInteger(bytes) { return EventTime.milliseconds(integer) }
        if let number = number(bytes) { return EventTime.milliseconds(number) }
        if let time = EventTime.milliseconds(rfc3339: bytes) { return time }
        var text = Array(bytes)
        text += text.count == 10 ? "T00:00:00Z".utf8 : "Z".utf8
        return text.withUnsafeBytes { EventTime.milliseconds(rfc3339: $0) }
    }
}
