/// The frame behind a request in columnar form: integer ids as numpy's `<i8`. A view, valid as long as the message.
public struct ItemsFrame {
    private let bytes: UnsafeRawBufferPointer

    /// - Returns: nil where the bytes are no whole number of ids.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count % 8 == 0 else { return nil }
        self.bytes = bytes
    }

    public var count: Int { bytes.count / 8 }
    public subscript(index: Int) -> Int64 { Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: Int64.self)) }
}

/// The frame behind an answer in columnar form: scores as numpy's `<f4`. Keeps its memory.
public struct ScoresFrame {
    private var words: [UInt32] = []

    public init() {}

    public mutating func removeAll() { words.removeAll(keepingCapacity: true) }
    public mutating func append(_ score: Float) { words.append(score.bitPattern.littleEndian) }
    public var count: Int { words.count }

    public func withBytes<Result, Failure: Error>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Result) throws(Failure) -> Result {
        try words.withUnsafeBufferPointer { words throws(Failure) in try body(UnsafeRawBufferPointer(words)) }
    }
}
