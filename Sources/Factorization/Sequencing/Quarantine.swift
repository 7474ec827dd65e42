/// Ordinals on their way from one id to another.
struct Quarantine {
    /// Taken from their ids since the last round began, in this order.
    var fresh: [FreedRow] = []
    /// The batch of the round under way, and the steps done of it.
    var sweeping: SweepBatch?
    var stepsDone = 0
    /// The batch whose round is over.
    var resting: SweepBatch?
    /// Position of the last step of that round, records taken then, and the epoch that its readers must have left.
    var end: UInt64 = 0
    var endTaken: UInt64 = 0
    var epoch: UInt64 = 0
    /// Records taken when the last round began.
    var lastRound: UInt64 = 0
    /// Somebody was forgotten: the next round is not to wait for others.
    var isUrgent = false
}

/// An ordinal that was taken from its id.
struct FreedRow: Equatable {
    var side: RowSide
    var ordinal: UInt32
}

/// The ordinals of one round of sweeps. Immutable, shared with the trainers.
final class SweepBatch: Sendable {
    let rows: [FreedRow]
    /// Users to visit: those that were there when the round began.
    let users: Int
    let steps: Int
    let trainers: Int
    /// A bit for each ordinal; as long as the last one asks for.
    private let userBits: [UInt64]
    private let itemBits: [UInt64]

    init(rows: [FreedRow], users: Int, steps: Int, trainers: Int) {
        self.rows = rows
        self.users = users
        self.steps = steps
        self.trainers = trainers
        func bits(_ side: RowSide) -> [UInt64] {
            let ordinals = rows.filter { $0.side == side }.map { Int($0.ordinal) }
            var bits = [UInt64](repeating: 0, count: (ordinals.max() ?? -1) / 64 + 1)
            for ordinal in ordinals { bits[ordinal / 64] |= 1 << UInt64(ordinal % 64) }
            return bits
        }
        userBits = bits(.users)
        itemBits = bits(.items)
    }

    @inline(__always)
    private static func holds(_ bits: [UInt64], _ ordinal: UInt32) -> Bool {
        let word = Int(ordinal >> 6)
        return word < bits.count && bits[word] >> UInt64(ordinal & 63) & 1 != 0
    }
    func hasItem(_ ordinal: UInt32) -> Bool { SweepBatch.holds(itemBits, ordinal) }
    func hasUser(_ ordinal: UInt32) -> Bool { SweepBatch.holds(userBits, ordinal) }

    /// What a step covers of `count` things that all steps cover together.
    func range(_ step: Int, of count: Int) -> Range<Int> { count * step / steps..<count * (step + 1) / steps }
}

extension TrainingRecord {
    /// Begins a round with one trainer: the batch is its to release.
    init(_ batch: SweepBatch, position: UInt64) {
        self.init(object: Unmanaged.passRetained(batch).toOpaque(), kind: .beginSweep, catalogue: 0, position: position)
    }

    /// A record about one row, or one step of a round.
    init(_ kind: RecordKind, user: UInt32 = Placement.none, item: UInt32 = Placement.none, catalogue: Int, position: UInt64) {
        self.init(
            position: position, user: user, item: item, catalogue: UInt32(catalogue), value: 0, weight: 0, type: 0, featureCount: 0,
            kind: kind, hasValue: false)
    }

    /// Hands an object to one trainer, in the stream's order.
    init(object: UnsafeMutableRawPointer, kind: RecordKind, catalogue: UInt32, position: UInt64) {
        let bits = UInt64(UInt(bitPattern: object))
        self.init(
            position: position, user: UInt32(truncatingIfNeeded: bits), item: UInt32(truncatingIfNeeded: bits >> 32),
            catalogue: catalogue, value: 0, weight: 0, type: 0, featureCount: 0, kind: kind, hasValue: false)
    }

    private var object: UnsafeRawPointer? { UnsafeRawPointer(bitPattern: UInt(UInt64(item) << 32 | UInt64(user))) }

    /// The tables that the record carries, once.
    func takeTables() -> Unmanaged<NegativeTables>? { kind == .negativeTables ? object.map { Unmanaged.fromOpaque($0) } : nil }
    /// The batch that the record carries, once.
    func takeBatch() -> Unmanaged<SweepBatch>? { kind == .beginSweep ? object.map { Unmanaged.fromOpaque($0) } : nil }
}
