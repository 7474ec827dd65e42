/// What the sequencer's loop over records touches, held without reference counting: a retain and a release of a shared
/// object cost as much as finding an id. The sequencer owns all of it and outlives its use. Sequencer only.
struct SequencerPath {
    /// Records ahead at which the lines of the index are asked for, and ids looked up by their tags, which asks for their rows.
    static let indexAhead = 32
    static let rowsAhead = 16
    /// So many records are asked for together, for a processor that stands at the address of one that is not translated yet goes on
    /// translating those that follow closely: one at each record would stand for its own time.
    static let group = 8
    /// Places for what was found ahead: `rowsAhead` and a group, a power of two.
    private static let places = 32

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
    /// What the tags say of the records ahead, by the low bits of their index in the batch.
    private let candidates: UnsafeMutablePointer<(user: UInt32, item: UInt32)>

    init(shared: SharedState, queues all: [TrainerQueue]) {
        undo = shared.undo
        users = .passUnretained(shared.users)
        items = .passUnretained(shared.items)
        recent = .passUnretained(shared.recent)
        types = .passUnretained(shared.types)
        rules = shared.types.rule(0)
        queues = .allocate(capacity: Placement.shardCount)
        candidates = .allocate(capacity: SequencerPath.places)
        candidates.initialize(repeating: (Placement.none, Placement.none), count: SequencerPath.places)
        for shard in 0..<Placement.shardCount { (queues + shard).initialize(to: .passUnretained(all[shard % all.count])) }
    }

    func deallocate() {
        queues.deallocate()
        candidates.deallocate()
    }

    @inline(__always)
    func queue(_ user: UInt32) -> Unmanaged<TrainerQueue> { queues[Placement.shard(user)] }
    /// The ordinals of the record at an index, for which `lookUp` was called before; `Placement.none` where there is none.
    @inline(__always)
    func user(_ key: Key, _ index: Int) -> UInt32 {
        users._withUnsafeGuaranteedRef { $0.confirmed(candidates[index & (SequencerPath.places - 1)].user, key) }
    }
    @inline(__always)
    func item(_ key: Key, _ index: Int) -> UInt32 {
        items._withUnsafeGuaranteedRef { $0.confirmed(candidates[index & (SequencerPath.places - 1)].item, key) }
    }
    @inline(__always)
    func type(_ name: UnsafeRawBufferPointer) -> UInt16? { types._withUnsafeGuaranteedRef { $0.resolve(name) } }

    @inline(__always)
    func count(item: UInt32, user: UInt32, by increment: Float) {
        items._withUnsafeGuaranteedRef { $0.count(item, by: increment) }
        users._withUnsafeGuaranteedRef { $0.count(user, by: increment) }
        recent._withUnsafeGuaranteedRef { $0.count(item) }
    }

    /// Asks for what records far ahead need, a group of them at a time.
    @inline(__always)
    func askAhead(_ records: UnsafeMutableBufferPointer<EventRecord>, of index: Int) {
        for ahead in 0..<SequencerPath.group { prefetchIndex(records, index &+ SequencerPath.indexAhead &+ ahead) }
        for ahead in 0..<SequencerPath.group { lookUp(records, index &+ SequencerPath.rowsAhead &+ ahead) }
    }

    @inline(__always)
    func prefetchIndex(_ records: UnsafeMutableBufferPointer<EventRecord>, _ index: Int) {
        guard index < records.count else { return }
        let record = records.baseAddress.unsafelyUnwrapped + index
        users._withUnsafeGuaranteedRef { $0.prefetch(record.pointee.user) }
        items._withUnsafeGuaranteedRef { $0.prefetch(record.pointee.item) }
    }

    /// Looks a record's ids up by their tags; whether these tell the truth is seen when its turn comes, and the rows have come.
    @inline(__always)
    func lookUp(_ records: UnsafeMutableBufferPointer<EventRecord>, _ index: Int) {
        guard index < records.count else { return }
        let record = records.baseAddress.unsafelyUnwrapped + index
        candidates[index & (SequencerPath.places - 1)] = (
            users._withUnsafeGuaranteedRef { $0.candidate(record.pointee.user) },
            items._withUnsafeGuaranteedRef { $0.candidate(record.pointee.item) })
    }
}
