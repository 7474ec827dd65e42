public import WireFormats

/// A JSON value that owns what it holds: answers of the daemon, which are small, outlive the parser's buffers here.
public indirect enum JSONTree: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONTree])
    /// Members in the order in which they came.
    case object([Member])

    public struct Member: Sendable, Equatable {
        public var key: String
        public var value: JSONTree

        public init(key: String, value: JSONTree) {
            self.key = key
            self.value = value
        }
    }

    /// Copies a parsed value. An integer past Int64 becomes a number.
    public init(_ value: JSONValue) {
        switch value.kind {
        case .null: self = .null
        case .bool: self = .bool(value.bool ?? false)
        case .int64: self = .integer(value.int64 ?? 0)
        case .uint64, .double: self = .number(value.double ?? 0)
        case .string: self = .string(value.string ?? "")
        case .array: self = .array((value.elements.map { $0.map { JSONTree($0) } }) ?? [])
        case .object:
            var members: [Member] = []
            if let all = value.members {
                for (key, value) in all {
                    members.append(Member(key: String(decoding: key, as: UTF8.self), value: JSONTree(value)))
                }
            }
            self = .object(members)
        }
    }

    /// A member of an object; nil for anything else and where it is absent or null.
    public subscript(_ key: String) -> JSONTree? {
        guard case .object(let members) = self, let found = members.first(where: { $0.key == key })?.value, found != .null else {
            return nil
        }
        return found
    }

    public var string: String? { if case .string(let text) = self { text } else { nil } }
    public var array: [JSONTree]? { if case .array(let elements) = self { elements } else { nil } }
    public var object: [Member]? { if case .object(let members) = self { members } else { nil } }
    public var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }

    /// An integer, or a number without a fraction.
    public var integer: Int? {
        switch self {
        case .integer(let value): Int(value)
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    public var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The id that an answer names.
    public var id: EventID? {
        switch self {
        case .integer(let value): .integer(value)
        case .string(let text): EventID(text)
        default: nil
        }
    }

    /// A scalar as a person reads it; JSON for anything with parts.
    public var display: String {
        switch self {
        case .string(let text): text
        case .number(let value): Quantity.fixed(value, 4)
        default: json
        }
    }

    /// The value as JSON text.
    public var json: String {
        var writer = JSONWriter(capacity: 256)
        write(to: &writer)
        return writer.string
    }

    public func write(to writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .bool(let flag): writer.value(flag)
        case .integer(let value): writer.value(value)
        case .number(let value): writer.value(value)
        case .string(let text): writer.value(text)
        case .array(let elements):
            writer.beginArray()
            for element in elements { element.write(to: &writer) }
            writer.endArray()
        case .object(let members):
            writer.beginObject()
            for member in members {
                writer.key(member.key)
                member.value.write(to: &writer)
            }
            writer.endObject()
        }
    }
}

extension JSONTree: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral
{
    public init(dictionaryLiteral elements: (String, JSONTree)...) {
        self = .object(elements.map { Member(key: $0.0, value: $0.1) })
    }
    public init(arrayLiteral elements: JSONTree...) { self = .array(elements) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    public init(_ id: EventID) {
        switch id {
        case .integer(let value): self = .integer(value)
        case .text(let text): self = .string(text)
        }
    }
}
