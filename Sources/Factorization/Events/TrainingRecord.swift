/// A record as trainers get it: ids resolved, position given, one size: two to a cache line.
///
/// C reads it as `fk_record`.
struct TrainingRecord {
    /// The event's position, from 1.
    var position: UInt64
    /// Ordinal in the user table.
    var user: UInt32
    /// Ordinal in the item table.
    var item: UInt32
    /// Items in the catalogue when the event got its position: the range that its negatives come from.
    var catalogue: UInt32
    /// Raw value; meaningful where `hasValue`.
    var value: Float
    /// The record's own weight.
    var weight: Float
    private(set) var nature: Nature

    @inline(__always)
    init(
        position: UInt64, user: UInt32, item: UInt32, catalogue: UInt32, value: Float, weight: Float, type: UInt16, featureCount: Int,
        kind: RecordKind, hasValue: Bool
    ) {
        self.position = position
        self.user = user
        self.item = item
        self.catalogue = catalogue
        self.value = value
        self.weight = weight
        nature = Nature(type: type, hasValue: hasValue, kind: kind, featureCount: featureCount)
    }

    /// Ordinal of the event type.
    var type: UInt16 { nature.type }
    /// Context features that follow in the queue's feature ring.
    var featureCount: Int { nature.featureCount }
    var kind: RecordKind { nature.kind }
    /// Whether the record had a value; of an undo, whether it named a type.
    var hasValue: Bool { nature.hasValue }

    /// What a record is, in one word, so that many are told apart at once: from the lowest bit on the type, whether there is a
    /// value, the kind, the number of features.
    struct Nature {
        static let type: UInt32 = 0x3FF, value: UInt32 = 0x400, kindShift: UInt32 = 11, kindMask: UInt32 = 31, featureShift: UInt32 = 16
        private let bits: UInt32

        @inline(__always)
        init(type: UInt16, hasValue: Bool, kind: RecordKind, featureCount: Int) {
            bits =
                UInt32(type) | (hasValue ? Nature.value : 0) | UInt32(Nature.tag(kind)) << Nature.kindShift
                | UInt32(truncatingIfNeeded: featureCount) << Nature.featureShift
        }

        var type: UInt16 { UInt16(truncatingIfNeeded: bits & Nature.type) }
        var hasValue: Bool { bits & Nature.value != 0 }
        var kind: RecordKind { unsafeBitCast(UInt8(truncatingIfNeeded: bits >> Nature.kindShift & Nature.kindMask), to: RecordKind.self) }
        var featureCount: Int { Int(bits >> Nature.featureShift) }

        /// How a kind lies in memory: its number in the order of the cases, far fewer than `kindMask`.
        @inline(__always)
        static func tag(_ kind: RecordKind) -> UInt8 { unsafeBitCast(kind, to: UInt8.self) }
    }
}
