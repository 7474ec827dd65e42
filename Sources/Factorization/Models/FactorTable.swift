import CKernels
import Synchronization

/// The rows of one group (users, items, context features) of one model: factors, and beside them each row's state.
///
/// A row's vector has `width` floats, the rank rounded up to a multiple of 8; the padding is zero for ever. Within a slab the
/// factors of all rows lie contiguous for retrieval's scan, and what the optimiser keeps of them lies behind. A kind may ask
/// for a tail behind the vector, padded alike, that the scan and the passes leave out.
///
/// Thread safety: `makeReady` belongs to the sequencer. The floats behind the pointers are raced on purpose and touched
/// only by the row kernels.
final class FactorTable: Sendable {
    let rank: Int
    let width: Int
    /// Floats of the tail in use, 0 for none.
    let tail: Int
    /// Floats of a row in all.
    let stride: Int
    private let factorRows: SlabStore
    /// Whether factors are held as bfloat16s: then `place` says where a row lies, and `RowBench` or `read` give it as floats.
    let isHalf: Bool
    private let stateRows: SlabStore
    private let accumulatorRows: SlabStore?
    /// ftrl's z.
    private let linearRows: SlabStore?
    /// Rows start without factors, and get theirs from the kernels.
    let isSparse: Bool
    /// ftrl's l1; 0 without ftrl.
    let threshold: Float
    /// The copy that retrieval scans; nil of rows that it does not. Whoever writes rows touches theirs.
    let copy: RowCopy?
    /// When rows were last touched; nil where nothing asks.
    let stamps: RowStamps?
    private let seed: UInt64
    let deviation: Float
    /// The rows as the hot path holds them.
    let rows: FactorRows

    /// - Parameters:
    ///   - ftrl: what moves the rows' weights, where it is ftrl.
    ///   - copiedBy: kernels of the scan, of rows that retrieval scans.
    init(
        rank: Int, tail: Int = 0, storage: ModelSettings.Storage = .float32, perCoordinate: Bool, ftrl: ModelSettings.Ftrl? = nil,
        seed: UInt64, deviation: Float, stamped: Bool = false, copiedBy kernels: Kernels? = nil
    ) {
        self.rank = rank
        self.tail = tail
        width = KindLayout.padded(rank)
        stride = width + KindLayout.padded(tail)
        isHalf = storage == .bfloat16
        // A longer one is read as it is.
        copy = width > Int(fk_scan_width) ? nil : kernels.map { [width] in RowCopy(width: width, kernels: $0) }
        let stateBytes = MemoryLayout<fk_row_state>.stride, factorBytes = stride * (isHalf ? 2 : 4)
        let columns = [factorBytes, stateBytes, perCoordinate ? stride * 4 : 0, ftrl == nil ? 0 : 4]
        let slabs = Slabs(rowBytes: columns.reduce(0, +))
        func column(_ number: Int) -> SlabStore {
            SlabStore(rowBytes: columns[number], of: slabs, behind: columns[..<number].reduce(0, +))
        }
        factorRows = column(0)
        stateRows = column(1)
        accumulatorRows = perCoordinate ? column(2) : nil
        linearRows = ftrl == nil ? nil : column(3)
        isSparse = ftrl?.sparseFactors == true
        threshold = ftrl?.l1 ?? 0
        stamps = stamped ? RowStamps() : nil
        self.seed = seed
        self.deviation = deviation
        rows = FactorRows(
            slabs: slabs.view, factorBytes: factorBytes, stateOffset: stateRows.view.offset,
            accumulatorOffset: accumulatorRows?.view.offset ?? 0, accumulatorBytes: stride * 4,
            linearOffset: linearRows?.view.offset ?? 0, bytes: width * (isHalf ? 2 : 4), isHalf: isHalf, seed: seed)
    }

    /// As of the slabs. Sequencer only.
    func gatherEarly() { factorRows.gatherEarly() }
    var earlyBytes: Int { factorRows.earlyBytes }

    /// Gives a new ordinal its first values, a function of the model's seed and the ordinal.
    func makeReady(_ ordinal: UInt32) {
        // And with them all other columns.
        factorRows.ensure(ordinal)
        stamps?.store.ensure(ordinal)
        reset(ordinal)
    }

    /// Puts a row back to its first values.
    func reset(_ ordinal: UInt32) {
        set(ordinal, first: isSparse ? 0 : rank, tail: isSparse ? 0 : tail)
        fk_write_state(state(ordinal), fk_row_state())
        if let z = linear(ordinal).z { fk_first_factors(z, 0, 1, 0, 0) }
        if let accumulators = accumulators(ordinal) { fk_first_factors(accumulators, 0, stride, 0, 0) }
        stamps?.reset(ordinal)
        copy?.touch(ordinal)
    }

    /// Puts a row to zero.
    func clear(_ ordinal: UInt32) {
        reset(ordinal)
        set(ordinal, first: 0, tail: 0)
        copy?.touch(ordinal)
    }

    /// Gives so many of a row's factors, and of its tail's, their first values; the others are zero.
    private func set(_ ordinal: UInt32, first: Int, tail: Int) {
        let seed = rows.firstSeed(ordinal)
        if isHalf {
            fk_first_bfloats(rows.halves(ordinal), first, width, seed, deviation)
            fk_first_bfloats(rows.halves(ordinal) + width, tail, stride - width, ~seed, deviation)
        } else {
            fk_first_factors(factors(ordinal), first, width, seed, deviation)
            fk_first_factors(factors(ordinal) + width, tail, stride - width, ~seed, deviation)
        }
    }

    @inline(__always)
    func factors(_ ordinal: UInt32) -> UnsafeMutablePointer<Float> { rows.factors(ordinal) }
    @inline(__always)
    func state(_ ordinal: UInt32) -> UnsafeMutablePointer<fk_row_state> { rows.state(ordinal) }
    @inline(__always)
    func accumulators(_ ordinal: UInt32) -> UnsafeMutablePointer<Float>? { rows.accumulators(ordinal) }

    @inline(__always)
    func linear(_ ordinal: UInt32) -> fk_linear { rows.linear(ordinal) }

    /// Whether a row keeps no factors, because its weight is zero.
    @inline(__always)
    func isAsleep(_ ordinal: UInt32) -> Bool { isSparse && fk_read_state(state(ordinal)).weight == 0 }

    /// Rows of one shard that lie in one piece from `local` on: factors, as floats or bfloat16s, states, and their number.
    func run(shard: Int, from local: Int, limit: Int)
        -> (factors: UnsafeRawPointer, states: UnsafePointer<fk_row_state>, count: Int)
    {
        let (factors, count) = factorRows.run(shard: shard, from: local, limit: limit)
        let states = stateRows.run(shard: shard, from: local, limit: limit).address
        return (UnsafeRawPointer(factors), UnsafePointer(states.assumingMemoryBound(to: fk_row_state.self)), count)
    }

    /// The stores that make up a row, with their names: what a snapshot holds.
    var stores: [(name: String, store: SlabStore)] {
        var all = [(isHalf ? "bfloats" : "factors", factorRows), ("states", stateRows)]
        if let accumulatorRows { all.append(("accumulators", accumulatorRows)) }
        if let linearRows { all.append(("ftrl", linearRows)) }
        if let stamps { all.append((FactorTable.stampStore, stamps.store)) }
        return all
    }
    static let stampStore = "stamps"

    var bytes: Int { stores.reduce(copy?.bytes ?? 0) { $0 + $1.store.mappedBytes } }
}

/// Where the rows of a table lie, as plain words: a learner holds a copy, so that no step counts references. Valid while
/// the table lives.
struct FactorRows: Sendable {
    let slabs: Slabs.View
    /// Bytes of a row's factors with the tail.
    let factorBytes: Int
    /// Where in a slab the columns begin; 0 for those that the table does not have.
    let stateOffset: Int
    let accumulatorOffset: Int
    let accumulatorBytes: Int
    let linearOffset: Int
    /// Bytes of a row's factors without the tail.
    let bytes: Int
    /// The table's.
    let isHalf: Bool
    /// The table's.
    let seed: UInt64

    /// A row of a table that holds floats.
    @inline(__always)
    func factors(_ ordinal: UInt32) -> UnsafeMutablePointer<Float> {
        assert(!isHalf, "a row of bfloat16s is widened before it is read")
        return place(ordinal)
    }
    /// Where a row lies, floats or not.
    @inline(__always)
    func place(_ ordinal: UInt32) -> UnsafeMutablePointer<Float> {
        let (slab, row) = slabs.place(ordinal)
        return (slab + row &* factorBytes).assumingMemoryBound(to: Float.self)
    }
    /// A row of a table that holds bfloat16s.
    @inline(__always)
    func halves(_ ordinal: UInt32) -> UnsafeMutablePointer<fk_bfloat> {
        let (slab, row) = slabs.place(ordinal)
        return (slab + row &* factorBytes).assumingMemoryBound(to: fk_bfloat.self)
    }
    @inline(__always)
    func state(_ ordinal: UInt32) -> UnsafeMutablePointer<fk_row_state> {
        let (slab, row) = slabs.place(ordinal)
        return (slab + stateOffset).assumingMemoryBound(to: fk_row_state.self) + row
    }
    /// Both, for the price of one look-up.
    @inline(__always)
    func row(_ ordinal: UInt32) -> (factors: UnsafeMutablePointer<Float>, state: UnsafeMutablePointer<fk_row_state>) {
        let (slab, row) = slabs.place(ordinal)
        return (
            (slab + row &* factorBytes).assumingMemoryBound(to: Float.self),
            (slab + stateOffset).assumingMemoryBound(to: fk_row_state.self) + row
        )
    }
    @inline(__always)
    func accumulators(_ ordinal: UInt32) -> UnsafeMutablePointer<Float>? {
        guard accumulatorOffset != 0 else { return nil }
        let (slab, row) = slabs.place(ordinal)
        return (slab + (accumulatorOffset &+ row &* accumulatorBytes)).assumingMemoryBound(to: Float.self)
    }
    /// ftrl's part of a row; without z where another optimiser moves the weight.
    @inline(__always)
    func linear(_ ordinal: UInt32) -> fk_linear {
        guard linearOffset != 0 else { return fk_linear() }
        let (slab, row) = slabs.place(ordinal)
        return fk_linear(z: (slab + linearOffset).assumingMemoryBound(to: Float.self) + row, seed: firstSeed(ordinal))
    }
    /// What a row's first factors follow from.
    @inline(__always)
    func firstSeed(_ ordinal: UInt32) -> UInt64 { seed ^ mix64(UInt64(ordinal)) }

    /// Asks for a row's lines ahead of a step.
    @inline(__always)
    func prefetch(_ ordinal: UInt32) {
        let (factors, state) = row(ordinal)
        var offset = 0
        while offset < bytes {
            fk_prefetch(UnsafeRawPointer(factors) + offset)
            offset &+= 64
        }
        fk_prefetch(state)
        guard accumulatorOffset != 0 else { return }
        let accumulators = accumulators(ordinal).unsafelyUnwrapped
        for line in 0..<(bytes &+ 63) / 64 { fk_prefetch(accumulators + 16 &* line) }
    }
}
