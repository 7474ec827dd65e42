/// Bounds of what one message and one record may hold.
public struct EventLimits: Sendable, Equatable {
    /// Longest body in bytes.
    public var messageBytes: Int
    /// Deepest nesting of JSON.
    public var depth: Int
    /// Context features of an event, or attributes of an entity; at most 65,535.
    public var features: Int
    /// Columns of a columnar batch.
    public var columns: Int
    /// Rejections that are kept with their detail for one message; the counters know all.
    public var keptRejections: Int

    public init(
        messageBytes: Int = 16 << 20, depth: Int = 32, features: Int = 256, columns: Int = 64, keptRejections: Int = 64
    ) {
        precondition(features >= 0 && features <= Int(UInt16.max), "a record counts its features in 16 bits")
        self.messageBytes = messageBytes
        self.depth = depth
        self.features = features
        self.columns = columns
        self.keptRejections = keptRejections
    }

    /// Longest event type, field name and source name, in UTF-8 bytes.
    public static let longestName = 128
    /// Greatest magnitude of a value and of a numeric feature.
    public static let greatestValue = 1e9
    /// Greatest weight of an event.
    public static let greatestWeight = 1e6
}
