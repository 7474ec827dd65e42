/// What the sequencer's loop over records touches, held without reference counting: a retain and a release of a shared
/// object cost as much as finding an id. The sequencer owns all of it and outlives its use. Sequencer only.
struct SequencerPath {
    /// Records ahead at which the lines of the index, and then the rows of the ids, are asked for.
    static let indexAhead = 32
    static let rowsAhead = 16

    private let users: Unmanaged<EntityTable>
    private let items: Unmanaged<EntityTable>
    private let recent: Unmanaged<RecentItems>
    private let types: Unmanaged<EventTypes>
    /// What a capture wants noted.
    let undo: UnsafeMutablePointer<IdUndo>
    /// Rules by type.
    let rules: UnsafePointer<TypeRule>
    /// The queue of each shard of users.
    private let queues: UnsafeMutablePointer<Unmanaged<TrainerQueue>>

    init(shared: SharedState, queues all: [TrainerQueue]) {
        undo = shared.undo
        users = .passUnretained(shared.users)
        items = .passUnretained(shared.items)
        recent = .passUnretained(shared.recent)
        types = .passUnretained(shared.types)
        rules = shared.types.rule(0)
        queues = .allocate(capacity: Placement.shardCount)
        for shard in 0..<Placement.shardCount { (queues + shard).initialize(to: .passUnretained(all[shard % all.count])) }
    }

    func deallocate() { queues.deallocate() }

    @inline(__always)
    func queue(_ user: UInt32) -> Unmanaged<TrainerQueue> { queues[Placement.shard(user)] }
    @inline(__always)
    func user(_ key: Key) -> UInt32 { users._withUnsafeGuaranteedRef { $0.find(key) } }
    @inline(__always)
    func item(_ key: Key) -> UInt32 { items._withUnsafeGuaranteedRef { $0.find(key) } }
    @inline(__always)
    func type(_ name: UnsafeRawBufferPointer) -> UInt16? { types._withUnsafeGuaranteedRef { $0.resolve(name) } }

    @inline(__always)
    func count(item: UInt32, user: UInt32, by increment: Float) {
        items._withUnsafeGuaranteedRef { $0.count(item, by: increment) }
        users._withUnsafeGuaranteedRef { $0.count(user, by: increment) }
        recent._withUnsafeGuaranteedRef { $0.count(item) }
    }

    @inline(__always)
    func prefetchIndex(_ records: UnsafeMutableBufferPointer<EventRecord>, _ index: Int) {
        guard index < records.count else { return }
        let record = records.baseAddress.unsafelyUnwrapped + index
        users._withUnsafeGuaranteedRef { $0.prefetch(record.pointee.user) }
        items._withUnsafeGuaranteedRef { $0.prefetch(record.pointee.item) }
    }

    @inline(__always)
    func prefetchRows(_ records: UnsafeMutableBufferPointer<EventRecord>, _ index: Int) {
        guard index < records.count else { return }
        let record = records.baseAddress.unsafelyUnwrapped + index
        users._withUnsafeGuaranteedRef { $0.prefetchRow(record.pointee.user) }
        items._withUnsafeGuaranteedRef { $0.prefetchRow(record.pointee.item) }
    }
}
