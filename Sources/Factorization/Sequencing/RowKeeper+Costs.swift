import CKernels

/// What a row costs, and what a budget must hold besides.
extension RowKeeper {
    convenience init(_ settings: EngineSettings, shared: SharedState, models: [Model]) {
        self.init(
            settings: settings.memory,
            tables: [shared.users, shared.items, shared.contexts, shared.attributes.users.features, shared.attributes.items.features],
            costs: RowSide.allCases.map { RowKeeper.cost($0, settings, models) },
            reserved: RowKeeper.reserved(settings, models: models),
            sweeps: settings.historyLength > 0 || settings.seenLimit > 0 || shared.replay != nil)
    }

    /// Bytes of an id of a side: the id itself, and its rows in all tables that are as long as the side.
    private static func cost(_ side: RowSide, _ settings: EngineSettings, _ models: [Model]) -> Int {
        let rows = models.reduce(0) { $0 + $1.rowBytes("\(side)") }
        switch side {
        case .users: return EntityTable.idBytes + rows + UserItems.rowBytes + AttributeLists.rowBytes
        case .items:
            let draws = models.contains { $0.settings.popularityExponent != 0 } ? NegativeTables.itemBytes : 0
            let copies = models.reduce(0) { $0 + ($1.items.copy == nil ? 0 : RowCopy.rowBytes(width: $1.width)) }
            return EntityTable.idBytes + rows + copies + AttributeLists.rowBytes + draws
        case .contexts, .userAttributes, .itemAttributes: return EntityTable.idBytes + rows
        }
    }

    /// Bytes of a budget that ids and their rows cannot have: users' lists, the reservoir, global parameters, and what the tables'
    /// directories and the first page of each of their slabs take.
    static func reserved(_ settings: EngineSettings, models: [Model]) -> Int {
        let hasLists = settings.historyLength > 0 || settings.seenLimit > 0
        let replay = (settings.replayCapacity + Placement.shardCount) * MemoryLayout<ReplayEvent>.stride
        let early = settings.memory.budget > 0 && gathersEarly(settings, models: models) ? earlyBytes(models) : 0
        return models.reduce((hasLists ? settings.historyBudget : 0) + (settings.replayCapacity > 0 ? replay : 0) + early) {
            $0 + $1.globalBytes + $1.stores.count * Placement.shardCount * 2 * pageBytes
        }
    }
    private static let pageBytes = 4096

    /// Whether rows of users and items are to lie in huge pages before they fill them: where nothing bounds memory, or a
    /// thirty-second of the bound pays for it.
    static func gathersEarly(_ settings: EngineSettings, models: [Model]) -> Bool {
        settings.memory.budget == 0 || earlyBytes(models) <= settings.memory.budget / 32
    }

    private static func earlyBytes(_ models: [Model]) -> Int { models.reduce(0) { $0 + $1.users.earlyBytes + $1.items.earlyBytes } }
}

extension EngineSettings {
    /// The least budget that leaves room for 16 MiB of rows: what is reserved at most, and the sketch's part.
    public var leastBudget: Int {
        let lists = historyLength > 0 || seenLimit > 0 ? historyBudget : 0
        let replay = replayCapacity > 0 ? (replayCapacity + Placement.shardCount) * MemoryLayout<ReplayEvent>.stride : 0
        // Of a model: directories and first pages of all its tables, matrices of the regulariser, global parameters.
        let fixed = models.reduce(lists + replay) { $0 + (16 << 20) + 20 * $1.rowLength * $1.rowLength }
        return (fixed + (16 << 20)) / 31 * 32
    }
}

extension Model {
    /// Bytes of the rows of one id of a side, in all groups that the side's ordinals number.
    func rowBytes(_ side: String) -> Int {
        stores.reduce(side == "contexts" && settings.kind == .ffm ? 4 : 0) { $1.side == side ? $0 + $1.store.rowBytes : $0 }
    }

    /// Bytes of parameters and matrices that do not grow with ids.
    var globalBytes: Int { (parameters?.count ?? 0) * 8 + (grams?.bytes ?? 0) }
}

extension UserItems {
    static let rowBytes = MemoryLayout<Row>.stride
}

extension AttributeLists {
    static let rowBytes = MemoryLayout<UInt>.stride
}

extension NegativeTables {
    /// Bytes an item: a column and a frequency, of two generations while one takes the place of the other.
    static let itemBytes = 2 * (MemoryLayout<AliasTable.Column>.stride + MemoryLayout<Float>.stride)
}
