import WireFormats

/// What is known of users or of items beside their events: columns of a file, one line an entity.
public struct SideFeatures: Sendable {
    /// Users or items.
    public enum Entity: String, Sendable {
        case user, item
    }

    /// A column to take, and how: `gender`, or `age/10` for a number that is divided and rounded down.
    public struct Column: Sendable, Equatable {
        public var name: String
        public var step: Int64?

        /// Reads `name` or `name/step`.
        public init?(_ text: String) {
            let parts = text.split(separator: "/", maxSplits: 1)
            guard let name = parts.first else { return nil }
            self.name = String(name)
            guard parts.count > 1 else { return }
            guard let step = Int64(parts[1]), step > 0 else { return nil }
            self.step = step
        }
    }

    public let entity: Entity
    private var features: [EventID: [ContextPair]] = [:]

    /// Reads a file as `ItemCatalogue` does: the first column, or one with a usual name, is the id.
    /// - Parameter columns: those to take; nil takes all.
    /// - Throws: as `ItemCatalogue.read`; `unknownFormat` where the file has none of the columns.
    public init(_ entity: Entity, path: String, columns: [Column]? = nil) throws(StreamToolsError) {
        self.entity = entity
        let catalogue = try ItemCatalogue.read(path: path)
        for id in catalogue.ids {
            var pairs: [ContextPair] = []
            for attribute in catalogue.entries[id]!.attributes {
                guard let columns else {
                    pairs += attribute.values.map { ContextPair(field: attribute.field, value: $0) }
                    continue
                }
                guard let column = columns.first(where: { $0.name == attribute.field }) else { continue }
                pairs += attribute.values.map { ContextPair(field: attribute.field, value: SideFeatures.binned($0, column.step)) }
            }
            if !pairs.isEmpty { features[id] = pairs }
        }
        if features.isEmpty {
            let wanted = columns.map { $0.map(\.name).joined(separator: ", ") } ?? "any"
            throw .unknownFormat(path: path, reason: "no column with attributes (\(wanted)) beside the id")
        }
    }

    /// Features by id, for tests and generated data.
    public init(_ entity: Entity, features: [EventID: [ContextPair]]) {
        self.entity = entity
        self.features = features
    }

    private static func binned(_ value: EventID, _ step: Int64?) -> EventID {
        guard let step, case .integer(let number) = value else { return value }
        return .integer(number >= 0 ? number / step : (number - step + 1) / step)
    }

    /// What is known of an entity; empty for an unknown one.
    public subscript(id: EventID) -> [ContextPair] { features[id] ?? [] }

    /// The record that tells the daemon: `{"entity":"item","id":7,"attributes":{…}}`. Nil for an unknown entity.
    public func record(_ id: EventID) -> [UInt8]? {
        guard let pairs = features[id] else { return nil }
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        writer.key("entity")
        writer.value(entity.rawValue)
        writer.key("id")
        EventJSON.write(id, to: &writer)
        writer.key("attributes")
        EventJSON.write(pairs, to: &writer)
        writer.endObject()
        return Array(writer.bytes)
    }
}
