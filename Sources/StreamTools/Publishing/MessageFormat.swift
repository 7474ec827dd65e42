/// How events are put into messages (Requests/README.md, "Events").
public enum MessageFormat: String, Sendable, CaseIterable {
    /// One JSON object a message.
    case json
    /// A JSON array of objects.
    case array
    /// A JSON header and one raw array a column: the fast path.
    case columnar
}

/// Who publishes, and which of its messages comes next: lets the receiver see gaps and repetitions.
public struct StreamNumbering: Sendable, Equatable {
    public var source: String
    /// Grows with each run of a source.
    public var epoch: UInt64
    /// Number of the next message, from 1.
    public var next: UInt64

    public init(source: String, epoch: UInt64, next: UInt64 = 1) {
        self.source = source
        self.epoch = epoch
        self.next = next
    }
}
