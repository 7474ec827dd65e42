import Factorization
import WireFormats

/// A decoded record, copied out of its batch so that tests can compare it.
struct Plain: Equatable {
    var kind: RecordKind
    var user: String
    var item: String
    var type = ""
    var value: Float?
    var weight: Float = 1
    var time: Int64 = EventRecord.noTime
    var features: [String] = []
}

/// A message as the decoder gave it, put together from all batches that it took.
struct Decoded {
    var records: [Plain] = []
    var entries: [(source: String, epoch: UInt64, sequence: UInt64, isNumbered: Bool, isContinuation: Bool, isComplete: Bool)] = []
    var rejections: [Rejection] = []
    var rejectedCount = 0
    var reasons: [RejectionReason] { rejections.map(\.reason) }
}

/// Integer ids show as `#7`, texts as `"a"`.
func show(_ key: Key) -> String {
    key.isText ? "\"\(String(decoding: key.text, as: UTF8.self))\"" : "#\(Int64(bitPattern: key.payload))"
}

let hashing = KeyHash(seed: 42)

func decode(
    _ frames: [[UInt8]], policy: IdPolicy = .canonical, topic: TopicRule = .none, limits: EventLimits = EventLimits(),
    batch: EventBatch = EventBatch(), decoder given: EventDecoder? = nil
) -> Decoded {
    let decoder = given ?? EventDecoder(policy: policy, hashing: hashing, limits: limits)
    let copies = frames.map { frame in
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: frame.count, alignment: 1)
        copy.copyBytes(from: frame)
        return copy
    }
    defer { for copy in copies { copy.deallocate() } }
    var result = Decoded()
    let views = copies.map { UnsafeRawBufferPointer($0) }
    views.withUnsafeBufferPointer { frames in
        decoder.begin(frames: frames, topic: topic, stream: 3)
        var rounds = 0
        while true {
            let isFinished = decoder.fill(batch)
            collect(batch, into: &result)
            batch.reset()
            if isFinished { break }
            rounds += 1
            precondition(rounds < 1_000_000, "the decoder makes no headway")
        }
    }
    result.rejections = decoder.rejections
    result.rejectedCount = decoder.rejectedCount
    return result
}

func decode(_ text: String, policy: IdPolicy = .canonical, limits: EventLimits = EventLimits()) -> Decoded {
    decode([Array(text.utf8)], policy: policy, limits: limits)
}

func collect(_ batch: EventBatch, into result: inout Decoded) {
    func text(_ range: TextRange) -> String { String(decoding: batch.text(range), as: UTF8.self) }
    for message in batch.messages {
        precondition(message.stream == 3)
        result.entries.append(
            (text(message.source), message.epoch, message.sequence, message.isNumbered, message.isContinuation, message.isComplete))
    }
    precondition(batch.messages.reduce(0) { $0 + Int($1.recordCount) } == batch.recordCount, "each record is of a message")
    for record in batch.records {
        var plain = Plain(kind: record.kind, user: show(record.user), item: show(record.item), type: text(record.type))
        plain.value = record.hasValue ? record.value : nil
        plain.weight = record.weight
        plain.time = record.timeMilliseconds
        for index in 0..<Int(record.featureCount) {
            let feature = batch.features[Int(record.firstFeature) + index]
            plain.features.append("\(text(feature.field))=\(show(feature.value))*\(feature.weight)")
        }
        result.records.append(plain)
    }
}

/// The bytes of an array, little-endian as this machine is.
func raw<Element: BitwiseCopyable>(_ values: [Element]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }

/// A text column: offsets and bytes.
func textColumn(_ texts: [String]) -> [[UInt8]] {
    var offsets: [UInt32] = [0]
    var bytes: [UInt8] = []
    for text in texts {
        bytes += Array(text.utf8)
        offsets.append(UInt32(bytes.count))
    }
    return [raw(offsets), bytes]
}

/// Reproducible randomness.
struct Randomness: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 1
        return mix64(state)
    }
}
