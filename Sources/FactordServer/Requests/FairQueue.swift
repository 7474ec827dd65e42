/// A queue in which whoever has much waiting delays nobody else: clients take turns, and each client's own come in order.
struct FairQueue<Element> {
    private var lines: [UInt64: [Element]] = [:]
    /// Clients that have something waiting, the next one first.
    private var turns: [UInt64] = []
    private(set) var count = 0

    mutating func append(_ element: Element, of client: UInt64) {
        if lines[client, default: []].isEmpty { turns.append(client) }
        lines[client, default: []].append(element)
        count += 1
    }

    mutating func next() -> Element? {
        guard let client = turns.first, let element = lines[client]?.removeFirst() else { return nil }
        turns.removeFirst()
        if lines[client]?.isEmpty == false { turns.append(client) } else { lines[client] = nil }
        count -= 1
        return element
    }
}
