import Factorization
import Persistence
import WireFormats

/// The records of a daemon's journal as a data set: what came over its streams, in the order in which it was learned.
///
/// Beats and the daemon's own records (promotions) are left out. One thread at a time.
public final class JournalRecords {
    public let directory: String
    private let reader: JournalReader
    private let hashing = KeyHash(seed: 0)
    private var waiting: [DatasetRecord] = []
    private var next = 0

    /// Whether a path holds a journal, or a daemon's state with one.
    public static func isJournal(_ path: String) -> Bool { directory(path) != nil }

    private static func directory(_ path: String) -> String? {
        for candidate in [path, path + "/journal"] {
            if let segments = try? JournalReader.segments(of: candidate), !segments.isEmpty { return candidate }
        }
        return nil
    }

    /// - Parameter path: a journal's directory, or the state directory of a daemon that keeps it there.
    public init(_ path: String) throws(StreamToolsError) {
        guard let directory = JournalRecords.directory(path) else { throw .unknownFormat(path: path, reason: "holds no journal") }
        self.directory = directory
        reader = try persisted(directory) { () throws(PersistenceError) in try JournalReader(directory: directory) }
    }

    /// The next record; nil after the last.
    public func nextRecord() throws(StreamToolsError) -> DatasetRecord? {
        while next == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            next = 0
            let reader = reader
            guard let record = try persisted(directory, { () throws(PersistenceError) in try reader.next() }) else { return nil }
            try take(record)
        }
        next += 1
        return waiting[next - 1]
    }

    private func take(_ record: JournalRecord) throws(StreamToolsError) {
        func fault(_ reason: String) -> StreamToolsError {
            .damagedFile(path: directory, line: Int(clamping: record.header.number), reason: reason)
        }
        guard let counts = EventBatch.capacities(record.payload) else { throw fault("the batch's header is wrong") }
        let batch = EventBatch(
            recordCapacity: counts.records, featureCapacity: counts.features, textCapacity: counts.text, messageCapacity: counts.messages)
        do throws(BatchDecodingError) {
            try batch.decode(record.payload, hashing: hashing)
        } catch {
            throw fault(error.description)
        }
        for record in batch.records { if let record = JournalRecords.record(record, of: batch) { waiting.append(record) } }
    }

    private static func record(_ record: EventRecord, of batch: EventBatch) -> DatasetRecord? {
        func named(_ verb: String, _ side: String, _ key: Key) -> DatasetRecord {
            .json(Array(JSONTree.object([.init(key: verb, value: .object([.init(key: side, value: JSONTree(EventID(key)))]))]).json.utf8))
        }
        switch record.kind {
        case .interaction: return .event(event(record, of: batch))
        case .itemAttributes: return .json(attributes(record, of: batch, "item", record.item))
        case .userAttributes: return .json(attributes(record, of: batch, "user", record.user))
        case .hideItem: return named("hide", "item", record.item)
        case .unhideItem: return named("unhide", "item", record.item)
        case .forgetUser: return named("forget", "user", record.user)
        case .forgetItem: return named("forget", "item", record.item)
        case .undo:
            var members: [JSONTree.Member] = [.init(key: "user", value: JSONTree(EventID(record.user))), .init(key: "item", value: JSONTree(EventID(record.item)))]
            if !record.type.isEmpty { members.append(.init(key: "type", value: .string(text(record.type, of: batch)))) }
            return .json(Array(JSONTree.object([.init(key: "undo", value: .object(members))]).json.utf8))
        case .beat, .promote, .refine, .evictUser, .evictItem, .reuseItem, .beginSweep, .sweep, .negativeTables: return nil
        }
    }

    private static func event(_ record: EventRecord, of batch: EventBatch) -> DatasetEvent {
        DatasetEvent(
            user: EventID(record.user), item: EventID(record.item), type: record.type.isEmpty ? nil : text(record.type, of: batch),
            value: record.hasValue ? record.value : nil, weight: record.weight == 1 ? nil : record.weight,
            timeMilliseconds: record.timeMilliseconds == EventRecord.noTime ? nil : record.timeMilliseconds,
            context: features(record, of: batch).map {
                ContextPair(field: text($0.field, of: batch), value: EventID($0.value), weight: $0.weight)
            })
    }

    private static func features(_ record: EventRecord, of batch: EventBatch) -> Slice<UnsafeBufferPointer<FeatureEntry>> {
        batch.features[Int(record.firstFeature)..<Int(record.firstFeature) + Int(record.featureCount)]
    }

    /// `{"entity":"item","id":7,"attributes":{…}}`: numbers as numbers, all else as `EventJSON` writes context.
    private static func attributes(_ record: EventRecord, of batch: EventBatch, _ side: String, _ id: Key) -> [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        writer.key("entity")
        writer.value(side)
        writer.key("id")
        EventJSON.write(EventID(id), to: &writer)
        if record.timeMilliseconds != EventRecord.noTime {
            writer.key("expires")
            writer.value(Double(record.timeMilliseconds) / 1000)
        }
        writer.key("attributes")
        writer.beginObject()
        var values: [(field: String, pairs: [ContextPair])] = []
        for feature in features(record, of: batch) {
            let field = text(feature.field, of: batch), isZero = !feature.value.isText && feature.value.payload == 0
            if feature.isNumber || isZero && feature.weight != 1 {
                writer.key(field)
                writer.value(feature.weight)
                continue
            }
            let pair = ContextPair(field: field, value: EventID(feature.value), weight: feature.weight)
            if let place = values.firstIndex(where: { $0.field == field }) { values[place].pairs.append(pair) } else { values.append((field, [pair])) }
        }
        for (field, pairs) in values {
            writer.key(field)
            EventJSON.write(values: pairs, to: &writer)
        }
        writer.endObject()
        writer.endObject()
        return Array(writer.bytes)
    }

    private static func text(_ range: TextRange, of batch: EventBatch) -> String { String(decoding: batch.text(range), as: UTF8.self) }
}

extension EventID {
    /// The id that a key stands for.
    init(_ key: Key) { self = key.isText ? .text(String(decoding: key.text, as: UTF8.self)) : .integer(Int64(bitPattern: key.payload)) }
}

/// What goes wrong with a journal, under the name of its directory.
private func persisted<Value>(_ path: String, _ body: () throws(PersistenceError) -> Value) throws(StreamToolsError) -> Value {
    do throws(PersistenceError) {
        return try body()
    } catch {
        throw .unknownFormat(path: path, reason: error.description)
    }
}
