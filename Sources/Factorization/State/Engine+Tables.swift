import Synchronization

/// What one side's tables take.
public struct TableReport: Sendable, Equatable {
    /// `users`, `items`, `contexts`, `userAttributes`, `itemAttributes`.
    public var name: String
    /// Ids that have rows, and ordinals that wait for another id.
    public var ids: Int
    public var holes: Int
    /// Bytes in use: of ids, texts and index; and of all models' rows. Slabs that are mapped ahead do not count.
    public var idBytes: Int
    public var rowBytes: Int
}

extension Engine {
    /// What the tables take, by side.
    public var tables: [TableReport] {
        sides.map { name, table in
            TableReport(
                name: name, ids: table.liveCount, holes: table.holeCount, idBytes: table.usedBytes,
                rowBytes: models.reduce(0) { $0 + $1.rowBytes(name) * table.count })
        }
    }

    /// Ids that were evicted or forgotten since the state began.
    public var evictions: Int { sequencer.evictions.load(ordering: .relaxed) }
}
