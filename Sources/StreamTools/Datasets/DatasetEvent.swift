/// One value of a context field at an event, such as `hour` = 13.
public struct ContextPair: Sendable, Equatable {
    public var field: String
    public var value: EventID
    /// The feature's x; 1 unless the data say otherwise.
    public var weight: Float

    public init(field: String, value: EventID, weight: Float = 1) {
        self.field = field
        self.value = value
        self.weight = weight
    }
}

/// One user–item event as a data set holds it.
public struct DatasetEvent: Sendable, Equatable {
    public var user: EventID
    public var item: EventID
    /// The event type's name (`view`, `rating`), or nil.
    public var type: String?
    /// A rating or amount; finite.
    public var value: Float?
    /// Finite, not negative; nil stands for 1.
    public var weight: Float?
    /// Milliseconds since 1970.
    public var timeMilliseconds: Int64?
    public var context: [ContextPair]

    public init(
        user: EventID, item: EventID, type: String? = nil, value: Float? = nil, weight: Float? = nil,
        timeMilliseconds: Int64? = nil, context: [ContextPair] = []
    ) {
        self.user = user
        self.item = item
        self.type = type
        self.value = value
        self.weight = weight
        self.timeMilliseconds = timeMilliseconds
        self.context = context
    }
}

/// What a data set yields: an event, or a line of JSON that is passed on as it stands (an event or any other record of
/// Requests/README.md, "Events": attributes, hide, forget, …).
public enum DatasetRecord: Sendable, Equatable {
    case event(DatasetEvent)
    /// One JSON object, without line end.
    case json([UInt8])
}

extension [DatasetRecord] {
    /// The records before the event past so many events: what a search of settings may see.
    public func prefix(events: Int) -> [DatasetRecord] {
        var left = events
        return Array(prefix { record in
            guard case .event = record else { return true }
            left -= 1
            return left >= 0
        })
    }
}
