/// What requests ask of the tables beside scores. Inside `Scorer.reading`.
extension Engine {
    /// Whether a user has ever interacted, so that the row says something.
    public func hasInteracted(_ user: UInt32) -> Bool { user != Placement.none && users.frequency(user) > 0 }

    /// The attributes of a user: (ordinal, x).
    public func attributesOfUser(_ user: UInt32) -> [(ordinal: UInt32, weight: Float)] {
        guard user != Placement.none, shared.attributes.users.has(user), let list = shared.attributes.users[user] else { return [] }
        return (0..<list.count).map { (list[$0].ordinal, list[$0].weight) }
    }

    /// An item that a visitor took, with the label that an event without a type would teach; nil where that needs a value.
    public func taken(_ item: UInt32, weight: Float, value: Float?) -> Visitor.Item? {
        let rule = settings.otherEvents
        if rule.needsValue && value == nil { return nil }
        return Visitor.Item(ordinal: item, weight: weight * rule.weight, label: rule.label(value: value ?? 0, hasValue: value != nil))
    }

    /// A context value or attribute as people write it: `hour=13`.
    public func featureName(_ table: EntityTable, _ ordinal: UInt32) -> String {
        let key = table.key(ordinal, hashing: hashing), field = String(decoding: fields.name(key.namespace), as: UTF8.self)
        return "\(field)=\(Engine.name(key))"
    }

    /// An id as text.
    public static func name(_ key: Key) -> String {
        key.isText ? String(decoding: key.text, as: UTF8.self) : String(Int64(bitPattern: key.payload))
    }

    /// Interactions that the window of recent items reaches back.
    public var recentSpan: Int { shared.recent.span }
}
