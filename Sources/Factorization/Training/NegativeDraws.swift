import CKernels

/// Which items are drawn against a positive: one definition for every loss and for whoever asks for rows ahead.
///
/// The draws of an event are the values of `item` for 0, 1, 2, … under the event's word: functions of (seed, position, items
/// in the catalogue at the position, tables handed out before the position), and of nothing that a trainer writes. They are
/// with replacement. Among n draws:
/// * one that is the event's own item is skipped, and (`negatives.verified`) one that the user has seen;
/// * none takes a skipped one's place: an event may have fewer than n negatives, or none;
/// * hidden items are drawn like all others: they are out of answers, not out of the model;
/// * the ordinal of an item that was evicted or forgotten is skipped too, until another item has it.
///
/// logistic and squared loss and bpr take all that remain, warp tries them in this order until one violates the margin.
struct NegativeDraws {
    let seed: UInt64
    /// The table in use; columns for the first `covered` items.
    private(set) var columns: UnsafePointer<AliasTable.Column>?
    private(set) var covered: UInt64 = 0
    /// Ordinals without an item, at the trainer's position.
    private(set) var holes = HoleMap.View()

    init(seed: UInt64) { self.seed = seed }

    /// Draws from `table` from here on, which must outlive its use; uniformly without one.
    mutating func use(_ table: AliasTable?) {
        columns = table.map { UnsafePointer($0.columns) }
        covered = UInt64(table?.count ?? 0)
    }

    /// Skips these from here on; they must outlive their use.
    mutating func use(_ holes: HoleMap.View) { self.holes = holes }

    /// What an event's draws follow from.
    @inline(__always)
    func word(at position: UInt64) -> UInt64 { mix64(seed ^ position) }

    /// One draw. Uniform over the catalogue as far as the table does not reach: items admitted after it was built get their
    /// share of draws, and the table's items share the rest as it says.
    @inline(__always)
    func item(_ word: UInt64, _ number: Int, of catalogue: UInt64) -> UInt32 {
        let bits = mix64(word &+ UInt64(number))
        let drawn = ((bits >> 32) &* catalogue) >> 32
        guard drawn < covered else { return UInt32(truncatingIfNeeded: drawn) }
        let column = columns.unsafelyUnwrapped[Int(drawn)]
        return UInt32(truncatingIfNeeded: bits) < column.threshold ? UInt32(truncatingIfNeeded: drawn) : column.other
    }
}

/// One generation of the tables from which the models draw negatives: popularity^exponent over the items that were there
/// when the sequencer built it. Immutable; whoever still needs an older one holds it.
final class NegativeTables: Sendable {
    /// What the tables were built from, by item: all that a snapshot needs to build them again.
    let frequencies: [Float]
    /// By model; nil where negatives are uniform, or where nothing was counted.
    let byModel: [AliasTable?]

    init(frequencies: [Float], exponents: [Float]) {
        self.frequencies = frequencies
        var built: [Float: AliasTable] = [:]
        byModel = exponents.map { exponent in
            guard exponent != 0 else { return nil }
            if let table = built[exponent] { return table }
            let table = AliasTable(weights: frequencies.map { NegativeTables.weight(Double($0), Double(exponent)) })
            built[exponent] = table
            return table
        }
    }

    /// An item that nobody touched is no negative: nothing says that it was there to be chosen.
    private static func weight(_ frequency: Double, _ exponent: Double) -> Double {
        guard frequency > 0 else { return 0 }
        return exponent == 1 ? frequency : exponent == 0.5 ? frequency.squareRoot() : fk_power(frequency, exponent)
    }
}

extension TrainingRecord {
    /// A record that hands tables to one trainer, in the stream's order: from here on they are its to release.
    init(_ tables: NegativeTables, position: UInt64) {
        self.init(
            object: Unmanaged.passRetained(tables).toOpaque(), kind: .negativeTables, catalogue: UInt32(tables.frequencies.count),
            position: position)
    }
}
