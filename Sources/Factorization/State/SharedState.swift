/// What all models of a process share: ids, event types, fields, and what each user did.
final class SharedState: @unchecked Sendable {
    /// Changes of ids while a capture copies them. Sequencer only, or while it stands.
    let undo: UnsafeMutablePointer<IdUndo>
    let epochs: ReaderEpochs
    let hashing: KeyHash
    /// How the frequencies of users and items fade.
    let decay: PopularityDecay
    let users: EntityTable
    let items: EntityTable
    let contexts: EntityTable
    let types: EventTypes
    let fields: Fields
    let userItems: UserItems
    /// Past interactions to learn again; nil where replay is off.
    let replay: ReplayReservoir?
    let attributes: EntityAttributes
    /// What came of late.
    let recent: RecentItems
    /// A rebase under way: up to which position counts have taken part, and how many do at each. Sequencer only.
    private var rebase: (position: UInt64, rows: Int)?
    /// Half-lives in which all counts take part in a rebase, of the 64 until the next.
    private static let rebaseSpan = 16
    private let halfLife: Int

    init(settings: EngineSettings) {
        epochs = ReaderEpochs()
        hashing = KeyHash(seed: settings.hashSeed)
        halfLife = settings.popularityHalfLife
        decay = PopularityDecay(halfLife: Double(halfLife))
        undo = .allocate(capacity: 1)
        undo.initialize(to: IdUndo())
        users = EntityTable(epochs: epochs, decay: decay, undo: undo, side: .users)
        items = EntityTable(epochs: epochs, decay: decay, undo: undo, side: .items)
        contexts = EntityTable(epochs: epochs, decay: decay, undo: undo, side: .contexts)
        types = EventTypes(configured: settings.eventTypes, fallback: settings.otherEvents)
        fields = Fields()
        recent = RecentItems(span: settings.recentSpan)
        attributes = EntityAttributes(epochs: epochs, undo: undo)
        replay = settings.replayCapacity > 0 ? ReplayReservoir(capacity: settings.replayCapacity, seed: settings.models[0].seed) : nil
        userItems = UserItems(
            historyLength: settings.historyLength, seenLimit: settings.seenLimit, budget: settings.historyBudget, epochs: epochs)
    }

    deinit {
        undo.pointee.close()
        undo.deallocate()
    }

    /// What one interaction at `position` counts, in units of the decay's base. Sequencer only, positions in order.
    @inline(__always)
    func increment(at position: UInt64) -> Float {
        if decay.advance(to: position) { beginRebase(at: position) }
        return Float(decay.increment)
    }

    private var counted: [EntityTable] { [users, items, contexts] }

    @inline(never)
    private func beginRebase(at position: UInt64) {
        // Only if ids have multiplied since the one before began.
        if rebase != nil { for table in counted { _ = table.goOnRebasing(.max >> 1) } }
        decay.rebase()
        for table in counted { table.beginRebase() }
        let rows = counted.reduce(0) { $0 + $1.count }
        rebase = (position, rows / (SharedState.rebaseSpan * halfLife) + 1)
    }

    /// Brings counts into a rebase that is under way, as many as there have been events since. Sequencer only.
    @inline(__always)
    func goOnRebasing(to position: UInt64) { if rebase != nil { bringIn(to: position) } }

    @inline(never)
    private func bringIn(to position: UInt64) {
        guard let under = rebase, position > under.position else { return }
        var rest = Int(position - under.position) * under.rows
        for table in counted where rest > 0 { rest = table.goOnRebasing(rest) }
        rebase = rest > 0 ? nil : (position, under.rows)
    }
}
