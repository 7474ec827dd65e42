import CKernels
import Synchronization

/// The attributes of one side's entities (users or items): the features by id, and each entity's list of them. Shared by
/// all models.
///
/// A list is a block that is written whole, released, and never changed: an upsert writes another and retires the first.
///
/// Thread safety: `ensure` and the admission of features belong to the sequencer; an entity's list is written by the trainer
/// that owns the entity's shard, at the position of the upsert, so that no event sees attributes from its future. Lists are
/// read from any thread inside `ReaderEpochs.reading` (or on the thread that writes them).
final class AttributeLists: @unchecked Sendable {
    /// Features of one entity at most.
    static let longest = 64

    /// (field, value) to ordinal, namespaced by field.
    let features: EntityTable
    /// 8 bytes an entity: the address of its list, 0 for none.
    private let rows = SlabStore(rowBytes: MemoryLayout<Atomic<UInt>>.stride)
    private let pools: [BlockPool]
    /// Entities with attributes, and entities that expire; added to by trainers, read by anyone.
    let holders: UnsafeMutablePointer<Atomic<Int>>
    private let expiring: UnsafeMutablePointer<Atomic<Int>>
    /// Which entities' lists have changed.
    let changes = AttributeChanges()

    init(epochs: ReaderEpochs, undo: UnsafeMutablePointer<IdUndo>? = nil, side: RowSide = .userAttributes) {
        features = EntityTable(epochs: epochs, undo: undo, side: side)
        holders = .allocate(capacity: 1)
        holders.initialize(to: Atomic(0))
        expiring = .allocate(capacity: 1)
        expiring.initialize(to: Atomic(0))
        pools = BlockPool.forShards(epochs: epochs)
    }

    deinit {
        holders.deallocate()
        expiring.deallocate()
    }

    /// Makes room for an entity. Sequencer only.
    func ensure(_ entity: UInt32) { rows.ensure(entity) }

    /// Whether no entity has attributes: what spares everybody else the look-up.
    @inline(__always)
    var isEmpty: Bool { holders.pointee.load(ordering: .relaxed) == 0 }

    /// Whether nothing at all is held, not even when somebody expires.
    var holdsNothing: Bool { isEmpty && expiring.pointee.load(ordering: .relaxed) == 0 }

    /// Bytes of the lists; those of the features' ids are the table's.
    var bytes: Int { rows.mappedBytes + blockBytes }
    /// Bytes of the chunks that lists are carved from.
    var blockBytes: Int { pools.reduce(0) { $0 + $1.bytes } }

    @inline(__always)
    private func row(_ entity: UInt32) -> UnsafeMutablePointer<Atomic<UInt>> {
        rows.address(entity).assumingMemoryBound(to: Atomic<UInt>.self)
    }

    /// An entity's attributes; nil where it has none.
    @inline(__always)
    subscript(entity: UInt32) -> AttributeList? {
        let bits = row(entity).pointee.load(ordering: .acquiring)
        return bits & AttributeList.emptyBit == 0 ? AttributeList(bits: bits) : nil
    }

    /// All that is held of an entity, without attributes too; nil where that is nothing.
    func held(_ entity: UInt32) -> AttributeList? { AttributeList(bits: row(entity).pointee.load(ordering: .acquiring)) }

    /// Whether an entity has attributes.
    @inline(__always)
    func has(_ entity: UInt32) -> Bool {
        guard !isEmpty else { return false }
        let bits = row(entity).pointee.load(ordering: .relaxed)
        return bits != 0 && bits & AttributeList.emptyBit == 0
    }

    /// Whether an entity's time is over at `now`, in milliseconds since 1970.
    @inline(__always)
    func isExpired(_ entity: UInt32, now: Int64) -> Bool {
        expiring.pointee.load(ordering: .relaxed) != 0 && (held(entity)?.expires).map { $0 <= now } == true
    }

    /// Asks for where an entity's list lies.
    @inline(__always)
    func prefetch(_ entity: UInt32) { fk_prefetch(rows.address(entity)) }

    /// Gives an entity the attributes that `feature` names, in place of those it had.
    /// - Parameters:
    ///   - extent: how many there are, and what else is held of them.
    ///   - feature: the attributes with their x as they were given.
    /// - Precondition: the count is at most `longest`.
    func set(_ entity: UInt32, _ extent: AttributeExtent, _ feature: (Int) -> ResolvedFeature) {
        precondition(extent.count <= AttributeLists.longest, "a list has at most \(AttributeLists.longest) attributes")
        let row = row(entity), pool = pools[Placement.shard(entity)]
        let bits = extent.isNothing ? 0 : AttributeList.write(extent, pool.allocate(extent.bytes), feature)
        let old = row.pointee.exchange(bits, ordering: .acquiringAndReleasing)
        func count(_ counter: UnsafeMutablePointer<Atomic<Int>>, _ isCounted: (UInt) -> Bool) {
            let change = (isCounted(bits) ? 1 : 0) - (isCounted(old) ? 1 : 0)
            if change != 0 { counter.pointee.add(change, ordering: .relaxed) }
        }
        count(holders) { $0 != 0 && $0 & AttributeList.emptyBit == 0 }
        count(expiring) { AttributeList(bits: $0)?.expires != nil }
        changes.note(entity)
        if let old = AttributeList(bits: old) { pool.retire(old.address, bytes: old.extent.bytes) }
    }

    /// The same for attributes that are given as they count.
    func set(_ entity: UInt32, count: Int, _ feature: (Int) -> ResolvedFeature) { set(entity, AttributeExtent(count: count), feature) }

    /// Drops an entity's attributes.
    func clear(_ entity: UInt32) { set(entity, count: 0) { _ in ResolvedFeature(ordinal: 0, weight: 0) } }
}

/// The attributes of both sides.
final class EntityAttributes: Sendable {
    let users: AttributeLists
    let items: AttributeLists

    init(epochs: ReaderEpochs, undo: UnsafeMutablePointer<IdUndo>? = nil) {
        users = AttributeLists(epochs: epochs, undo: undo, side: .userAttributes)
        items = AttributeLists(epochs: epochs, undo: undo, side: .itemAttributes)
    }
}
