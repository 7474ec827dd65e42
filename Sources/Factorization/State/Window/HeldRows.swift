import CKernels

/// Which rows of a group hold which events already, as words without reference counting: asked for with every row of the window.
struct HeldRows {
    /// The piece of each block; -1 for none.
    private let blocks: UnsafeMutablePointer<Int32>
    private let blockCount: Int
    private let pieces: PieceMarks

    init(_ rowPieces: [Int32], _ pieces: PieceMarks) {
        blocks = .allocate(capacity: max(rowPieces.count, 1))
        blocks.initialize(from: rowPieces, count: rowPieces.count)
        blockCount = rowPieces.count
        self.pieces = pieces
    }

    func deallocate() { blocks.deallocate() }

    /// Whether a row has its part of the event at `position`, whose user lies in `shard`.
    @inline(__always)
    func has(_ ordinal: UInt32, shard: Int, _ position: UInt64) -> Bool {
        piece(of: ordinal).map { pieces.holds($0, shard: shard, position) } ?? false
    }

    /// The piece of a row that was there when it was copied.
    @inline(__always)
    func piece(of ordinal: UInt32) -> Int? {
        let block = RowBlock.of(ordinal)
        guard block < blockCount, blocks[block] >= 0, pieces.counts[Int(blocks[block])] > UInt64(ordinal) else { return nil }
        return Int(blocks[block])
    }
}

/// Where pieces stand, by piece.
struct PieceMarks {
    let trainers: Int
    /// Ordinals of the side when rows were copied; and by trainer what it had applied.
    let counts: UnsafeMutablePointer<UInt64>
    private let applied: UnsafeMutablePointer<UInt64>

    init(_ entries: [PieceTable.Entry], trainers: Int) {
        self.trainers = trainers
        counts = .allocate(capacity: max(entries.count, 1))
        applied = .allocate(capacity: max(entries.count * trainers, 1))
        for (number, entry) in entries.enumerated() {
            (counts + number).initialize(to: entry.count)
            for trainer in 0..<trainers { (applied + number * trainers + trainer).initialize(to: entry.applied[trainer]) }
        }
    }

    func deallocate() {
        counts.deallocate()
        applied.deallocate()
    }

    @inline(__always)
    func holds(_ piece: Int, shard: Int, _ position: UInt64) -> Bool {
        position <= applied[piece &* trainers &+ (trainers == 1 ? 0 : shard % trainers)]
    }

    /// By trainer: up to where all of some pieces hold everything, and beyond which none holds anything.
    func bounds(_ pieces: some Sequence<Int>) -> (all: [UInt64], any: [UInt64]) {
        var all = [UInt64](repeating: .max, count: trainers), any = [UInt64](repeating: 0, count: trainers)
        for piece in pieces {
            for trainer in 0..<trainers {
                all[trainer] = min(all[trainer], applied[piece * trainers + trainer])
                any[trainer] = max(any[trainer], applied[piece * trainers + trainer])
            }
        }
        return (all, any)
    }
}

/// The events that everything of a model holds: those that every piece holds, of users and items that were there at P0, or at
/// least share a band with such. Rows of others are in no piece.
struct HeldWhole {
    /// By trainer.
    private var applied: [UInt64]
    private var users = Int.max
    private var items = Int.max

    init(_ model: Model, _ number: Int, _ table: PieceTable, _ marks: PieceMarks) {
        let own = table.entries.indices.filter {
            let entry = table.entries[$0]
            return Int(entry.model) == number && (entry.kind == .rows || entry.kind == .globals)
        }
        // Gram matrices are brought up to each event.
        applied = model.grams == nil ? marks.bounds(own).all : [UInt64](repeating: 0, count: marks.trainers)
        for (group, entry) in model.groups.enumerated() {
            let blocks = table.entries.filter { $0.kind == .rows && Int($0.model) == number && Int($0.group) == group }.map(\.range.upperBound).max() ?? 0
            let covered = Int(blocks) >> Int(Placement.shardBits) * RowBlock.band
            switch entry.name {
            case "users": users = covered
            case "items": items = covered
            default:
                // An event does not say which rows of these it meets.
                guard let side = RowSide.allCases.first(where: { "\($0)" == entry.side }), table.counts[side.rawValue] <= covered else {
                    applied = applied.map { _ in 0 }
                    return
                }
            }
        }
    }

    func holds(_ record: UnsafePointer<TrainingRecord>, trainers: Int) -> Bool {
        record.pointee.position <= applied[Placement.shard(record.pointee.user) % trainers] && Int(record.pointee.user) < users
            && Int(record.pointee.item) < items && Int(record.pointee.catalogue) <= items
    }
}

/// Copies of held rows, which a run steps in their place and which are then forgotten.
final class RowCopies {
    private static let rows = 4096
    private let memory: UnsafeMutableRawPointer
    private let floats: Int
    private let rowBytes: Int
    private var used = 0

    init(width: Int) {
        floats = width
        rowBytes = (width * MemoryLayout<Float>.stride + MemoryLayout<fk_row_state>.stride + 63) & ~63
        memory = .allocate(byteCount: RowCopies.rows * rowBytes, alignment: 64)
    }

    deinit { memory.deallocate() }

    func clear() { used = 0 }
    /// Whether so many more rows fit.
    func hasRoom(_ count: Int) -> Bool { used + count <= RowCopies.rows }

    /// Copies a row and its state.
    func add(
        _ factors: UnsafeMutablePointer<Float>, _ state: UnsafeMutablePointer<fk_row_state>, _ kernels: Kernels
    ) -> (factors: UnsafeMutablePointer<Float>, state: UnsafeMutablePointer<fk_row_state>) {
        let row = memory + used * rowBytes, copy = row.assumingMemoryBound(to: Float.self)
        used += 1
        kernels.copy(copy, factors, floats)
        let copied = (row + floats * MemoryLayout<Float>.stride).assumingMemoryBound(to: fk_row_state.self)
        copied.initialize(to: fk_read_state(state))
        return (copy, copied)
    }
}
