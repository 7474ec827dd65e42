/// A scored item.
public struct ScoredItem: Sendable, Equatable {
    /// Ordinal in the item table.
    public var item: UInt32
    public var score: Float

    public init(item: UInt32, score: Float) {
        self.item = item
        self.score = score
    }

    /// Whether this one ranks before `other`: the higher score, then the item admitted earlier.
    @inlinable
    func precedes(_ other: ScoredItem) -> Bool {
        score != other.score ? score > other.score : item < other.item
    }
}

/// The n best items of a scan: a bounded heap whose root is the worst of them. Memory is kept from call to call.
struct TopN {
    private var heap: [ScoredItem] = []
    private(set) var limit = 0
    /// A score must reach this to have a chance; −∞ until the heap is full.
    private(set) var threshold = -Float.infinity

    mutating func start(_ limit: Int) {
        self.limit = limit
        heap.removeAll(keepingCapacity: true)
        threshold = limit == 0 ? .infinity : -.infinity
    }

    /// Offers an item; NaN never enters.
    mutating func offer(_ item: ScoredItem) {
        if heap.count < limit {
            guard !item.score.isNaN else { return }
            heap.append(item)
            siftUp(heap.count - 1)
        } else {
            guard limit > 0, item.precedes(heap[0]) else { return }
            heap[0] = item
            siftDown(0)
        }
        if heap.count == limit { threshold = heap[0].score }
    }

    /// How many are held, and each of them, in no order.
    var count: Int { heap.count }
    subscript(index: Int) -> ScoredItem { heap[index] }

    /// What is held, best first.
    func sorted() -> [ScoredItem] { heap.sorted { $0.precedes($1) } }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[parent].precedes(heap[child]) else { return }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var worst = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[worst].precedes(heap[child]) {
                worst = child
            }
            if worst == parent { return }
            heap.swapAt(parent, worst)
            parent = worst
        }
    }
}
