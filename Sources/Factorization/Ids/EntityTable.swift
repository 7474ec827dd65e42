import CKernels
import Synchronization

/// The ids of one side (users, items, or features): each id's ordinal, and each ordinal's id, count and flags.
///
/// Ids are exact: the index narrows by a 32-bit tag, then the whole id is compared. Shared by all models.
///
/// An ordinal whose id was evicted or forgotten is a hole until the sequencer gives it to another id (`RowKeeper`): its id is
/// not found, its count is zero, retrieval and draws pass it over.
///
/// Thread safety: what changes a table belongs to the sequencer. `find` and the getters are lock-free from
/// any thread inside `ReaderEpochs.reading`.
public final class EntityTable: @unchecked Sendable {
    /// 16 bytes an id.
    struct Row: ~Copyable {
        /// The integer's bits; for text, the address (48 bits) and above it the length (16 bits). Written before the
        /// index entry is released.
        var payload: UInt64 = 0
        /// Interactions counted; written by the sequencer, read by anyone.
        let frequency: FadingCount
        /// Namespace in the low 13 bits, how large a list of attributes may be in three, flags above, and on top when the id was
        /// last seen; written by the sequencer, read by anyone.
        let meta = Atomic<UInt32>(0)

        init(_ decay: PopularityDecay) { frequency = FadingCount(decay) }
    }

    /// Fields are 4,096 at most, and 0 is none.
    static let namespaceMask: UInt32 = 1 << 13 - 1
    static let textFlag: UInt32 = 1 << 16
    static let hiddenFlag: UInt32 = 1 << 17
    static let holeFlag: UInt32 = 1 << 18
    /// The top 12 bits: when the id was last seen, as `RowKeeper` counts time.
    static let stampShift: UInt32 = 20
    static let stampMask: UInt32 = 1 << 12 - 1

    private let rows = SlabStore(rowBytes: MemoryLayout<Row>.stride)
    private let index: IdIndex
    private let texts = TextArena()
    /// How the frequencies fade.
    private let decay: PopularityDecay
    /// Rows admitted; stored by the sequencer after the row is whole.
    private let admitted = Atomic<Int>(0)
    private let hidden = Atomic<Int>(0)
    private let holes = Atomic<Int>(0)
    /// Bytes of the texts of ids that are found, in pieces. Sequencer only.
    private(set) var liveTextBytes = 0
    /// Bytes of the attribute lists of ids that are found (`setList`). Sequencer only.
    var listBytes = 0
    /// What a capture needs to know of changes; nil for a table of its own. Behind pointers, for `count` is in every event.
    private let undo: UnsafeMutablePointer<IdUndo>?
    private let noted: UnsafeMutablePointer<IdUndo.Reach>
    /// Ordinals below it have taken part in the last rebase of the decay. Sequencer only.
    private var rebased = 0
    /// The side's number in the undo log.
    private let side: Int
    /// Texts to be given back once no capture reads them.
    private var keptTexts: [UnsafeRawBufferPointer] = []

    /// - Parameters:
    ///   - epochs: the readers who may stand in the index while it grows.
    ///   - decay: how frequencies fade; shared by all tables that count.
    ///   - undo: where a capture's undo log is kept, which outlives the table; `side` is the table's number in it.
    init(epochs: ReaderEpochs, decay: PopularityDecay = PopularityDecay(), undo: UnsafeMutablePointer<IdUndo>? = nil, side: RowSide = .users) {
        index = IdIndex(epochs: epochs)
        self.decay = decay
        self.undo = undo
        self.side = side.rawValue
        noted = .allocate(capacity: 1)
        noted.initialize(to: IdUndo.Reach())
    }

    deinit { noted.deallocate() }

    /// Number of ordinals given out, holes included; all below it are readable.
    public var count: Int { admitted.load(ordering: .acquiring) }
    /// Ids that are known.
    public var liveCount: Int { count - holeCount }
    /// Ordinals that wait for another id.
    public var holeCount: Int { holes.load(ordering: .relaxed) }
    /// Items that are hidden from answers.
    public var hiddenCount: Int { hidden.load(ordering: .relaxed) }
    /// Bytes of ids, texts and index.
    public var bytes: Int { rows.mappedBytes + index.bytes + texts.bytes }
    /// Bytes that ids, texts and index use: without the part of the newest slabs that no id has reached.
    public var usedBytes: Int { count * EntityTable.rowBytes + index.bytes + texts.bytes }
    /// Bytes of the chunks that texts lie in.
    var mappedTextBytes: Int { texts.bytes }
    static let rowBytes = MemoryLayout<Row>.stride
    /// What the budget counts for an id without its text: its row, and the most that the index takes for it.
    static let idBytes = rowBytes + 16

    @inline(__always)
    func row(_ ordinal: UInt32) -> UnsafeMutablePointer<Row> {
        rows.address(ordinal).assumingMemoryBound(to: Row.self)
    }

    /// The ordinal of `key`, or `Placement.none`.
    public func find(_ key: Key) -> UInt32 {
        index.find(hash: key.hash) { ordinal in matches(ordinal, key) }
    }

    /// Whether an ordinal is that of a key: no hole, of its namespace and kind, with the same bytes.
    @inline(__always)
    private func matches(_ ordinal: UInt32, _ key: Key) -> Bool {
        let row = row(ordinal)
        let kind = row.pointee.meta.load(ordering: .relaxed) & (EntityTable.namespaceMask | EntityTable.textFlag | EntityTable.holeFlag)
        guard kind == UInt32(key.namespace) | (key.isText ? EntityTable.textFlag : 0) else { return false }
        return key.isText ? EntityTable.isSame(row.pointee.payload, key) : row.pointee.payload == key.payload
    }

    @inline(never)
    private static func isSame(_ payload: UInt64, _ key: Key) -> Bool {
        let held = text(payload)
        return held.count == Int(key.length) && held.elementsEqual(key.text)
    }

    static func text(_ payload: UInt64) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: UnsafeRawPointer(bitPattern: UInt(payload & (1 << 48 - 1))), count: Int(payload >> 48))
    }

    /// Asks for the index line of a key whose `candidate` is looked for soon.
    @inline(__always)
    func prefetch(_ key: Key) { index.prefetch(hash: key.hash) }

    /// The ordinal that a key has by its tag alone, its row asked for: to be `confirmed` when the row has come. The index line
    /// should have come by now.
    @inline(__always)
    func candidate(_ key: Key) -> UInt32 {
        let ordinal = index.find(hash: key.hash) { _ in true }
        if ordinal != Placement.none { fk_bring(rows.address(ordinal)) }
        return ordinal
    }

    /// What `find` answers now, where `candidate` has looked before: ids may have come and gone since.
    @inline(__always)
    func confirmed(_ candidate: UInt32, _ key: Key) -> UInt32 {
        candidate != Placement.none && matches(candidate, key) ? candidate : find(key)
    }

    /// Gives a new id the next ordinal. Readers find it once `publish` was called for it: rows of models are made ready in
    /// between. Nil when all ordinals are given out.
    func admit(_ key: Key) -> UInt32? {
        let next = admitted.load(ordering: .relaxed)
        guard next < Int(Placement.none) else { return nil }
        let ordinal = UInt32(next)
        rows.ensure(ordinal)
        let row = rows.address(ordinal).bindMemory(to: Row.self, capacity: 1)
        row.initialize(to: Row(decay))
        fill(ordinal, key)
        return ordinal
    }

    /// Gives a new id the ordinal of a hole that nobody can still take for another.
    func reuse(_ ordinal: UInt32, for key: Key) {
        let row = row(ordinal)
        note(ordinal)
        if noted.pointee.contains(ordinal) { undo?.pointee.note(payload: row.pointee.payload, of: ordinal, side) }
        release(ordinal)
        fill(ordinal, key)
        holes.subtract(1, ordering: .relaxed)
    }

    private func fill(_ ordinal: UInt32, _ key: Key) {
        let row = row(ordinal)
        row.pointee.payload = key.isText ? texts.store(key.text) : key.payload
        row.pointee.meta.store(UInt32(key.namespace) | (key.isText ? EntityTable.textFlag : 0), ordering: .releasing)
        if key.isText { liveTextBytes += TextArena.bytes(Int(key.length)) }
    }

    /// Makes an admitted id visible.
    func publish(_ ordinal: UInt32, key: Key) {
        if Int(ordinal) >= admitted.load(ordering: .relaxed) { admitted.store(Int(ordinal) + 1, ordering: .releasing) }
        index.insert(hash: key.hash, ordinal: ordinal)
    }

    /// Gives back the text of a hole that nobody can still take for another. No capture misses it: the row was noted when the id went, or
    /// went before.
    func release(_ ordinal: UInt32) {
        let row = row(ordinal), meta = row.pointee.meta.load(ordering: .relaxed)
        guard meta & EntityTable.textFlag != 0 else { return }
        row.pointee.meta.store(meta & ~EntityTable.textFlag, ordering: .relaxed)
        let text = EntityTable.text(row.pointee.payload)
        if undo?.pointee.isOpen == true { keptTexts.append(text) } else { texts.free(text) }
    }

    /// Makes an id unknown: its ordinal is a hole from here on. Its text stays until its quarantine ends, for readers that
    /// have found it just before.
    func remove(_ ordinal: UInt32, hashing: KeyHash) {
        let key = key(ordinal, hashing: hashing), row = row(ordinal)
        note(ordinal)
        index.remove(hash: key.hash, ordinal: ordinal)
        setHidden(ordinal, false)
        setList(ordinal, bytes: 0)
        row.pointee.frequency.add(-.infinity, sign: decay.sign)
        row.pointee.meta.store(row.pointee.meta.load(ordering: .relaxed) | EntityTable.holeFlag, ordering: .releasing)
        holes.add(1, ordering: .relaxed)
        if key.isText { liveTextBytes -= TextArena.bytes(Int(key.length)) }
    }

    /// Takes the next ordinal up as a hole, from a saved state. Before any thread starts.
    func restoreHole() -> UInt32? {
        let next = admitted.load(ordering: .relaxed)
        guard next < Int(Placement.none) else { return nil }
        rows.ensure(UInt32(next))
        rows.address(UInt32(next)).bindMemory(to: Row.self, capacity: 1).initialize(to: Row(decay))
        row(UInt32(next)).pointee.meta.store(EntityTable.holeFlag, ordering: .relaxed)
        holes.add(1, ordering: .relaxed)
        admitted.store(next + 1, ordering: .releasing)
        return UInt32(next)
    }

    /// The id behind an ordinal, as a key whose text lives as long as the id, and until readers who might have found it have left.
    public func key(_ ordinal: UInt32, hashing: KeyHash) -> Key {
        let row = row(ordinal)
        let namespace = namespace(ordinal)
        return row.pointee.meta.load(ordering: .relaxed) & EntityTable.textFlag != 0
            ? Key(text: EntityTable.text(row.pointee.payload), namespace: namespace, hashing: hashing)
            : Key(integer: Int64(bitPattern: row.pointee.payload), namespace: namespace, hashing: hashing)
    }

    /// The namespace of an ordinal's id.
    @inline(__always)
    func namespace(_ ordinal: UInt32) -> UInt16 {
        UInt16(truncatingIfNeeded: row(ordinal).pointee.meta.load(ordering: .relaxed) & EntityTable.namespaceMask)
    }

    /// Whether an ordinal's id is the integer 0, as that of a field's numbers.
    func isZero(_ ordinal: UInt32) -> Bool {
        row(ordinal).pointee.meta.load(ordering: .relaxed) & EntityTable.textFlag == 0 && row(ordinal).pointee.payload == 0
    }

    /// Interactions counted for an ordinal, each by what it is worth now: 2^(−age/half-life).
    @inline(__always)
    public func frequency(_ ordinal: UInt32) -> Float { row(ordinal).pointee.frequency.value(decay) }

    /// The count in units of the decay's base: what a snapshot holds. Sequencer only.
    func storedFrequency(_ ordinal: UInt32) -> Float { FadingCount.settled(row(ordinal).pointee.frequency.bits, sign: decay.sign) }

    /// Counts an amount in units of the decay's base; a count stops at zero. Sequencer only.
    @inline(__always)
    func count(_ ordinal: UInt32, by amount: Float) {
        note(ordinal)
        row(ordinal).pointee.frequency.add(amount, sign: decay.sign)
    }

    /// A rebase of the decay has begun: all counts have to take part. Sequencer only.
    func beginRebase() {
        // A capture takes counts for those of the rebase before.
        if noted.pointee.end > noted.pointee.start { undo?.pointee.isSpoilt = true }
        rebased = 0
    }

    /// So many more counts take part in the rebase; answers how many of these there was no count for. What a capture makes of a
    /// count is the same before and after. Sequencer only.
    func goOnRebasing(_ rows: Int) -> Int {
        let end = min(rebased + rows, admitted.load(ordering: .relaxed)), done = end - rebased, sign = decay.sign
        while rebased < end {
            row(UInt32(rebased)).pointee.frequency.rebase(sign: sign)
            rebased += 1
        }
        return rows - done
    }

    @inline(__always)
    public func isHidden(_ ordinal: UInt32) -> Bool {
        row(ordinal).pointee.meta.load(ordering: .relaxed) & EntityTable.hiddenFlag != 0
    }

    /// Whether no id stands behind an ordinal.
    @inline(__always)
    public func isHole(_ ordinal: UInt32) -> Bool {
        row(ordinal).pointee.meta.load(ordering: .relaxed) & EntityTable.holeFlag != 0
    }

    /// Whether answers leave an ordinal out: hidden, or a hole.
    @inline(__always)
    func isOut(_ ordinal: UInt32) -> Bool {
        row(ordinal).pointee.meta.load(ordering: .relaxed) & (EntityTable.hiddenFlag | EntityTable.holeFlag) != 0
    }

    /// When an id was last seen, 12 bits that wrap. Sequencer only.
    @inline(__always)
    func stamp(_ ordinal: UInt32) -> UInt32 { row(ordinal).pointee.meta.load(ordering: .relaxed) >> EntityTable.stampShift }

    /// Stamps an id as just seen. Sequencer only.
    @inline(__always)
    func touch(_ ordinal: UInt32, stamp: UInt32) {
        let row = row(ordinal), meta = row.pointee.meta.load(ordering: .relaxed)
        let changed = meta & (1 << EntityTable.stampShift - 1) | stamp << EntityTable.stampShift
        guard changed != meta else { return }
        note(ordinal)
        row.pointee.meta.store(changed, ordering: .relaxed)
    }

    /// Sequencer only.
    func setHidden(_ ordinal: UInt32, _ hide: Bool) {
        let row = row(ordinal)
        let meta = row.pointee.meta.load(ordering: .relaxed)
        let changed = hide ? meta | EntityTable.hiddenFlag : meta & ~EntityTable.hiddenFlag
        guard changed != meta else { return }
        note(ordinal)
        row.pointee.meta.store(changed, ordering: .releasing)
        hidden.add(hide ? 1 : -1, ordering: .relaxed)
    }

    // MARK: Capture

    /// Notes a row before it changes, where a capture under way has not copied it.
    @inline(__always)
    func note(_ ordinal: UInt32) { if noted.pointee.contains(ordinal) { noteRow(ordinal) } }

    @inline(never)
    private func noteRow(_ ordinal: UInt32) {
        let row = row(ordinal)
        undo?.pointee.note(side, ordinal, UInt64(row.pointee.frequency.bits) | UInt64(row.pointee.meta.load(ordering: .relaxed)) << 32)
    }

    /// From here on, changes of ordinals from `start` to `end` are noted. Sequencer only, or while it stands.
    func noteChanges(from start: Int, to end: Int) { noted.pointee = IdUndo.Reach(start: UInt32(start), end: UInt32(end)) }

    /// The raw rows of a block, as far as `limit` of them. While the sequencer stands.
    func rawRows(block: Int, limit: Int) -> UnsafeRawPointer {
        UnsafeRawPointer(rows.run(shard: RowBlock.shard(block), from: RowBlock.firstLocal(block), limit: limit).address)
    }

    /// Gives back the texts that were kept. While the sequencer stands.
    func releaseTexts() {
        for text in keptTexts { texts.free(text) }
        keptTexts = []
    }
}
