import Synchronization

/// A past interaction as it is kept for replay. Its context features are left out: a sample of hundreds of thousands of
/// events is worth more than the hour at which each of them happened, and a fixed size keeps the memory bounded.
struct ReplayEvent {
    /// `Placement.none` where the event was taken back: the place stays, so that the others' shares do not change.
    var user: UInt32
    var item: UInt32
    /// What was learned: the label by the type's rule, and the type's weight times the record's.
    var label: Float
    var weight: Float
    /// Ordinal of the event type.
    var type: UInt16
}

/// A uniform sample of past interactions for each user shard (algorithm R, Vitter 1985), from which trainers learn again.
///
/// The n-th interaction of a shard takes a place of its own while there are free ones, and afterwards, with probability
/// (places)/n, that of a uniformly drawn one: at any time each of the n is held with the same probability. All draws are
/// functions of (seed, position), and a shard's sample of the shard's own events alone, whatever the number of trainers.
///
/// Thread safety: a shard belongs to the trainer that owns it; the counts are for anyone.
final class ReplayReservoir: @unchecked Sendable {
    /// Places of one shard.
    let places: Int
    private let seed: UInt64
    /// All shards' places, one shard after the other.
    private let events: UnsafeMutablePointer<ReplayEvent>
    /// By shard: interactions offered, and places taken.
    private let offered: UnsafeMutablePointer<UInt64>
    private let taken: UnsafeMutablePointer<Atomic<Int>>

    /// - Parameter capacity: interactions of all shards, rounded up to a multiple of their number.
    init(capacity: Int, seed: UInt64) {
        places = (capacity + Placement.shardCount - 1) / Placement.shardCount
        // Apart from the models' draws, which start from the same seed.
        self.seed = mix64(seed &+ 0x5265_706C_6179)
        events = .allocate(capacity: places * Placement.shardCount)
        offered = .allocate(capacity: Placement.shardCount)
        offered.initialize(repeating: 0, count: Placement.shardCount)
        taken = .allocate(capacity: Placement.shardCount)
        for shard in 0..<Placement.shardCount { (taken + shard).initialize(to: Atomic(0)) }
    }

    deinit {
        events.deallocate()
        offered.deallocate()
        taken.deallocate()
    }

    var bytes: Int { places * Placement.shardCount * MemoryLayout<ReplayEvent>.stride }
    /// Interactions held, those taken back included.
    var held: Int { (0..<Placement.shardCount).reduce(0) { $0 + taken[$1].load(ordering: .relaxed) } }

    private func first(_ shard: Int) -> UnsafeMutablePointer<ReplayEvent> { events + shard * places }

    /// A number below `limit` from a word.
    private static func below(_ limit: UInt64, _ word: UInt64) -> UInt64 { word.multipliedFullWidth(by: limit).high }

    /// Shows the interaction at `position` to its user's shard, which may keep it.
    func offer(_ event: ReplayEvent, position: UInt64) {
        let shard = Placement.shard(event.user), count = taken[shard].load(ordering: .relaxed)
        offered[shard] += 1
        if count < places {
            (first(shard) + count).initialize(to: event)
            return taken[shard].store(count + 1, ordering: .relaxed)
        }
        let place = ReplayReservoir.below(offered[shard], mix64(seed ^ position))
        if place < UInt64(places) { first(shard)[Int(place)] = event }
    }

    /// The word of the `number`-th replay (from 0) beside the event at `position`: which one it is, and its negatives,
    /// follow from it.
    func word(at position: UInt64, _ number: Int) -> UInt64 { mix64(mix64(~seed ^ position) &+ UInt64(number)) }

    /// The interaction that a word draws from a shard; nil where the place is empty.
    func draw(_ word: UInt64, shard: Int) -> ReplayEvent? {
        let count = taken[shard].load(ordering: .relaxed)
        guard count > 0 else { return nil }
        let event = first(shard)[Int(ReplayReservoir.below(UInt64(count), word))]
        return event.user == Placement.none ? nil : event
    }

    /// Takes back what is held of a user: everything, or all interactions with an item, or those of one type.
    func remove(user: UInt32, item: UInt32? = nil, type: UInt16? = nil) {
        let shard = Placement.shard(user), events = first(shard)
        for place in 0..<taken[shard].load(ordering: .relaxed)
        where events[place].user == user && (item ?? events[place].item) == events[place].item && (type ?? events[place].type) == events[place].type {
            events[place].user = Placement.none
        }
    }

    /// Takes back what some places of a shard hold of a batch's users and items.
    func remove(_ batch: SweepBatch, shard: Int, _ places: Range<Int>) {
        let events = first(shard)
        for place in places.clamped(to: 0..<taken[shard].load(ordering: .relaxed))
        where events[place].user != Placement.none && (batch.hasUser(events[place].user) || batch.hasItem(events[place].item)) {
            events[place].user = Placement.none
        }
    }

    // MARK: Snapshot. While trainers stand still.

    func state(_ shard: Int) -> (offered: UInt64, events: UnsafeBufferPointer<ReplayEvent>) {
        (offered[shard], UnsafeBufferPointer(start: first(shard), count: taken[shard].load(ordering: .relaxed)))
    }

    func restore(_ shard: Int, offered: UInt64, events: [ReplayEvent]) {
        precondition(events.count <= places, "a shard holds \(places) events")
        self.offered[shard] = offered
        for (place, event) in events.enumerated() { (first(shard) + place).initialize(to: event) }
        taken[shard].store(events.count, ordering: .relaxed)
    }
}

/// What the replay reservoir holds and has taught.
public struct ReplayReport: Sendable, Equatable {
    /// Interactions that can be held; 0 where replay is off.
    public var capacity: Int
    public var held: Int
    /// Past interactions learned again since the start.
    public var replayed: Int
    public var bytes: Int
}
