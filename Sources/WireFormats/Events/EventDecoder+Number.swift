/// How a publisher numbers a message.
public struct MessageNumber: Sendable, Equatable {
    public let source: String
    public let epoch: UInt64
    public let sequence: UInt64
}

extension EventDecoder {
    /// The number of the message in hand, which is known from `begin` on; nil for one without `source` or `seq`. That of a beat
    /// is the one it tells of.
    public var messageNumber: MessageNumber? {
        guard numbering.isNumbered else { return nil }
        return MessageNumber(source: numbering.sourceName, epoch: numbering.epoch, sequence: numbering.sequence)
    }

    /// Whether a frame begins like a body: with `{` or `[`, maybe after white space.
    public static func isBody(_ frame: UnsafeRawBufferPointer) -> Bool { beginsLikeBody(frame) }
}
