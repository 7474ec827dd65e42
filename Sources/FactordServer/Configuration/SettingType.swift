/// What the value of a key may be: how it is named to people, read and written.
struct SettingType<Value> {
    /// What would be right, such as `an integer 1…512`.
    let expected: String
    /// Short name for tables.
    let name: String
    /// Whether a key that is written without a value, or as null, means something; else it keeps its default.
    var takesNull = false
    /// The value of a written node, nil when it is not right.
    let read: (SettingNode) -> Value?
    /// The value as YAML.
    let write: (Value) -> String
    /// Words that are right, for a suggestion.
    var words: [String] = []
}

extension SettingType where Value == String {
    static var text: SettingType { SettingType(expected: "text", name: "text", read: \.text, write: quoted) }
    static var endpoint: SettingType { SettingType(expected: "an endpoint such as tcp://127.0.0.1:5560", name: "endpoint", read: \.text, write: quoted) }
    static var path: SettingType { SettingType(expected: "a path", name: "path", read: \.text, write: quoted) }
    /// A name that can stand in logs, counters and file names.
    static var name: SettingType {
        SettingType(
            expected: "a name of 1 to 64 letters, digits, `-` and `_`", name: "name",
            read: { node in
                guard let text = node.text, (1...64).contains(text.utf8.count) else { return nil }
                return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") } ? text : nil
            }, write: quoted)
    }
}

extension SettingType where Value == String? {
    static var optionalPath: SettingType {
        SettingType(
            expected: "a path, or null", name: "path or null", takesNull: true,
            read: { $0.isEmpty ? .some(nil) : $0.text.map { .some($0) } }, write: { $0.map(quoted) ?? "null" })
    }
    static var optionalEndpoint: SettingType {
        SettingType(
            expected: "an endpoint such as tcp://127.0.0.1:5562 or unix:PATH, or null", name: "endpoint or null", takesNull: true,
            read: { $0.isEmpty ? .some(nil) : $0.text.map { .some($0) } }, write: { $0.map(quoted) ?? "null" })
    }
}

extension SettingType where Value == [String] {
    /// A list of texts; outside a file also one text with commas.
    static func texts(_ name: String) -> SettingType {
        SettingType(
            expected: "a list such as [a, b]", name: "list of \(name)",
            read: { node in
                switch node.content {
                case .sequence(let elements):
                    let texts = elements.compactMap { element -> String? in
                        guard case .scalar(let text, let isPlain) = element.content, !isPlain || !text.isEmpty else { return nil }
                        return text
                    }
                    return texts.count == elements.count ? texts : nil
                case .scalar(let text, _):
                    return text.split(separator: ",").map { String($0.drop { $0 == " " }) }
                case .mapping: return nil
                }
            },
            write: { "[" + $0.map(quoted).joined(separator: ", ") + "]" })
    }
}

extension SettingType where Value == Bool {
    static var flag: SettingType {
        SettingType(
            expected: "true or false", name: "true or false",
            read: { ["true": true, "yes": true, "on": true, "false": false, "no": false, "off": false][$0.text?.lowercased() ?? ""] },
            write: { $0 ? "true" : "false" })
    }
}

extension SettingType where Value: FixedWidthInteger {
    static func integer(_ range: ClosedRange<Value>) -> SettingType {
        let name = range.upperBound == .max ? "integer from \(range.lowerBound)" : "integer \(range.lowerBound)…\(range.upperBound)"
        return SettingType(
            expected: "an \(name)", name: name,
            read: { node in
                guard let text = node.text, let value = Value(text.filter { $0 != "_" }) else { return nil }
                return range.contains(value) ? value : nil
            },
            write: { "\($0)" })
    }
}

extension SettingType where Value == [Int] {
    /// A list of integers in a range; outside a file also one text with commas.
    static func integers(_ range: ClosedRange<Int>) -> SettingType {
        let element = SettingType<Int>.integer(range), texts = SettingType<[String]>.texts("")
        return SettingType(
            expected: "a list of integers \(range.lowerBound)…\(range.upperBound), such as [8, 4]",
            name: "list of integers \(range.lowerBound)…\(range.upperBound)",
            read: { node in
                guard let words = texts.read(node) else { return nil }
                let numbers = words.compactMap { Int($0) }.filter(range.contains)
                return numbers.count == words.count ? numbers : nil
            },
            write: { "[" + $0.map(element.write).joined(separator: ", ") + "]" })
    }
}

extension SettingType where Value == Float {
    /// A finite number in a range. Numbers too small or too large for 32 bits are refused rather than rounded to 0 or infinity.
    static func number(_ range: ClosedRange<Float>) -> SettingType {
        let name = "number \(shown(range.lowerBound))…\(shown(range.upperBound))"
        return SettingType(
            expected: "a \(name)", name: name,
            read: { node in
                guard let value = node.text.flatMap(finite) else { return nil }
                return range.contains(value) ? value : nil
            },
            write: { "\($0)" })
    }
}

extension SettingType where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    static var choice: SettingType {
        let words = Value.allCases.map(\.rawValue)
        let list = words.count < 2 ? words.joined() : words.dropLast().joined(separator: ", ") + " or " + words[words.count - 1]
        return SettingType(
            expected: list, name: list, read: { $0.text.flatMap(Value.init(rawValue:)) }, write: { quoted($0.rawValue) }, words: words)
    }
}

extension SettingType where Value == [RequestFallback] {
    /// A list of words, each once; outside a file also one text with commas.
    static var choices: SettingType {
        let texts = SettingType<[String]>.texts(""), words = RequestFallback.allCases.map(\.rawValue)
        return SettingType(
            expected: "a list of \(words.joined(separator: ", ")), each once at most", name: "list of \(words.joined(separator: ", "))",
            read: { node in
                guard let written = texts.read(node) else { return nil }
                let choices = written.compactMap(RequestFallback.init(rawValue:))
                return choices.count == written.count && Set(choices).count == choices.count ? choices : nil
            },
            write: { "[" + $0.map { quoted($0.rawValue) }.joined(separator: ", ") + "]" })
    }
}

extension SettingType where Value == ByteSize {
    static func size(_ range: ClosedRange<ByteSize>) -> SettingType {
        SettingType(
            expected: "a size \(range.lowerBound)…\(range.upperBound), such as 1MiB", name: "size \(range.lowerBound)…\(range.upperBound)",
            read: { node in node.text.flatMap(ByteSize.init).flatMap { range.contains($0) ? $0 : nil } },
            write: \.description)
    }
}

extension SettingType where Value == TimeSpan {
    static func span(_ range: ClosedRange<TimeSpan>) -> SettingType {
        SettingType(
            expected: "a span of time \(range.lowerBound)…\(range.upperBound), such as 5m or 250ms",
            name: "span \(range.lowerBound)…\(range.upperBound)",
            read: { node in node.text.flatMap(TimeSpan.init).flatMap { range.contains($0) ? $0 : nil } },
            write: \.description)
    }
}

extension SettingType where Value == EventLabel {
    static var label: SettingType {
        SettingType(
            expected: "a number, `value` (the event must carry one) or `value-or-1` (1, or another number, where it carries none)",
            name: "number, value or value-or-NUMBER",
            read: { node in
                guard let text = node.text else { return nil }
                if text == "value" { return .value }
                if text.hasPrefix("value-or-") { return finite(String(text.dropFirst(9))).map(EventLabel.valueOr) }
                return finite(text).map(EventLabel.constant)
            },
            write: { label in
                switch label {
                case .constant(let number): "\(number)"
                case .value: "value"
                case .valueOr(let number): "value-or-\(shown(number))"
                }
            }, words: ["value", "value-or-1"])
    }
}

/// The number that a text stands for, if it is one that 32 bits can hold.
private func finite(_ text: String) -> Float? {
    guard let exact = Double(text), let value = Float(text), value.isFinite else { return nil }
    return (value == 0) == (exact == 0) ? value : nil
}

/// A number without a needless `.0`.
private func shown(_ number: Float) -> String {
    number == number.rounded() && abs(number) < 1e9 ? "\(Int(number))" : "\(number)"
}

/// Text as YAML: bare where no reader could take it for anything else, else in double quotes.
func quoted(_ text: String) -> String {
    let bare = text.first.map { $0.isASCII && ($0.isLetter || $0 == "/" || $0 == ".") } ?? false
        && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-./:".contains($0)) }
        && !text.hasSuffix(":") && Double(text) == nil
        && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(text.lowercased())
    if bare { return text }
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        case _ where scalar.value < 0x20 || scalar.value == 0x7F:
            let hex = String(scalar.value, radix: 16)
            result += "\\x" + (hex.count < 2 ? "0" : "") + hex
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
