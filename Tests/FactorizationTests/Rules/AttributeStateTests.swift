import Testing

@testable import Factorization

/// Times of expiry, scales and the number 1.0 in snapshots and in the journal's batches.
@Suite struct AttributeStateTests {
    private let settings = EngineSettings(models: [KindCase(kind: .mf).settings()], queueCapacity: 256)

    private func filled() -> Engine {
        let engine = Engine(settings: settings), builder = BatchBuilder(engine)
        builder.append(item: 7, [("a", .integer(5))])
        builder.append(item: 8, [("p", .number(1)), ("p", .number(2.5))], expires: 0x0102_0304_0506)
        builder.append(item: 9, [], expires: 77)
        builder.append(item: 10, (0..<16).map { (field: "t", value: ShopValue.integer($0)) })
        engine.learnNow(builder.batch)
        return engine
    }

    private func words(_ values: [UInt32]) -> [UInt8] { values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } } }
    private func bits(_ value: Float) -> UInt32 { value.bitPattern }

    /// The bytes of a section of lists: what an item adds to a count and its pairs stands as `AttributeList` says.
    private var golden: [UInt8] {
        words([1, 0, bits(1)])
            + words([2 | 1 << 8 | 1 << 9, 1, bits(1), 1, bits(2.5), 1, 0, 0x0304_0506, 0x0102])
            + words([1 << 9, 77, 0])
            + words([16 | 1 << 10, bits(0.5)] + (0..<16).flatMap { [UInt32($0) + 2, bits(1)] })
    }

    @Test func listsInASnapshotHaveTheirBytesAndComeBack() throws {
        let engine = filled(), state = MemoryState(engine), other = Engine(settings: settings)
        #expect(state.sections["attributes/items/0"] == golden)
        try other.restore(from: state)
        #expect(MemoryState(other).differences(state) == [])
        let lists = other.shared.attributes.items
        #expect(lists.held(1)?.extent == AttributeExtent(count: 2, ones: 1, expires: 0x0102_0304_0506))
        #expect(lists[2] == nil && lists.isExpired(2, now: 77) && !lists.isExpired(2, now: 76))
        #expect(other.attributes(item: 3).map(\.weight) == [Float](repeating: 0.5, count: 16))
        for engine in [engine, other] { engine.learn(randomEvents(50, users: 3, items: 11, seed: 2)) }
        #expect(MemoryState(other).differences(MemoryState(engine)) == [])
    }

    /// As versions before this one wrote it: a count and pairs, x scaled.
    @Test func listsOfEarlierVersionsComeBack() throws {
        var state = MemoryState(filled())
        state.sections["attributes/items/0"] = words([1, 0, bits(1), 1, 1, bits(2.5), 0, 2, 2, bits(0.5), 3, bits(0.5)])
        let engine = Engine(settings: settings)
        try engine.restore(from: state)
        #expect(engine.attributes(item: 1).map(\.weight) == [2.5] && engine.attributes(item: 3).map(\.weight) == [0.5, 0.5])
        #expect(engine.shared.attributes.items.held(2) == nil)
    }

    @Test func damagedListsAreRefused() {
        let state = MemoryState(filled())
        func expectRefused(_ bytes: [UInt8], _ what: String) {
            var damaged = state
            damaged.sections["attributes/items/0"] = bytes
            #expect(throws: StateError.damaged(section: "attributes/items/0"), "\(what)") { try Engine(settings: settings).restore(from: damaged) }
        }
        for length in 0..<golden.count { expectRefused(Array(golden[..<length]), "\(length) bytes") }
        for scale in [0, -1, 2, Float.nan, .infinity] {
            var bytes = golden
            bytes.replaceSubrange(golden.count - 132..<golden.count - 128, with: words([bits(scale)]))
            expectRefused(bytes, "scale \(scale)")
        }
        expectRefused(words([1 << 11]) + golden[4...], "an unknown flag")
        expectRefused(words([65]) + golden[4...], "a list too long")
    }

    @Test func aJournalTellsTheNumberOneFromTheCategoryZeroAndKeepsTheTime() throws {
        let engine = Engine(settings: settings), builder = BatchBuilder(engine)
        builder.append(item: 1, [("p", .number(1)), ("p", .integer(0)), ("p", .number(2.5))], expires: 12)
        // The bytes are the encoder's own.
        let encoder = BatchEncoder(), bytes = withExtendedLifetime(encoder) { Array(encoder.encode(builder.batch, withMessages: false)) }
        let copy = EventBatch()
        try bytes.withUnsafeBytes { try copy.decode($0, hashing: engine.hashing) }
        // 2.5 says by itself that it is a number, so that its bytes are those of earlier versions.
        #expect(copy.features.map(\.isNumber) == [true, false, false] && copy.records[0].timeMilliseconds == 12)
        engine.learnNow(builder.batch)
        let other = Engine(settings: settings)
        other.learnNow(copy)
        #expect(MemoryState(engine).differences(MemoryState(other)) == [])
        #expect(other.shared.attributes.items.held(0)?.extent == AttributeExtent(count: 3, ones: 1, expires: 12))
        // The kind of a value stands after its field's place and length.
        let kinds = (0..<3).map { bytes[BatchEncoder.headerBytes + builder.batch.textCount + $0 * BatchEncoder.featureBytes + 6] }
        #expect(kinds == [2, 0, 0])
        var bad = bytes
        bad[BatchEncoder.headerBytes + builder.batch.textCount + 6] = 3
        #expect(throws: BatchDecodingError.self) { try bad.withUnsafeBytes { try copy.decode($0, hashing: engine.hashing) } }
    }
}
