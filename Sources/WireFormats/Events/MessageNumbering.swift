import Factorization

/// How a publisher numbers its message: `source`, `epoch`, `seq`.
struct MessageNumbering {
    var epoch: UInt64 = 0
    var sequence: UInt64 = 0
    var isNumbered = false
    /// The source's name, `sourceLength` bytes of it: a copy, for the document may be parsed over meanwhile.
    private var source = InlineArray<128, UInt8>(repeating: 0)
    private var sourceLength = 0

    /// Reads the keys of an object; the sequence number under `sequenceKey`.
    init(of object: JSONValue, sequenceKey: StaticString = "seq") throws(DecodeFailure) {
        var hasSequence = false
        for (key, value) in JSONMembers(of: object) where !value.isNull {
            let word = KeyWord.of(key)
            if word == KeyWord.source {
                guard let bytes = value.stringBytes, bytes.count >= 1, bytes.count <= EventLimits.longestName else {
                    throw .rejected(.badNumbering, "source: not a string of 1 to 128 bytes")
                }
                for index in 0..<bytes.count { source[index] = bytes[index] }
                sourceLength = bytes.count
            } else if word == KeyWord.epoch {
                guard let number = value.uint64 else {
                    throw .rejected(.badNumbering, "epoch: not an integer from 0 on")
                }
                epoch = number
            } else if key.equals(sequenceKey) {
                guard let number = value.uint64 else {
                    throw .rejected(.badNumbering, "the sequence number is not an integer from 0 on")
                }
                sequence = number
                hasSequence = true
            }
        }
        isNumbered = hasSequence && sourceLength > 0
    }

    init() {}

    var sourceName: String {
        withUnsafeBytes(of: source) { String(decoding: $0[..<sourceLength], as: UTF8.self) }
    }

    /// The source's name in the batch's arena; nil when that has no room.
    func copySource(into batch: EventBatch) -> TextRange? {
        guard sourceLength > 0 else { return TextRange.none }
        return withUnsafeBytes(of: source) { batch.copyText(UnsafeRawBufferPointer(rebasing: $0[..<sourceLength])) }
    }
}
