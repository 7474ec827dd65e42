/// What a record asks for. One byte, as the journal will hold it.
public enum RecordKind: UInt8, Sendable {
    /// A user–item observation: `user`, `item`, and optionally type, value, weight, time, context.
    case interaction = 1
    /// Upsert of an item's attributes: `item`, with the attributes as features.
    case itemAttributes = 2
    /// Upsert of a user's attributes: `user`, with the attributes as features.
    case userAttributes = 3
    /// Take an item out of answers, or bring it back.
    case hideItem = 4
    case unhideItem = 5
    /// Remove a user or an item with all that is held of it.
    case forgetUser = 6
    case forgetItem = 7
    /// Take one interaction out of history and counts: `user`, `item`, type.
    case undo = 8
    /// A publisher's sign of life; carries only source, epoch and last sequence number.
    case beat = 9
    /// A model answers by default from here on: `item` is its name. Never in a stream; the journal has it.
    case promote = 10
    /// Rows of users are re-solved: `user` is the first ordinal and `item` their number. Never in a stream; the journal has it.
    case refine = 11
    // Between sequencer and trainers only, never in a stream.
    /// The rows of a user, or of an item, are to go: somebody else will get their ordinal.
    case evictUser = 250
    case evictItem = 251
    /// An item has got the ordinal of one that went.
    case reuseItem = 252
    /// A round of sweeps begins: its batch; and a step of it.
    case beginSweep = 253
    case sweep = 254
    /// The tables from which negatives are drawn from here on.
    case negativeTables = 255
}

/// Bytes in a batch's text arena.
public struct TextRange: Sendable, Equatable {
    public var offset: UInt32
    public var length: UInt32
    // Not stored: another module would call for where it is stored, at each event.
    @inlinable public static var none: TextRange { TextRange(offset: 0, length: 0) }

    @inlinable
    public init(offset: UInt32, length: UInt32) {
        self.offset = offset
        self.length = length
    }
    @inlinable public var isEmpty: Bool { length == 0 }
}

/// One decoded record. The keys borrow from the batch's text arena and live as long as the batch is not reset.
public struct EventRecord {
    public var kind: RecordKind
    /// Whether `value` was given; without it the event type's label stands.
    public var hasValue: Bool
    /// Number of `FeatureEntry`s from `firstFeature` on: context of an interaction, attributes of an entity.
    public var featureCount: UInt16
    public var firstFeature: UInt32
    /// The event type's name; empty when the record names none.
    public var type: TextRange
    /// Raw value, finite; 0 where `hasValue` is false.
    public var value: Float
    /// The record's own weight, finite and not negative; 1 where none is given.
    public var weight: Float
    /// Milliseconds since 1970, or `EventRecord.noTime`. Of attributes: from when on their entity is expired.
    public var timeMilliseconds: Int64
    public var user: Key
    public var item: Key

    @inlinable public static var noTime: Int64 { .min }

    @inlinable
    public init(
        kind: RecordKind, user: Key, item: Key, type: TextRange = .none, value: Float? = nil, weight: Float = 1,
        timeMilliseconds: Int64 = EventRecord.noTime, firstFeature: UInt32 = 0, featureCount: UInt16 = 0
    ) {
        self.kind = kind
        self.hasValue = value != nil
        self.featureCount = featureCount
        self.firstFeature = firstFeature
        self.type = type
        self.value = value ?? 0
        self.weight = weight
        self.timeMilliseconds = timeMilliseconds
        self.user = user
        self.item = item
    }
}

/// A feature of a record: context of an interaction or attribute of an entity.
public struct FeatureEntry {
    /// The field's name.
    public var field: TextRange
    /// The value as a key without namespace; the sequencer places it under its field.
    public var value: Key
    /// The feature's x; 1 unless the record gives weights. Finite.
    public var weight: Float
    /// Whether the value is a number, which is the x; its key is the integer 0. A journal says so only where x is 1: with any other
    /// x the key 0 is a number's.
    public var isNumber: Bool

    @inlinable
    public init(field: TextRange, value: Key, weight: Float = 1, isNumber: Bool = false) {
        self.field = field
        self.value = value
        self.weight = weight
        self.isNumber = isNumber
    }
}

/// One message of a stream: which records of the batch came in it, and how its publisher numbers it.
public struct MessageEntry: Sendable {
    /// Index of the stream in the configuration.
    public var stream: UInt16
    /// Whether `epoch` and `sequence` were given.
    public var isNumbered: Bool
    /// Whether earlier records of the same message stand in an earlier batch: not a new message, so not a duplicate.
    public var isContinuation = false
    /// Whether this entry holds the message's last record; otherwise it goes on in the next batch.
    public var isComplete = true
    public var firstRecord: UInt32
    public var recordCount: UInt32
    /// The publisher's name; empty when it gives none.
    public var source: TextRange
    public var epoch: UInt64
    public var sequence: UInt64

    @inlinable
    public init(
        stream: UInt16, firstRecord: UInt32, recordCount: UInt32, source: TextRange = .none, epoch: UInt64 = 0,
        sequence: UInt64 = 0, isNumbered: Bool = false
    ) {
        self.stream = stream
        self.isNumbered = isNumbered
        self.firstRecord = firstRecord
        self.recordCount = recordCount
        self.source = source
        self.epoch = epoch
        self.sequence = sequence
    }
}

/// Decoded records on their way from a decoder to the sequencer: allocated once, filled and reset for ever.
///
/// One thread at a time holds a batch. All four stores are bounded; `append` answers false when a store is full, and the
/// decoder hands the batch on and continues in the next.
public final class EventBatch {
    public let recordCapacity: Int
    public let featureCapacity: Int
    public let textCapacity: Int
    public let messageCapacity: Int

    /// How far each store is filled. Behind a pointer, because fields of a class would have each access to them checked for
    /// exclusivity at run time, several times an event.
    @usableFromInline let filled: UnsafeMutablePointer<Mark>
    @inlinable public var recordCount: Int { filled.pointee.records }
    @inlinable public var featureCount: Int { filled.pointee.features }
    @inlinable public var textCount: Int { filled.pointee.text }
    @inlinable public var messageCount: Int { filled.pointee.messages }

    @usableFromInline let recordStore: UnsafeMutablePointer<EventRecord>
    @usableFromInline let featureStore: UnsafeMutablePointer<FeatureEntry>
    @usableFromInline let messageStore: UnsafeMutablePointer<MessageEntry>
    @usableFromInline let textStore: UnsafeMutableRawPointer

    public init(recordCapacity: Int = 4096, featureCapacity: Int = 16384, textCapacity: Int = 1 << 20, messageCapacity: Int = 4096) {
        self.recordCapacity = recordCapacity
        self.featureCapacity = featureCapacity
        self.textCapacity = textCapacity
        self.messageCapacity = messageCapacity
        filled = .allocate(capacity: 1)
        filled.initialize(to: Mark())
        recordStore = .allocate(capacity: recordCapacity)
        featureStore = .allocate(capacity: featureCapacity)
        messageStore = .allocate(capacity: messageCapacity)
        textStore = .allocate(byteCount: textCapacity, alignment: 16)
    }

    deinit {
        filled.deallocate()
        recordStore.deallocate()
        featureStore.deallocate()
        messageStore.deallocate()
        textStore.deallocate()
    }

    /// Forgets all records; keys and texts taken from the batch are void from here on.
    public func reset() { filled.pointee = Mark() }

    @inlinable public var records: UnsafeMutableBufferPointer<EventRecord> {
        UnsafeMutableBufferPointer(start: recordStore, count: recordCount)
    }
    @inlinable public var features: UnsafeBufferPointer<FeatureEntry> {
        UnsafeBufferPointer(start: featureStore, count: featureCount)
    }
    @inlinable public var messages: UnsafeBufferPointer<MessageEntry> {
        UnsafeBufferPointer(start: messageStore, count: messageCount)
    }

    /// Adds a record. Its features must have been appended just before, as one run.
    @inlinable
    public func append(_ record: EventRecord) -> Bool {
        guard recordCount < recordCapacity else { return false }
        (recordStore + recordCount).initialize(to: record)
        filled.pointee.records &+= 1
        return true
    }

    /// Where the next record goes, while there is room for it: filled in there, it is taken by `appendNext`.
    @inlinable public var next: UnsafeMutablePointer<EventRecord> { recordStore + recordCount }
    @inlinable
    public func appendNext() { filled.pointee.records &+= 1 }

    /// Adds up to `count` copies of a record, as many as there is room for, to be filled in: those.
    @inlinable
    public func append(_ count: Int, of record: EventRecord) -> UnsafeMutableBufferPointer<EventRecord> {
        let added = UnsafeMutableBufferPointer(start: recordStore + recordCount, count: min(count, recordCapacity &- recordCount))
        added.initialize(repeating: record)
        filled.pointee.records &+= added.count
        return added
    }

    /// Takes the last `count` records back, which have neither features nor text.
    @inlinable
    public func takeBack(_ count: Int) { filled.pointee.records &-= count }

    @inlinable
    public func append(_ feature: FeatureEntry) -> Bool {
        guard featureCount < featureCapacity else { return false }
        (featureStore + featureCount).initialize(to: feature)
        filled.pointee.features &+= 1
        return true
    }

    @inlinable
    public func append(_ message: MessageEntry) -> Bool {
        guard messageCount < messageCapacity else { return false }
        (messageStore + messageCount).initialize(to: message)
        filled.pointee.messages &+= 1
        return true
    }

    /// Copies bytes into the arena, where they stay put until `reset`. Nil when the arena is full.
    @inlinable
    public func copyText(_ bytes: UnsafeRawBufferPointer) -> TextRange? {
        guard textCount + bytes.count <= textCapacity else { return nil }
        let range = TextRange(offset: UInt32(textCount), length: UInt32(bytes.count))
        if let source = bytes.baseAddress { (textStore + textCount).copyMemory(from: source, byteCount: bytes.count) }
        filled.pointee.text &+= bytes.count
        return range
    }

    /// The bytes of a range; they stay at this address until `reset`.
    @inlinable
    public func text(_ range: TextRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: textStore + Int(range.offset), count: Int(range.length))
    }

    /// Where the stores stand, to take back a record that turned out bad halfway (`restore`).
    public struct Mark: Sendable {
        @usableFromInline var records = 0, features = 0, text = 0, messages = 0
        @usableFromInline init() {}
    }
    @inlinable public var mark: Mark { filled.pointee }

    /// Takes back all that was appended since `mark`.
    @inlinable
    public func restore(_ mark: Mark) { filled.pointee = mark }
}
