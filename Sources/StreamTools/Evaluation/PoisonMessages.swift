/// Messages that a broken or hostile publisher might send, about users and items that the stream knows.
enum PoisonMessages {
    /// Numbers that poison arithmetic: as JSON text, and as the float itself.
    static let numbers: [(text: String, value: Float)] = [
        ("NaN", .nan), ("1e999", .infinity), ("-1e999", -.infinity), ("1e30", 1e30), ("-1e30", -1e30), ("7.2e-43", 0x1p-140),
    ]

    /// Every form, in turn with `number`.
    static func message(_ number: Int, user: EventID, item: EventID) -> [[UInt8]] {
        let poison = numbers[number / 9 % numbers.count]
        let who = "\"user\":\(quoted(user)),\"item\":\(quoted(item))"
        switch number % 9 {
        case 0: return columns("value", poison.value, user: user, item: item)
        case 1: return columns("weight", poison.value, user: user, item: item)
        case 2: return json("{\(who),\"value\":\(poison.text)}")
        case 3: return json("{\(who),\"weight\":\(poison.text)}")
        case 4: return json("{\(who),\"context\":{\"device\":{\"phone\":\(poison.text)}}}")
        case 5: return json("{\"entity\":\"item\",\"id\":\(quoted(item)),\"attributes\":{\"genre\":{\"noir\":\(poison.text)}}}")
        case 6: return empty[number / 9 % empty.count]
        case 7: return crowd(features[number / 9 % features.count], "\(who),\"context\"")
        default: return crowd(features[number / 9 % features.count], "\"entity\":\"item\",\"id\":\(quoted(item)),\"attributes\"")
        }
    }

    private static let empty: [[[UInt8]]] = [
        [[]], json(""), json("{}"), json("[]"), json("null"), json("{\"user\":\"\",\"item\":\"\"}"), json("{\"user\":null,\"item\":1}"),
        json("{\"columns\":[],\"count\":0}"),
    ]

    /// Features of one record: as many as it may hold, more, and absurdly many.
    private static let features = [256, 257, 20_000]

    private static func crowd(_ count: Int, _ start: String) -> [[UInt8]] {
        let values = (0..<count).map { "\"c\($0)\"" }.joined(separator: ",")
        return json("{\(start):{\"crowd\":[\(values)]}}")
    }

    private static func columns(_ name: String, _ value: Float, user: EventID, item: EventID) -> [[UInt8]] {
        var event = DatasetEvent(user: user, item: item)
        if name == "value" { event.value = value } else { event.weight = value }
        return ColumnarBatch.frames([event], shape: ColumnarBatch.Shape(event)!, numbering: nil)
    }

    private static func json(_ text: String) -> [[UInt8]] { [Array(text.utf8)] }

    private static func quoted(_ id: EventID) -> String {
        switch id {
        case .integer(let value): String(value)
        case .text(let text): JSONTree.string(text).json
        }
    }
}
