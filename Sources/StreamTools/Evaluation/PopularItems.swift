/// Items in order of how often they have been taken: what a recommender without taste would show, at any moment.
///
/// Kept sorted by swaps, so that counting an event costs the same however many items there are.
struct PopularItems {
    /// Items, the most popular first.
    private var order: [EventID] = []
    private var places: [EventID: Int] = [:]
    private var counts: [EventID: Int] = [:]
    /// The first place in `order` of those with a count.
    private var starts: [Int: Int] = [:]

    mutating func count(_ item: EventID) {
        let count = counts[item] ?? 0
        if count == 0 {
            places[item] = order.count
            order.append(item)
            if starts[0] == nil { starts[0] = order.count - 1 }
        }
        let first = starts[count]!, place = places[item]!
        order.swapAt(first, place)
        places[order[place]] = place
        places[item] = first
        counts[item] = count + 1
        if starts[count + 1] == nil { starts[count + 1] = first }
        starts[count] = first + 1 < order.count && counts[order[first + 1]] ?? 0 == count ? first + 1 : nil
    }

    /// The most popular items, best first, without some.
    func top(_ depth: Int, excluding excluded: Set<EventID>) -> [EventID] {
        var found: [EventID] = []
        for item in order where !excluded.contains(item) {
            if found.count == depth { break }
            found.append(item)
        }
        return found
    }
}
