import Testing

@testable import Factorization

/// A batch as bytes and back: what the journal's exactness stands on.
@Suite("Batches as bytes")
struct BatchEncodingTests {
    private let hashing = KeyHash(seed: EngineSettings().hashSeed)

    /// A batch of records of all kinds, with everything that they may carry.
    private func batch(_ dice: inout Dice, records: Int) -> EventBatch {
        let batch = EventBatch(recordCapacity: 4096, featureCapacity: 16384)
        func text(_ string: String) -> TextRange {
            var string = string
            return string.withUTF8 { batch.copyText(UnsafeRawBufferPointer($0))! }
        }
        func key() -> Key {
            if dice.below(2) == 0 { return Key(integer: [Int64.min, -1, 0, 7, Int64.max][dice.below(5)], hashing: hashing) }
            let name = String(repeating: "ä", count: dice.below(3)) + "id\(dice.below(1000))" + (dice.below(50) == 0 ? String(repeating: "x", count: 1000) : "")
            return Key(text: batch.text(text(name)), hashing: hashing)
        }
        let type = text("view")
        let kinds: [RecordKind] = [
            .interaction, .interaction, .interaction, .itemAttributes, .userAttributes, .hideItem, .unhideItem, .forgetUser, .forgetItem,
            .undo, .beat,
        ]
        var message = 0
        for index in 0..<records {
            let first = batch.featureCount, count = dice.below(4) == 0 ? dice.below(6) : 0
            for _ in 0..<count {
                _ = batch.append(FeatureEntry(field: text("field\(dice.below(3))"), value: key(), weight: Float(dice.real())))
            }
            var record = EventRecord(kind: kinds[dice.below(kinds.count)], user: key(), item: key())
            record.firstFeature = UInt32(first)
            record.featureCount = UInt16(count)
            if dice.below(2) == 0 {
                record.hasValue = true
                record.value = [0, -0.0, 1e9, -3.5, Float.leastNonzeroMagnitude][dice.below(5)]
            }
            if dice.below(3) == 0 { record.weight = Float(dice.real(0...5)) }
            if dice.below(3) == 0 { record.timeMilliseconds = Int64(dice.below(1 << 40)) }
            record.type = [TextRange.none, type, type, text("t\(dice.below(5))")][dice.below(4)]
            #expect(batch.append(record))
            if dice.below(7) == 0 || index == records - 1 {
                var entry = MessageEntry(
                    stream: 0, firstRecord: UInt32(message), recordCount: UInt32(index + 1 - message), source: text("source\(dice.below(4))"),
                    epoch: dice.next(), sequence: dice.next(), isNumbered: true)
                entry.isComplete = dice.below(3) > 0
                #expect(batch.append(entry))
                message = index + 1
            }
        }
        return batch
    }

    /// All that a batch says, as comparable text.
    private func said(_ batch: EventBatch) -> [String] {
        func words(_ key: Key) -> String {
            (key.isText ? "'" + String(decoding: key.text, as: UTF8.self) + "'" : "\(Int64(bitPattern: key.payload))") + "#\(key.hash)"
        }
        func words(_ range: TextRange) -> String { String(decoding: batch.text(range), as: UTF8.self) }
        return batch.records.map { record in
            let features = batch.features[Int(record.firstFeature)..<Int(record.firstFeature) + Int(record.featureCount)]
            return "\(record.kind) \(words(record.user)) \(words(record.item)) \(words(record.type)) \(record.hasValue) "
                + "\(record.value.bitPattern) \(record.weight.bitPattern) \(record.timeMilliseconds) "
                + features.map { "\(words($0.field))=\(words($0.value))*\($0.weight.bitPattern)" }.joined(separator: ",")
        }
    }

    private func saidOfMessages(_ batch: EventBatch) -> [String] {
        batch.messages.map {
            "\($0.firstRecord)+\($0.recordCount) \(String(decoding: batch.text($0.source), as: UTF8.self)) \($0.epoch) \($0.sequence) \($0.isComplete)"
        }
    }

    @Test("Random batches of all kinds come back the same, with their messages or without")
    func roundTrip() throws {
        let encoder = BatchEncoder(), copy = EventBatch()
        for seed in 0..<60 {
            var dice = Dice(seed)
            let original = batch(&dice, records: seed == 0 ? 0 : 1 + dice.below(600))
            let withMessages = seed % 2 == 0
            let bytes = encoder.encode(original, withMessages: withMessages)
            try copy.decode(bytes, hashing: hashing)
            #expect(said(copy) == said(original), "seed \(seed)")
            #expect(saidOfMessages(copy) == (withMessages ? saidOfMessages(original) : []), "seed \(seed)")
        }
    }

    @Test("A plain event of integers takes 18 bytes, 22 with a value")
    func size() {
        let encoder = BatchEncoder(), batch = EventBatch()
        let key = Key(integer: 5, hashing: hashing)
        for _ in 0..<100 { _ = batch.append(EventRecord(kind: .interaction, user: key, item: key)) }
        #expect(encoder.encode(batch, withMessages: false).count == 16 + 100 * 18)
        _ = batch.append(EventRecord(kind: .interaction, user: key, item: key, value: 2))
        #expect(encoder.encode(batch, withMessages: false).count == 16 + 100 * 18 + 22)
    }

    @Test("Cut short anywhere, or with any byte of structure changed, bytes are refused or give a batch within bounds; nothing crashes")
    func damage() throws {
        var dice = Dice(11)
        let encoder = BatchEncoder(), copy = EventBatch()
        let bytes = Array(encoder.encode(batch(&dice, records: 40), withMessages: true))
        func decode(_ bytes: [UInt8]) throws {
            try bytes.withUnsafeBytes { raw in
                guard let counts = EventBatch.capacities(raw), counts.records <= copy.recordCapacity,
                    counts.features <= copy.featureCapacity, counts.text <= copy.textCapacity, counts.messages <= copy.messageCapacity
                else { throw BatchDecodingError(description: "header") }
                try copy.decode(raw, hashing: hashing)
            }
        }
        try decode(bytes)
        for length in 0..<bytes.count {
            #expect(throws: BatchDecodingError.self, "\(length) of \(bytes.count) bytes") { try decode(Array(bytes[..<length])) }
        }
        for _ in 0..<5000 {
            var bad = bytes
            bad[dice.below(bad.count)] ^= UInt8(1 << dice.below(8))
            try? decode(bad)
        }
    }

    @Test("Messages taken out of a batch: the others' records close up, and features and texts stay theirs")
    func keeping() {
        for seed in 0..<40 {
            var dice = Dice(1000 + seed)
            let batch = batch(&dice, records: 1 + dice.below(200))
            let before = said(batch), messages = batch.messages.map { $0 }
            var expected: [String] = [], fates: [EventBatch.Fate] = [], sequences: [UInt64] = []
            for message in messages {
                let range = Int(message.firstRecord)..<Int(message.firstRecord + message.recordCount)
                if dice.below(3) == 0 {
                    fates.append(.dropped)
                } else {
                    let skipped = dice.below(3) == 0 ? dice.below(range.count + 1) : 0
                    fates.append(.kept(from: skipped))
                    expected += before[range].dropFirst(skipped)
                    sequences.append(message.sequence)
                }
            }
            batch.keep(fates)
            #expect(said(batch) == expected, "seed \(seed)")
            #expect(batch.messages.map(\.sequence) == sequences)
            #expect(batch.messages.reduce(0) { $0 + Int($1.recordCount) } == batch.recordCount)
        }
    }

    @Test("A stream taken again from its bytes gives the same state, bit for bit, and the same positions")
    func replay() throws {
        let settings = EngineSettings()
        let first = Engine(settings: settings), second = Engine(settings: settings)
        let encoder = BatchEncoder(), copy = EventBatch()
        for seed in 0..<20 {
            var dice = Dice(seed)
            let original = batch(&dice, records: 300)
            let bytes = Array(encoder.encode(original, withMessages: false))
            if seed == 7 { for engine in [first, second] { engine.sequencer.skip(to: engine.sequencer.lastPosition + 1000) } }
            first.learnNow(original)
            try bytes.withUnsafeBytes { try copy.decode($0, hashing: hashing) }
            second.learnNow(copy)
            #expect(first.sequencer.lastPosition == second.sequencer.lastPosition)
        }
        #expect(first.sequencer.lastPosition > 1000)
        #expect(MemoryState(first).differences(MemoryState(second)) == [])
    }
}
