/// Somebody without a row: what a request itself tells of them, ids resolved.
public struct Visitor: Sendable {
    /// An item that they took.
    public struct Item: Sendable {
        public var ordinal: UInt32
        /// Importance, as an event's weight.
        public var weight: Float
        /// What the event would teach; a model limits it to its loss's labels.
        public var label: Float

        public init(ordinal: UInt32, weight: Float = 1, label: Float = 1) {
            self.ordinal = ordinal
            self.weight = weight
            self.label = label
        }
    }

    /// Items that the tables know, oldest first: the history and what a row is fitted to (`FoldIn`).
    public var items: [Item]
    /// Attributes as a user has them, in place of a user's own: (ordinal in the table of user attributes, x).
    public var attributes: [(ordinal: UInt32, weight: Float)]

    public init(items: [Item] = [], attributes: [(ordinal: UInt32, weight: Float)] = []) {
        self.items = items
        self.attributes = attributes
    }

    /// Items that a request may name.
    public static let mostItems = 1000
}
