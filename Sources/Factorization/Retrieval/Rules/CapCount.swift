/// How many items of each value a list has, for the caps of one query.
///
/// Thread safety: `take` belongs to the thread of the query; `isFull` is for any threads that scan between two of them, inside
/// `ReaderEpochs.reading`.
final class CapCount {
    private let engine: Engine
    private let lists: AttributeLists
    /// The least limit of each capped field, by namespace.
    private var limits: [UInt16: Int] = [:]
    private var counts: [Value: Int] = [:]

    /// A value of a field: its attribute; of numbers, which share one, also which.
    private struct Value: Hashable {
        var attribute: UInt32
        var number: Float?
    }

    init(engine: Engine) {
        self.engine = engine
        lists = engine.shared.attributes.items
    }

    func start(_ caps: [AttributeCap]) {
        limits.removeAll(keepingCapacity: true)
        counts.removeAll(keepingCapacity: true)
        for var cap in caps {
            guard let namespace = cap.field.withUTF8({ engine.fields.namespace(UnsafeRawBufferPointer($0)) }) else { continue }
            limits[namespace] = min(limits[namespace] ?? .max, cap.limit)
        }
    }

    /// Whether an item fits all values that it has of capped fields; then it counts.
    func take(_ item: UInt32) -> Bool {
        let values = values(item)
        guard values.allSatisfy({ !isFull($0.key, $0.value) }) else { return false }
        for value in values.keys { counts[value, default: 0] += 1 }
        return true
    }

    /// Whether an item does not fit.
    func isFull(_ item: UInt32) -> Bool { values(item).contains { isFull($0.key, $0.value) } }

    private func isFull(_ value: Value, _ limit: Int) -> Bool { counts[value, default: 0] >= limit }

    /// What an item has of capped fields, each value once, with its limit.
    private func values(_ item: UInt32) -> [Value: Int] {
        guard !limits.isEmpty, let list = lists[item] else { return [:] }
        var values: [Value: Int] = [:]
        for index in 0..<list.count {
            let feature = list.given[index]
            guard let limit = limits[lists.features.namespace(feature.ordinal)] else { continue }
            let isNumber = list.isNumber(index) && lists.features.isZero(feature.ordinal)
            values[Value(attribute: feature.ordinal, number: isNumber ? feature.weight : nil)] = limit
        }
        return values
    }
}
