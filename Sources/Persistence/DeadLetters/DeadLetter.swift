/// A record that was set aside, as one JSON line:
/// `{"time":1700000000123,"stream":"clicks","reason":"wrong_type","detail":"user is null","payload_bytes":17,"payload":"{\"user\":null}"}`.
///
/// `time` is in milliseconds since 1970. `payload` is text where the (cut) payload is UTF-8; otherwise
/// `payload_base64` stands in its place. `payload_bytes` is the length before the cut.
struct DeadLetter {
    /// The most UTF-8 bytes of stream, reason and detail that a line holds.
    static let fieldLimit = 512

    var timeMilliseconds: Int64
    var stream: String
    var reason: String
    var detail: String

    /// Appends the line to `line`, with at most `payloadLimit` bytes of `payload`. Returns whether the payload was cut.
    func encode(_ payload: UnsafeRawBufferPointer, payloadLimit: Int, into line: inout [UInt8]) -> Bool {
        line += #"{"time":\#(timeMilliseconds)"#.utf8
        for (key, value) in [("stream", stream), ("reason", reason), ("detail", detail)] {
            line += #","\#(key)":""#.utf8
            let bytes = Array(value.utf8)
            Self.appendEscaped(bytes.prefix(Self.wholeCharacters(bytes[...], limit: Self.fieldLimit)), to: &line)
            line.append(UInt8(ascii: "\""))
        }
        let cut = payload.count > payloadLimit
        let kept = Array(payload.prefix(payloadLimit))
        let text = kept.prefix(cut ? Self.wholeCharacters(Array(payload.prefix(payloadLimit + 4))[...], limit: payloadLimit) : kept.count)
        line += #","payload_bytes":\#(payload.count),"#.utf8
        if String(validating: text, as: UTF8.self) != nil {
            line += #""payload":""#.utf8
            Self.appendEscaped(text, to: &line)
        } else {
            line += #""payload_base64":""#.utf8
            Self.appendBase64(kept[...], to: &line)
        }
        line += "\"}\n".utf8
        return cut
    }

    /// How many of the first `limit` bytes can be kept without cutting a UTF-8 character in two.
    static func wholeCharacters(_ bytes: ArraySlice<UInt8>, limit: Int) -> Int {
        guard bytes.count > limit else { return bytes.count }
        var end = limit
        // A character has at most three continuation bytes; more means that this is not UTF-8 anyway.
        while end > 0, limit - end < 3, bytes[bytes.startIndex + end] & 0xC0 == 0x80 { end -= 1 }
        return bytes[bytes.startIndex + end] & 0xC0 == 0x80 ? limit : end
    }

    static func appendEscaped(_ bytes: ArraySlice<UInt8>, to line: inout [UInt8]) {
        let hex = Array("0123456789abcdef".utf8)
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): line += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): line += "\\n".utf8
            case UInt8(ascii: "\r"): line += "\\r".utf8
            case UInt8(ascii: "\t"): line += "\\t".utf8
            // Delete too, so that a terminal that shows the file meets no control byte.
            case 0..<0x20, 0x7F: line += "\\u00".utf8 + [hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            default: line.append(byte)
            }
        }
    }

    static func appendBase64(_ bytes: ArraySlice<UInt8>, to line: inout [UInt8]) {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var rest = bytes
        while let first = rest.popFirst() {
            let second = rest.popFirst()
            let third = rest.popFirst()
            let bits = Int(first) << 16 | Int(second ?? 0) << 8 | Int(third ?? 0)
            line.append(digits[bits >> 18])
            line.append(digits[bits >> 12 & 63])
            line.append(second == nil ? UInt8(ascii: "=") : digits[bits >> 6 & 63])
            line.append(third == nil ? UInt8(ascii: "=") : digits[bits & 63])
        }
    }
}
