import Factorization
@testable import StreamTools
import Testing
import WireFormats

/// Keeps what it is sent.
private final class CollectingSink: MessageSink {
    var messages: [[[UInt8]]] = []
    var isClosed = false
    func send(_ frames: [[UInt8]]) throws(StreamToolsError) { messages.append(frames) }
    func close() -> Bool {
        isClosed = true
        return true
    }
}

/// A record as the daemon's decoder sees it.
private struct Seen: Equatable {
    var kind: RecordKind
    var user: String
    var item: String
    var type: String
    var value: Float?
    var weight: Float
    var time: Int64?
    var features: [String]
}

private struct SeenMessage: Equatable {
    var source: String
    var epoch: UInt64
    var sequence: UInt64
    var isNumbered: Bool
    var records: [Seen]
}

/// Decodes messages with the daemon's own decoder; fails the test for a rejected record.
private func decode(_ messages: [[[UInt8]]], topic: TopicRule = .none) -> [SeenMessage] {
    let decoder = EventDecoder(hashing: KeyHash(seed: 1))
    let batch = EventBatch()
    func text(_ range: TextRange) -> String { String(decoding: batch.text(range), as: UTF8.self) }
    func id(_ key: Key) -> String {
        key.isText ? "'" + String(decoding: key.text, as: UTF8.self) + "'" : String(Int64(bitPattern: key.payload))
    }
    return messages.map { frames in
        batch.reset()
        let copies = frames.map { frame in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, frame.count), alignment: 16)
            copy.copyBytes(from: frame)
            return UnsafeRawBufferPointer(start: copy.baseAddress, count: frame.count)
        }
        defer { for copy in copies { copy.deallocate() } }
        copies.withUnsafeBufferPointer { views in
            decoder.begin(frames: views, topic: topic, stream: 0)
            #expect(decoder.fill(batch))
        }
        #expect(decoder.rejectedCount == 0, "\(decoder.rejections)")
        let records = batch.records.map { record in
            let range = Int(record.firstFeature)..<Int(record.firstFeature) + Int(record.featureCount)
            return Seen(
                kind: record.kind, user: id(record.user), item: id(record.item), type: text(record.type),
                value: record.hasValue ? record.value : nil, weight: record.weight,
                time: record.timeMilliseconds == EventRecord.noTime ? nil : record.timeMilliseconds,
                features: batch.features[range].map { "\(text($0.field))=\(id($0.value))*\($0.weight)" })
        }
        let entry = batch.messages[0]
        return SeenMessage(
            source: text(entry.source), epoch: entry.epoch, sequence: entry.sequence, isNumbered: entry.isNumbered,
            records: Array(records))
    }
}

private func expected(_ event: DatasetEvent) -> Seen {
    func id(_ id: EventID) -> String {
        switch id {
        case .integer(let value): String(value)
        case .text(let text): "'\(text)'"
        }
    }
    return Seen(
        kind: .interaction, user: id(event.user), item: id(event.item), type: event.type ?? "", value: event.value,
        weight: event.weight ?? 1, time: event.timeMilliseconds,
        features: event.context.map { "\($0.field)=\(id($0.value))*\($0.weight)" })
}

/// Events of all shapes, from a seed.
private func randomEvents(_ count: Int, seed: UInt64) -> [DatasetEvent] {
    var random = RandomSource(seed: seed)
    var texts = ["a", "é\"\\\n", "日本", "x y"]
    texts.append(String(repeating: "long", count: 200))
    var shape = 0
    return (0..<count).map { _ in
        if random.below(4) == 0 { shape = random.below(64) }
        func id() -> EventID {
            random.below(5) == 0 ? .text(texts[random.below(texts.count)]) : .integer(Int64(bitPattern: random.next()))
        }
        var event = DatasetEvent(user: id(), item: id())
        if shape & 1 != 0 { event.type = ["view", "buy"][random.below(2)] }
        if shape & 2 != 0 { event.value = Float(random.below(1000)) / 8 }
        if shape & 4 != 0 { event.weight = Float(random.below(8)) / 4 }
        if shape & 8 != 0 { event.timeMilliseconds = Int64(random.below(2)) * 1_700_000_000_123 + Int64(random.below(1000)) * 1000 }
        if shape & 16 != 0 { event.context = [ContextPair(field: "hour", value: .integer(Int64(random.below(24))))] }
        if shape & 48 == 48 { event.context.append(ContextPair(field: "device", value: .text("tv"))) }
        return event
    }
}

@Suite("Publishing")
struct PublishingTests {
    @Test("Every format decodes to the events that went in", arguments: MessageFormat.allCases, [1, 7, 500])
    func roundTrip(format: MessageFormat, batchSize: Int) throws {
        for seed in 1...8 as ClosedRange<UInt64> {
            let events = randomEvents(200, seed: seed)
            let sink = CollectingSink()
            let publisher = try Publisher(to: sink, options: PublishOptions(
                format: format, batchSize: batchSize, numbering: StreamNumbering(source: "s", epoch: 4)))
            for event in events { try publisher.publish(event) }
            try publisher.flush()
            let messages = decode(sink.messages)
            #expect(messages.flatMap(\.records) == events.map(expected))
            // Messages are numbered without a gap from 1, by source and epoch.
            #expect(messages.map(\.sequence) == (1...UInt64(messages.count)).map { $0 })
            #expect(messages.allSatisfy { $0.source == "s" && $0.epoch == 4 && $0.isNumbered })
            #expect(messages.allSatisfy { $0.records.count <= (format == .json ? 1 : batchSize) })
            #expect(publisher.counts.events == 200 && publisher.counts.messages == messages.count)
            #expect(publisher.counts.bytes == sink.messages.joined().reduce(0) { $0 + $1.count })
        }
    }

    @Test("Integer ids travel as <i8, one text makes the column utf8, a common type stands in the header")
    func columns() throws {
        let sink = CollectingSink()
        let publisher = try Publisher(to: sink, options: PublishOptions(batchSize: 2))
        for user in [EventID.integer(1), .integer(-2), .integer(3), .text("x")] {
            try publisher.publish(DatasetEvent(user: user, item: .integer(9), type: "buy"))
        }
        #expect(String(decoding: sink.messages[0][0], as: UTF8.self)
            == #"{"columns":[["user","<i8"],["item","<i8"]],"count":2,"type":"buy"}"#)
        #expect(sink.messages[0][1] == [1, 0, 0, 0, 0, 0, 0, 0, 0xFE, 255, 255, 255, 255, 255, 255, 255])
        #expect(String(decoding: sink.messages[1][0], as: UTF8.self)
            == #"{"columns":[["user","utf8"],["item","<i8"]],"count":2,"type":"buy"}"#)
        #expect(sink.messages[1][1] == [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0])
        #expect(sink.messages[1][2] == Array("3x".utf8))
    }

    @Test("A field with several values goes as JSON, in its place in the order")
    func severalValues() throws {
        let several = DatasetEvent(user: .integer(2), item: .integer(2), context: [
            ContextPair(field: "tag", value: .text("a")), ContextPair(field: "tag", value: .text("b")),
        ])
        let weighted = DatasetEvent(
            user: .integer(3), item: .integer(3), context: [ContextPair(field: "tag", value: .text("c"), weight: 0.5)])
        let events = [DatasetEvent(user: .integer(1), item: .integer(1)), several, weighted, DatasetEvent(user: .integer(4), item: .integer(4))]
        let sink = CollectingSink()
        let publisher = try Publisher(to: sink)
        for event in events { try publisher.publish(event) }
        try publisher.flush()
        #expect(decode(sink.messages).flatMap(\.records) == events.map(expected))
        #expect(sink.messages.map(\.count) == [3, 1, 1, 3])
    }

    @Test("JSON lines: passed on with a number; columnar takes the plain events and keeps the order", arguments: MessageFormat.allCases)
    func jsonLines(format: MessageFormat) throws {
        let lines = [
            #"{"user":1,"item":"5","value":2.5,"time":"2024-02-29T12:00:00Z"}"#, #" {"user":"u","item":6,"extra":[1]}"#,
            #"{"hide":{"item":"a"}}"#, #"{"user":2,"item":7,"context":{"hour":3}}"#,
        ]
        let sink = CollectingSink()
        let publisher = try Publisher(to: sink, options: PublishOptions(format: format, numbering: StreamNumbering(source: "s", epoch: 1)))
        for line in lines { try publisher.publish(.json(Array(line.utf8))) }
        try publisher.flush()
        let messages = decode(sink.messages)
        let records = messages.flatMap(\.records)
        #expect(records.map(\.kind) == [.interaction, .interaction, .hideItem, .interaction])
        #expect(records.map(\.user).enumerated().filter { $0.offset != 2 }.map(\.element) == ["1", "'u'", "2"])
        #expect(records[0].time == 1_709_208_000_000 && records[0].value == 2.5 && records[0].item == "5")
        #expect(records[3].features == ["hour=3*1.0"])
        #expect(messages.map(\.sequence) == (1...UInt64(messages.count)).map { $0 })
    }

    @Test("A line that bears its own number keeps it; an empty object stays one")
    func ownNumbers() {
        let number = StreamNumbering(source: "s", epoch: 1)
        let own = Array(#"{"user":1,"item":2,"source":"mine","seq":9}"#.utf8)
        #expect(EventJSON.numbered(own, number) == own)
        #expect(String(decoding: EventJSON.numbered(Array("{ }".utf8), number), as: UTF8.self) == #"{"source":"s","epoch":1,"seq":1 }"#)
    }

    @Test("The end: topic, beat with the last number, sink closed")
    func finish() throws {
        let sink = CollectingSink()
        let publisher = try Publisher(to: sink, options: PublishOptions(
            format: .json, topic: "news", numbering: StreamNumbering(source: "s", epoch: 2)))
        try publisher.publish(DatasetEvent(user: .integer(1), item: .integer(2)))
        #expect(try publisher.finish())
        #expect(sink.isClosed)
        #expect(sink.messages.allSatisfy { $0[0] == Array("news".utf8) })
        let messages = decode(sink.messages, topic: .first)
        #expect(messages.map(\.records.first?.kind) == [.interaction, .beat, .beat])
        #expect(messages[1].sequence == 1 && messages[1].epoch == 2)
    }

    @Test("The bucket lets through its rate on average, whatever the message size", arguments: [1, 10, 1000])
    func rate(size: Int) {
        var limiter = RateLimiter(perSecond: 5000, now: 0)
        var now: Int64 = 0
        var sent = 0
        while sent < 50_000 {
            now += limiter.take(size, now: now)
            sent += size
        }
        // 50,000 events at 5,000 a second, less the bucket of a tenth of a second.
        #expect(abs(Double(now) / 1e9 - 9.9) < 0.02)
    }

    @Test("A low rate shortens the batch; settings out of range are refused")
    func settings() throws {
        let sink = CollectingSink()
        let publisher = try Publisher(to: sink, options: PublishOptions(batchSize: 500, eventsPerSecond: 1000))
        for index in 0..<100 { try publisher.publish(DatasetEvent(user: .integer(Int64(index)), item: .integer(1))) }
        #expect(sink.messages.count == 1)
        #expect(throws: StreamToolsError.self) { _ = try Publisher(to: sink, options: PublishOptions(batchSize: 0)) }
        #expect(throws: StreamToolsError.self) { _ = try Publisher(to: sink, options: PublishOptions(eventsPerSecond: 0)) }
    }
}
