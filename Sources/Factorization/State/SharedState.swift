/// What all models of a process share: ids, event types, fields, and what each user did.
final class SharedState: Sendable {
    let epochs: ReaderEpochs
    let hashing: KeyHash
    let users: EntityTable
    let items: EntityTable
    let contexts: EntityTable
    let types: EventTypes
    let fields: Fields
    let userItems: UserItems
    let attributes: EntityAttributes

    init(settings: EngineSettings) {
        epochs = ReaderEpochs()
        hashing = KeyHash(seed: settings.hashSeed)
        users = EntityTable(epochs: epochs)
        items = EntityTable(epochs: epochs)
        contexts = EntityTable(epochs: epochs)
        types = EventTypes(configured: settings.eventTypes, fallback: settings.otherEvents)
        fields = Fields()
        attributes = EntityAttributes(epochs: epochs)
        userItems = UserItems(
            historyLength: settings.historyLength, seenLimit: settings.seenLimit, budget: settings.historyBudget, epochs: epochs)
    }
}
