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
    /// Entities with a list; added to by trainers, read by anyone.
    let holders: UnsafeMutablePointer<Atomic<Int>>

    init(epochs: ReaderEpochs) {
        features = EntityTable(epochs: epochs)
        holders = .allocate(capacity: 1)
        holders.initialize(to: Atomic(0))
        pools = (0..<Placement.shardCount).map { _ in BlockPool(epochs: epochs) }
    }

    deinit { holders.deallocate() }

    /// Makes room for an entity. Sequencer only.
    func ensure(_ entity: UInt32) { rows.ensure(entity) }

    /// Whether no entity has attributes: what spares everybody else the look-up.
    @inline(__always)
    var isEmpty: Bool { holders.pointee.load(ordering: .relaxed) == 0 }

    /// Bytes of the lists; those of the features' ids are the table's.
    var bytes: Int { rows.mappedBytes + pools.reduce(0) { $0 + $1.bytes } }

    @inline(__always)
    private func row(_ entity: UInt32) -> UnsafeMutablePointer<Atomic<UInt>> {
        rows.address(entity).assumingMemoryBound(to: Atomic<UInt>.self)
    }

    /// An entity's attributes; nil where it has none.
    @inline(__always)
    subscript(entity: UInt32) -> AttributeList? {
        AttributeList(bits: row(entity).pointee.load(ordering: .acquiring))
    }

    /// Whether an entity has attributes.
    @inline(__always)
    func has(_ entity: UInt32) -> Bool { !isEmpty && row(entity).pointee.load(ordering: .relaxed) != 0 }

    /// Gives an entity the attributes that `feature` names, in place of those it had.
    /// - Precondition: `count` is at most `longest`.
    func set(_ entity: UInt32, count: Int, _ feature: (Int) -> ResolvedFeature) {
        precondition(count <= AttributeLists.longest, "a list has at most \(AttributeLists.longest) attributes")
        let row = row(entity), pool = pools[Placement.shard(entity)]
        var bits: UInt = 0
        if count > 0 {
            let block = pool.allocate(AttributeList.bytes(count))
            block.storeBytes(of: UInt64(count), as: UInt64.self)
            let entries = (block + 8).bindMemory(to: ResolvedFeature.self, capacity: count)
            for index in 0..<count { (entries + index).initialize(to: feature(index)) }
            bits = UInt(bitPattern: block)
        }
        let old = row.pointee.exchange(bits, ordering: .acquiringAndReleasing)
        let change = (bits == 0 ? 0 : 1) - (old == 0 ? 0 : 1)
        if change != 0 { holders.pointee.add(change, ordering: .relaxed) }
        if let old = AttributeList(bits: old) { pool.retire(old.address, bytes: AttributeList.bytes(old.count)) }
    }

    /// Drops an entity's attributes.
    func clear(_ entity: UInt32) { set(entity, count: 0) { _ in ResolvedFeature(ordinal: 0, weight: 0) } }
}

/// One entity's attributes: a count (u64), then ordinal and x of each.
struct AttributeList {
    let address: UnsafeMutableRawPointer

    init?(bits: UInt) {
        guard let address = UnsafeMutableRawPointer(bitPattern: bits) else { return nil }
        self.address = address
    }

    static func bytes(_ count: Int) -> Int { 8 + count * MemoryLayout<ResolvedFeature>.stride }

    @inline(__always)
    var count: Int { Int(address.load(as: UInt64.self)) }

    @inline(__always)
    subscript(index: Int) -> ResolvedFeature {
        (address + 8).assumingMemoryBound(to: ResolvedFeature.self)[index]
    }
}

/// The attributes of both sides.
final class EntityAttributes: Sendable {
    let users: AttributeLists
    let items: AttributeLists

    init(epochs: ReaderEpochs) {
        users = AttributeLists(epochs: epochs)
        items = AttributeLists(epochs: epochs)
    }
}
