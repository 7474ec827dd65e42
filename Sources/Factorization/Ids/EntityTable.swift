import CKernels
import Synchronization

/// The ids of one side (users, items, or features): each id's ordinal, and each ordinal's id, count and flags.
///
/// Ids are exact: the index narrows by a 32-bit tag, then the whole id is compared. Shared by all models.
///
/// Thread safety: `admit`, `setHidden` and `count(_:)` belong to the sequencer. `find` and the getters are lock-free from
/// any thread inside `ReaderEpochs.reading`.
public final class EntityTable: @unchecked Sendable {
    /// 16 bytes an id.
    struct Row: ~Copyable {
        /// The integer's bits; for text, the address (48 bits) and above it the length (16 bits). Written once, before the
        /// index entry is released.
        var payload: UInt64 = 0
        /// Interactions counted; written by the sequencer, read by anyone.
        let frequency: FadingCount
        /// Namespace in the low half, flags above; written by the sequencer, read by anyone.
        let meta = Atomic<UInt32>(0)

        init(_ decay: PopularityDecay) { frequency = FadingCount(decay) }
    }

    private static let textFlag: UInt32 = 1 << 16
    private static let hiddenFlag: UInt32 = 1 << 17

    private let rows = SlabStore(rowBytes: MemoryLayout<Row>.stride)
    private let index: IdIndex
    private let texts = TextArena()
    /// How the frequencies fade.
    private let decay: PopularityDecay
    /// Rows admitted; stored by the sequencer after the row is whole.
    private let admitted = Atomic<Int>(0)
    private let hidden = Atomic<Int>(0)

    /// - Parameters:
    ///   - epochs: the readers who may stand in the index while it grows.
    ///   - decay: how frequencies fade; shared by all tables that count.
    init(epochs: ReaderEpochs, decay: PopularityDecay = PopularityDecay()) {
        index = IdIndex(epochs: epochs)
        self.decay = decay
    }

    /// Number of ordinals given out; all below it are readable.
    public var count: Int { admitted.load(ordering: .acquiring) }
    /// Items that are hidden from answers.
    public var hiddenCount: Int { hidden.load(ordering: .relaxed) }
    /// Bytes of ids, texts and index.
    public var bytes: Int { rows.mappedBytes.load(ordering: .relaxed) + index.bytes + texts.bytes }

    @inline(__always)
    private func row(_ ordinal: UInt32) -> UnsafeMutablePointer<Row> {
        rows.address(ordinal).assumingMemoryBound(to: Row.self)
    }

    /// The ordinal of `key`, or `Placement.none`.
    public func find(_ key: Key) -> UInt32 {
        index.find(hash: key.hash) { ordinal in matches(ordinal, key) }
    }

    private func matches(_ ordinal: UInt32, _ key: Key) -> Bool {
        let row = row(ordinal)
        let meta = row.pointee.meta.load(ordering: .relaxed)
        guard UInt16(truncatingIfNeeded: meta) == key.namespace, (meta & EntityTable.textFlag != 0) == key.isText else { return false }
        if !key.isText { return row.pointee.payload == key.payload }
        let held = EntityTable.text(row.pointee.payload)
        return held.count == Int(key.length) && held.elementsEqual(key.text)
    }

    private static func text(_ payload: UInt64) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: UnsafeRawPointer(bitPattern: UInt(payload & (1 << 48 - 1))), count: Int(payload >> 48))
    }

    /// Asks for the index line of a key that `find` will look for soon.
    @inline(__always)
    func prefetch(_ key: Key) { index.prefetch(hash: key.hash) }

    /// Asks for the row of a key that `find` will look for soon, by its tag alone; the index line should have come by now.
    @inline(__always)
    func prefetchRow(_ key: Key) {
        let ordinal = index.find(hash: key.hash) { _ in true }
        if ordinal != Placement.none { fk_prefetch(rows.address(ordinal)) }
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
        row.pointee.payload = key.isText ? texts.store(key.text) : key.payload
        row.pointee.meta.store(UInt32(key.namespace) | (key.isText ? EntityTable.textFlag : 0), ordering: .relaxed)
        return ordinal
    }

    /// Makes an admitted id visible.
    func publish(_ ordinal: UInt32, key: Key) {
        admitted.store(Int(ordinal) + 1, ordering: .releasing)
        index.insert(hash: key.hash, ordinal: ordinal)
    }

    /// The id behind an ordinal, as a key whose text lives as long as the table.
    public func key(_ ordinal: UInt32, hashing: KeyHash) -> Key {
        let row = row(ordinal)
        let namespace = UInt16(truncatingIfNeeded: row.pointee.meta.load(ordering: .relaxed))
        return row.pointee.meta.load(ordering: .relaxed) & EntityTable.textFlag != 0
            ? Key(text: EntityTable.text(row.pointee.payload), namespace: namespace, hashing: hashing)
            : Key(integer: Int64(bitPattern: row.pointee.payload), namespace: namespace, hashing: hashing)
    }

    /// Interactions counted for an ordinal, each by what it is worth now: 2^(−age/half-life).
    @inline(__always)
    public func frequency(_ ordinal: UInt32) -> Float { row(ordinal).pointee.frequency.value(decay) }

    /// The count as it is stored, in units of the decay's base: what a snapshot holds. Sequencer only.
    func storedFrequency(_ ordinal: UInt32) -> Float { row(ordinal).pointee.frequency.stored }

    /// Counts an amount in units of the decay's base; a count stops at zero. Sequencer only.
    @inline(__always)
    func count(_ ordinal: UInt32, by amount: Float) { row(ordinal).pointee.frequency.add(amount) }

    /// Every count's part in a rebase of the decay. Sequencer only.
    func rebase() {
        for ordinal in 0..<UInt32(admitted.load(ordering: .relaxed)) { row(ordinal).pointee.frequency.rebase(decay) }
    }

    @inline(__always)
    public func isHidden(_ ordinal: UInt32) -> Bool {
        row(ordinal).pointee.meta.load(ordering: .relaxed) & EntityTable.hiddenFlag != 0
    }

    /// Sequencer only.
    func setHidden(_ ordinal: UInt32, _ hide: Bool) {
        let row = row(ordinal)
        let meta = row.pointee.meta.load(ordering: .relaxed)
        let changed = hide ? meta | EntityTable.hiddenFlag : meta & ~EntityTable.hiddenFlag
        guard changed != meta else { return }
        row.pointee.meta.store(changed, ordering: .releasing)
        hidden.add(hide ? 1 : -1, ordering: .relaxed)
    }
}

/// Append-only memory for the text of ids. Sequencer only; what it has stored never moves.
final class TextArena: @unchecked Sendable {
    private var chunks: [UnsafeMutableRawPointer] = []
    private var used = TextArena.chunkBytes
    private let mapped = Atomic<Int>(0)
    private static let chunkBytes = 1 << 18

    var bytes: Int { mapped.load(ordering: .relaxed) }

    /// Copies the text and packs address and length into one word.
    func store(_ text: UnsafeRawBufferPointer) -> UInt64 {
        if used + text.count > TextArena.chunkBytes {
            chunks.append(.allocate(byteCount: TextArena.chunkBytes, alignment: 16))
            used = 0
            mapped.add(TextArena.chunkBytes, ordering: .relaxed)
        }
        let place = chunks[chunks.count - 1] + used
        place.copyMemory(from: text.baseAddress!, byteCount: text.count)
        used += text.count
        return UInt64(UInt(bitPattern: place)) | UInt64(text.count) << 48
    }

    deinit { for chunk in chunks { chunk.deallocate() } }
}
