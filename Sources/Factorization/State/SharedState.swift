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

    init(settings: EngineSettings) {
        epochs = ReaderEpochs()
        hashing = KeyHash(seed: settings.hashSeed)
        decay = PopularityDecay(halfLife: Double(settings.popularityHalfLife))
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
        if decay.advance(to: position) { rebase() }
        return Float(decay.increment)
    }

    @inline(never)
    private func rebase() {
        decay.rebase()
        users.rebase()
        items.rebase()
        contexts.rebase()
    }
}
