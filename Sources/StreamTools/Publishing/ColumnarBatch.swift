import WireFormats

/// Events as a columnar message: a JSON header, then the columns' raw arrays, little-endian.
///
///     user, item   <i8 where all ids of the message are integers, else utf8
///     type         utf8; the header's own `type` where it is the same for all
///     value        <f4
///     weight       <f4
///     time         <i8, unix milliseconds (seconds before March 1973)
///     context.F    as user
///
/// A utf8 column is two frames: `<u4` offsets, one more than there are events, then the bytes.
enum ColumnarBatch {
    /// Which columns an event fills. Events of one message all have the same.
    struct Shape: Equatable {
        let hasType: Bool
        let hasValue: Bool
        let hasWeight: Bool
        let hasTime: Bool
        let fields: [String]

        /// Nil when the event does not fit columns: a field with several values, or a weight of its own.
        init?(_ event: DatasetEvent) {
            fields = event.context.map(\.field)
            guard fields.count < 2 || Set(fields).count == fields.count, event.context.allSatisfy({ $0.weight == 1 }) else {
                return nil
            }
            hasType = event.type != nil
            hasValue = event.value != nil
            hasWeight = event.weight != nil
            hasTime = event.timeMilliseconds != nil
        }
    }

    private struct Column {
        let name: String
        let type: String
        let frames: [[UInt8]]
    }

    /// - Precondition: at least one event, all of this shape.
    static func frames(_ events: [DatasetEvent], shape: Shape, numbering: StreamNumbering?) -> [[UInt8]] {
        let commonType = events.allSatisfy { $0.type == events[0].type } ? events[0].type : nil
        var columns = [ids("user", events, \.user), ids("item", events, \.item)]
        if shape.hasType, commonType == nil { columns.append(texts("type", events.map { $0.type ?? "" })) }
        if shape.hasValue { columns.append(floats("value", events) { $0.value ?? 0 }) }
        if shape.hasWeight { columns.append(floats("weight", events) { $0.weight ?? 1 }) }
        if shape.hasTime {
            columns.append(integers("time", events) { event in
                let time = event.timeMilliseconds ?? 0
                return EventJSON.wireTime(time) ?? time / 1000
            })
        }
        for (index, field) in shape.fields.enumerated() {
            columns.append(ids("context." + field, events) { $0.context[index].value })
        }
        var header = JSONWriter(capacity: 256)
        header.beginObject()
        header.key("columns")
        header.beginArray()
        for column in columns {
            header.beginArray()
            header.value(column.name)
            header.value(column.type)
            header.endArray()
        }
        header.endArray()
        header.key("count")
        header.value(events.count)
        if let commonType {
            header.key("type")
            header.value(commonType)
        }
        if let numbering { EventJSON.write(numbering, to: &header) }
        header.endObject()
        return [Array(header.bytes)] + columns.flatMap(\.frames)
    }

    private static func ids(_ name: String, _ events: [DatasetEvent], _ id: (DatasetEvent) -> EventID) -> Column {
        let allIntegers = events.allSatisfy { if case .integer = id($0) { true } else { false } }
        guard allIntegers else { return texts(name, events.map { id($0).description }) }
        return integers(name, events) { if case .integer(let value) = id($0) { value } else { 0 } }
    }

    private static func integers(_ name: String, _ events: [DatasetEvent], _ value: (DatasetEvent) -> Int64) -> Column {
        Column(name: name, type: "<i8", frames: [bytes(events.map { value($0).littleEndian })])
    }

    private static func floats(_ name: String, _ events: [DatasetEvent], _ value: (DatasetEvent) -> Float) -> Column {
        Column(name: name, type: "<f4", frames: [bytes(events.map { value($0).bitPattern.littleEndian })])
    }

    private static func texts(_ name: String, _ values: [String]) -> Column {
        var offsets: [UInt32] = [0]
        offsets.reserveCapacity(values.count + 1)
        var text: [UInt8] = []
        for value in values {
            text += value.utf8
            offsets.append(UInt32(text.count).littleEndian)
        }
        return Column(name: name, type: "utf8", frames: [bytes(offsets), text])
    }

    private static func bytes<Element: BitwiseCopyable>(_ values: [Element]) -> [UInt8] {
        values.withUnsafeBytes { Array($0) }
    }
}
