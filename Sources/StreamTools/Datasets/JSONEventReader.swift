import WireFormats

/// Reads the lines of a JSON-lines file as far as the tools need to: the time of a record, and events simple enough
/// for columns. One thread at a time.
final class JSONEventReader {
    private let parser = JSONParser(maxBytes: LineReader.longestLine)

    /// Milliseconds since 1970; nil where a record has no time that the daemon would take.
    func time(_ line: [UInt8]) -> Int64? {
        parse(line) { root in root["time"].flatMap(JSONEventReader.time) }
    }

    /// The event, when the line holds nothing but what a data set's event can hold: user, item, type, value, weight, time and
    /// context. Nil for any other record, also for a faulty one: the daemon is to judge it.
    func plainEvent(_ line: [UInt8]) -> DatasetEvent? {
        parse(line) { root in
            guard let members = root.members, let user = root["user"].flatMap(JSONEventReader.id),
                let item = root["item"].flatMap(JSONEventReader.id)
            else { return nil }
            var event = DatasetEvent(user: user, item: item)
            for (key, value) in members {
                switch String(decoding: key, as: UTF8.self) {
                case "user", "item": break
                case "type":
                    guard let type = value.string else { return nil }
                    event.type = type
                case "value":
                    guard let number = value.double else { return nil }
                    event.value = Float(number)
                case "weight":
                    guard let number = value.double else { return nil }
                    event.weight = Float(number)
                case "time":
                    guard let time = JSONEventReader.time(value) else { return nil }
                    event.timeMilliseconds = time
                case "context":
                    guard let fields = value.members else { return nil }
                    for (field, value) in fields {
                        guard let pairs = JSONEventReader.pairs(String(decoding: field, as: UTF8.self), value) else { return nil }
                        event.context += pairs
                    }
                default: return nil
                }
            }
            return event
        }
    }

    private func parse<Value>(_ line: [UInt8], _ read: (JSONValue) -> Value?) -> Value? {
        line.withUnsafeBytes { bytes in
            guard let root = try? parser.parse(bytes) else { return nil }
            return read(root)
        }
    }

    private static func time(_ value: JSONValue) -> Int64? {
        if let integer = value.int64 { return EventTime.milliseconds(integer) }
        if let number = value.double { return EventTime.milliseconds(number) }
        return value.stringBytes.flatMap { EventTime.milliseconds(rfc3339: $0) }
    }

    /// A value, a list of values, or value → weight; nil for anything else.
    private static func pairs(_ field: String, _ value: JSONValue) -> [ContextPair]? {
        if let id = id(value) { return [ContextPair(field: field, value: id)] }
        var pairs: [ContextPair] = []
        if let elements = value.elements {
            for element in elements {
                guard let id = id(element) else { return nil }
                pairs.append(ContextPair(field: field, value: id))
            }
            return pairs
        }
        guard let members = value.members else { return nil }
        for (name, weight) in members {
            guard let id = EventID(String(decoding: name, as: UTF8.self)), let weight = weight.double else { return nil }
            pairs.append(ContextPair(field: field, value: id, weight: Float(weight)))
        }
        return pairs
    }

    private static func id(_ value: JSONValue) -> EventID? {
        value.int64.map(EventID.integer) ?? value.stringBytes.flatMap { EventID($0) }
    }
}
