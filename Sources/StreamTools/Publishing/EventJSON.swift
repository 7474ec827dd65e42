import WireFormats

/// Events as JSON objects.
enum EventJSON {
    static func object(_ event: DatasetEvent, numbering: StreamNumbering?) -> [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        if let numbering { write(numbering, to: &writer) }
        writer.key("user")
        write(event.user, to: &writer)
        writer.key("item")
        write(event.item, to: &writer)
        if let type = event.type {
            writer.key("type")
            writer.value(type)
        }
        if let value = event.value {
            writer.key("value")
            writer.value(value)
        }
        if let weight = event.weight {
            writer.key("weight")
            writer.value(weight)
        }
        if let time = event.timeMilliseconds {
            writer.key("time")
            if let number = wireTime(time) { writer.value(number) } else { writer.value(Double(time) / 1000) }
        }
        if !event.context.isEmpty {
            writer.key("context")
            write(event.context, to: &writer)
        }
        writer.endObject()
        return Array(writer.bytes)
    }

    /// `{"beat":{"source","epoch","last_seq"}}`
    static func beat(_ numbering: StreamNumbering) -> [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.beginObject()
        writer.key("beat")
        writer.beginObject()
        writer.key("source")
        writer.value(numbering.source)
        writer.key("epoch")
        writer.value(numbering.epoch)
        writer.key("last_seq")
        writer.value(numbering.next - 1)
        writer.endObject()
        writer.endObject()
        return Array(writer.bytes)
    }

    /// The members `source`, `epoch` and `seq`.
    static func write(_ numbering: StreamNumbering, to writer: inout JSONWriter) {
        writer.key("source")
        writer.value(numbering.source)
        writer.key("epoch")
        writer.value(numbering.epoch)
        writer.key("seq")
        writer.value(numbering.next)
    }

    static func write(_ id: EventID, to writer: inout JSONWriter) {
        switch id {
        case .integer(let value): writer.value(value)
        case .text(let value): writer.value(value)
        }
    }

    /// Field → value, → list of values, or → object of value and weight, whichever is the shortest that says it.
    static func write(_ context: [ContextPair], to writer: inout JSONWriter) {
        writer.beginObject()
        var done: [String] = []
        for pair in context where !done.contains(pair.field) {
            done.append(pair.field)
            let same = context.filter { $0.field == pair.field }
            writer.key(pair.field)
            write(values: same, to: &writer)
        }
        writer.endObject()
    }

    /// The values of one field.
    static func write(values: [ContextPair], to writer: inout JSONWriter) {
        if values.contains(where: { $0.weight != 1 }) {
            writer.beginObject()
            for member in values {
                writer.key(member.value.description)
                writer.value(member.weight)
            }
            writer.endObject()
        } else if values.count > 1 {
            writer.beginArray()
            for member in values { write(member.value, to: &writer) }
            writer.endArray()
        } else if let only = values.first {
            write(only.value, to: &writer)
        }
    }

    /// The integer that the receiver reads as this time: milliseconds, or whole seconds where milliseconds would be
    /// taken for seconds (before March 1973); nil where neither says it.
    static func wireTime(_ milliseconds: Int64) -> Int64? {
        if Double(milliseconds.magnitude) >= EventTime.millisecondsFrom { return milliseconds }
        return milliseconds % 1000 == 0 ? milliseconds / 1000 : nil
    }

    /// A JSON object with a number put in front of its members, unless it bears one itself.
    static func numbered(_ object: [UInt8], _ numbering: StreamNumbering?) -> [UInt8] {
        guard let numbering, let brace = object.firstIndex(of: UInt8(ascii: "{")), !hasNumber(object) else { return object }
        var writer = JSONWriter(capacity: 128)
        writer.beginObject()
        write(numbering, to: &writer)
        let rest = object[(brace + 1)...]
        let isEmpty = rest.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "}")
        return Array(writer.bytes) + (isEmpty ? [] : [UInt8(ascii: ",")]) + rest
    }

    private static func hasNumber(_ object: [UInt8]) -> Bool {
        let key = Array("\"seq\"".utf8)
        var index = 0
        while let quote = object[index...].firstIndex(of: key[0]) {
            if object[quote...].starts(with: key) { return true }
            index = quote + 1
        }
        return false
    }
}
