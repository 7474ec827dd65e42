/// Where each piece of a captured state stands: the sections `pieces` and `watermarks`.
///
/// `pieces`, little-endian:
///
/// | bytes | what |
/// |---|---|
/// | 8 | P0: the position of what the sequencer owns |
/// | 8 | the highest position of any piece |
/// | 4 | trainers at the capture; 0 where every piece stands at P0 exactly |
/// | 5 × 8 | ordinals of each side at the last piece: more than `counts` has, where ids came meanwhile |
/// | 4 | pieces, then for each: |
/// | 1 | kind: 0 lists of users, 1 attributes of users, 2 of items, 3 a shard of replay, 4 rows, 5 globals |
/// | 2, 1 | model; group of rows |
/// | 4, 4 | first and end: ordinals, shards, or blocks of rows |
/// | 8 | ordinals of the side when rows were copied |
/// | 8 | Q: the sequencer's position; absent where trainers is 0, as is: |
/// | 8 × trainers | W: what each trainer had applied |
struct PieceTable: Equatable {
    enum Kind: UInt8 { case lists, userAttributes, itemAttributes, replay, rows, globals }

    struct Entry: Equatable {
        var kind: Kind
        var model: UInt16 = 0
        var group: UInt8 = 0
        var range: Range<UInt32>
        /// Ordinals of the side, for rows.
        var count: UInt64 = 0
        /// The sequencer's position.
        var sequenced: UInt64
        /// By trainer.
        var applied: [UInt64]
    }

    var position: UInt64 = 0
    var highest: UInt64 = 0
    var trainers = 0
    var counts = [Int](repeating: 0, count: RowSide.allCases.count)
    var entries: [Entry] = []

    /// Whether every piece stands at the sequencer's position: nothing has to be applied again.
    var isExact: Bool { entries.allSatisfy { $0.sequenced == position && $0.applied.allSatisfy { $0 == position } } }

    mutating func add(_ piece: Piece, at sequenced: UInt64, _ applied: [UInt64], count: Int = 0) {
        func entry(_ kind: Kind, _ range: Range<Int>) -> Entry {
            Entry(kind: kind, range: UInt32(range.lowerBound)..<UInt32(range.upperBound), sequenced: sequenced, applied: applied)
        }
        switch piece {
        case .head, .ids, .sightings: return
        case .lists(let users): entries.append(entry(.lists, users))
        case .attributes(let side, let range): entries.append(entry(side == 0 ? .userAttributes : .itemAttributes, range))
        case .replay(let shard): entries.append(entry(.replay, shard..<shard + 1))
        case .globals(let model):
            entries.append(entry(.globals, 0..<1))
            entries[entries.count - 1].model = UInt16(model)
        case .rows(let model, let group, let blocks):
            entries.append(entry(.rows, blocks))
            entries[entries.count - 1].model = UInt16(model)
            entries[entries.count - 1].group = UInt8(group)
            entries[entries.count - 1].count = UInt64(count)
        }
    }

    func encoded() -> [UInt8] {
        let trainers = isExact ? 0 : trainers
        var writer = ByteWriter()
        writer.put(position)
        writer.put(highest)
        writer.put(UInt32(trainers))
        for count in counts { writer.put(UInt64(count)) }
        writer.put(UInt32(entries.count))
        for entry in entries {
            writer.put(entry.kind.rawValue)
            writer.put(entry.model)
            writer.put(entry.group)
            writer.put(entry.range.lowerBound)
            writer.put(entry.range.upperBound)
            writer.put(entry.count)
            guard trainers > 0 else { continue }
            writer.put(entry.sequenced)
            for position in entry.applied { writer.put(position) }
        }
        return writer.bytes
    }

    init() {}

    init(_ reader: inout ByteReader) throws(StateError) {
        let damaged = StateError.damaged(section: reader.section)
        position = try reader.get()
        highest = try reader.get()
        trainers = Int(try reader.get(UInt32.self))
        guard trainers <= Placement.shardCount, highest >= position, trainers > 0 || highest == position else { throw damaged }
        for side in counts.indices {
            let count = try reader.get(UInt64.self)
            guard count <= UInt64(Placement.none) else { throw damaged }
            counts[side] = Int(count)
        }
        for _ in 0..<(try reader.get(UInt32.self)) {
            guard let kind = Kind(rawValue: try reader.get()) else { throw damaged }
            let model = try reader.get(UInt16.self), group = try reader.get(UInt8.self)
            let first = try reader.get(UInt32.self), end = try reader.get(UInt32.self), count = try reader.get(UInt64.self)
            guard first < end, count <= UInt64(Placement.none) else { throw damaged }
            var entry = Entry(kind: kind, model: model, group: group, range: first..<end, count: count, sequenced: position, applied: [])
            if trainers > 0 {
                entry.sequenced = try reader.get()
                for _ in 0..<trainers { entry.applied.append(try reader.get()) }
                guard entry.sequenced >= position, entry.sequenced <= highest,
                    entry.applied.allSatisfy({ $0 >= position && $0 <= entry.sequenced })
                else { throw damaged }
            }
            entries.append(entry)
        }
    }

    /// Models u32, shards u32; then per model and shard two positions u64: up to the first, every event's user part of the shard
    /// is in the model's rows, beyond the second, none.
    func watermarks(models: [Int]) -> [UInt8] {
        var writer = ByteWriter()
        writer.put(UInt32(models.count))
        writer.put(UInt32(Placement.shardCount))
        for model in models.indices {
            let pieces = entries.filter { $0.kind == .rows && $0.model == UInt16(model) && $0.group == 0 }
            for shard in 0..<Placement.shardCount {
                let applied = pieces.map { $0.applied.isEmpty ? position : $0.applied[shard % $0.applied.count] }
                writer.put(applied.min() ?? position)
                writer.put(applied.max() ?? position)
            }
        }
        return writer.bytes
    }
}

/// Where the pieces of a captured state stand, as far as people ask: read from its section `pieces`.
public struct StatePieces: Sendable, Equatable {
    /// The position where the stream goes on, and the highest that any piece holds something of.
    public var position: UInt64
    public var highest: UInt64
    /// Pieces, and trainers of the capture; 0 where all pieces stand at one position.
    public var pieces: Int
    public var trainers: Int

    public static let section = "pieces"

    /// - Throws: `StateError.damaged` for bytes that are no such section.
    public init(_ bytes: UnsafeRawBufferPointer) throws(StateError) {
        var reader = ByteReader(bytes, section: StatePieces.section)
        let table = try PieceTable(&reader)
        try reader.expectEnd()
        position = table.position
        highest = table.highest
        pieces = table.entries.count
        trainers = table.trainers
    }
}
