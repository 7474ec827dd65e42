import CKernels
import Synchronization

/// From an id's hash to its ordinal: 64 open-addressing tables of 8-byte entries (32-bit tag, ordinal + 1), each rebuilt on
/// its own so that no growth stops the stream for long.
///
/// Table choice takes the hash's top bits, tag and place its low 32 bits, so a table grows without seeing the ids again. The
/// place is ⌊tag · capacity / 2³²⌋, so that a capacity need not be a power of two: a table grows by half and is never less
/// than half full, 10.7 to 16 bytes an id.
///
/// A removed entry becomes a tombstone, which readers pass over and insertions reuse; where the next place is empty, it and
/// the tombstones before it become empty at once, as nothing lies beyond them. A table with too many is rebuilt.
///
/// Thread safety: `insert` and `remove` belong to the sequencer; `find` is lock-free from any thread inside
/// `ReaderEpochs.reading` (or on the sequencer's own thread).
final class IdIndex: @unchecked Sendable {
    /// A table's first word is its capacity, the entries follow. 0 is an empty entry; one without an ordinal is a tombstone.
    private typealias Entry = Atomic<UInt64>
    private struct Table {
        let words: UnsafeMutablePointer<Entry>
        init(bits: UInt) { words = UnsafeMutablePointer(bitPattern: bits).unsafelyUnwrapped }
        @inline(__always) var capacity: UInt32 { UInt32(truncatingIfNeeded: words[0].load(ordering: .relaxed)) }
        @inline(__always) func entry(_ place: UInt32) -> UnsafeMutablePointer<Entry> { words + 1 + Int(place) }
        @inline(__always)
        static func first(_ tag: UInt32, _ capacity: UInt32) -> UInt32 {
            UInt32(truncatingIfNeeded: (UInt64(tag) &* UInt64(capacity)) >> 32)
        }
        @inline(__always)
        static func next(_ place: UInt32, _ capacity: UInt32) -> UInt32 { place &+ 1 == capacity ? 0 : place &+ 1 }
        static func previous(_ place: UInt32, _ capacity: UInt32) -> UInt32 { place == 0 ? capacity - 1 : place - 1 }
    }

    static let tableCount = 64
    private static let firstCapacity: UInt32 = 64
    private static let tombstone: UInt64 = 1 << 32
    /// Address of each table; written by the sequencer, released to readers.
    private let tables: UnsafeMutablePointer<Atomic<UInt>>
    /// Entries that are not empty, tombstones included, and ids, by table. Sequencer only.
    private var used = [UInt32](repeating: 0, count: IdIndex.tableCount)
    private var live = [UInt32](repeating: 0, count: IdIndex.tableCount)
    /// Outgrown tables that readers may still hold. Sequencer only.
    private var retired: [(table: UnsafeMutablePointer<Atomic<UInt64>>, epoch: UInt64)] = []
    private let epochs: ReaderEpochs
    private var memory = IdTableMemory()
    private let mapped = Atomic<Int>(0)

    init(epochs: ReaderEpochs) {
        self.epochs = epochs
        tables = .allocate(capacity: IdIndex.tableCount)
        for index in 0..<IdIndex.tableCount {
            (tables + index).initialize(to: Atomic(UInt(bitPattern: makeTable(capacity: IdIndex.firstCapacity))))
        }
    }

    deinit {
        for index in 0..<IdIndex.tableCount { free(Table(bits: tables[index].load(ordering: .relaxed)).words) }
        for old in retired { free(old.table) }
        tables.deallocate()
    }

    /// Bytes of all tables.
    var bytes: Int { mapped.load(ordering: .relaxed) }

    private static func bytes(_ capacity: UInt32) -> Int { (Int(capacity) + 1) * MemoryLayout<Entry>.stride }

    private func makeTable(capacity: UInt32) -> UnsafeMutablePointer<Entry> {
        let bytes = IdIndex.bytes(capacity), words = memory.take(bytes).bindMemory(to: Entry.self, capacity: Int(capacity) + 1)
        words.initialize(to: Atomic(UInt64(capacity)))
        for place in 1...Int(capacity) { (words + place).initialize(to: Atomic(0)) }
        mapped.add(bytes, ordering: .relaxed)
        return words
    }

    private func free(_ words: UnsafeMutablePointer<Entry>) {
        let bytes = IdIndex.bytes(Table(bits: UInt(bitPattern: words)).capacity)
        memory.give(words, bytes)
        mapped.subtract(bytes, ordering: .relaxed)
    }

    @inline(__always)
    private func table(_ hash: UInt64) -> Table { Table(bits: tables[Int(hash >> 58)].load(ordering: .acquiring)) }

    @inline(__always)
    func prefetch(hash: UInt64) {
        let table = table(hash)
        fk_bring(table.entry(Table.first(UInt32(truncatingIfNeeded: hash), table.capacity)))
    }

    /// The ordinal whose tag fits and for which `matches` is true, or `Placement.none`.
    @inline(__always)
    func find(hash: UInt64, matches: (UInt32) -> Bool) -> UInt32 {
        let table = table(hash)
        let tag = UInt32(truncatingIfNeeded: hash), capacity = table.capacity
        var place = Table.first(tag, capacity)
        while true {
            let entry = table.entry(place).pointee.load(ordering: .acquiring)
            if entry == 0 { return Placement.none }
            if UInt32(truncatingIfNeeded: entry >> 32) == tag {
                let ordinal = UInt32(truncatingIfNeeded: entry) &- 1
                if ordinal != Placement.none && matches(ordinal) { return ordinal }
            }
            place = Table.next(place, capacity)
        }
    }

    /// Adds an id that `find` does not know. Sequencer only.
    func insert(hash: UInt64, ordinal: UInt32) {
        let number = Int(hash >> 58)
        var table = table(hash)
        if used[number] >= table.capacity / 4 &* 3 { table = rebuild(number, table) }
        if IdIndex.place(UInt64(UInt32(truncatingIfNeeded: hash)) << 32 | UInt64(ordinal &+ 1), in: table) == 0 { used[number] += 1 }
        live[number] += 1
        release()
    }

    /// Takes an id out: `find` no longer knows it, but a reader may have found it just before. Sequencer only.
    func remove(hash: UInt64, ordinal: UInt32) {
        let number = Int(hash >> 58), table = table(hash), capacity = table.capacity
        let entry = UInt64(UInt32(truncatingIfNeeded: hash)) << 32 | UInt64(ordinal &+ 1)
        var place = Table.first(UInt32(truncatingIfNeeded: hash), capacity)
        while table.entry(place).pointee.load(ordering: .relaxed) != entry { place = Table.next(place, capacity) }
        live[number] -= 1
        guard table.entry(Table.next(place, capacity)).pointee.load(ordering: .relaxed) == 0 else {
            return table.entry(place).pointee.store(IdIndex.tombstone, ordering: .releasing)
        }
        repeat {
            table.entry(place).pointee.store(0, ordering: .releasing)
            used[number] -= 1
            place = Table.previous(place, capacity)
        } while table.entry(place).pointee.load(ordering: .relaxed) == IdIndex.tombstone
    }

    /// Puts an entry in the first free place; answers what was there, 0 or a tombstone.
    private static func place(_ entry: UInt64, in table: Table) -> UInt64 {
        let capacity = table.capacity
        var place = Table.first(UInt32(truncatingIfNeeded: entry >> 32), capacity)
        while true {
            let held = table.entry(place).pointee.load(ordering: .relaxed)
            if UInt32(truncatingIfNeeded: held) == 0 {
                table.entry(place).pointee.store(entry, ordering: .releasing)
                return held
            }
            place = Table.next(place, capacity)
        }
    }

    /// Half as large again, or of the same size where the tombstones were too many.
    private func rebuild(_ number: Int, _ old: Table) -> Table {
        let capacity = old.capacity, next = live[number] >= capacity / 8 &* 5 ? capacity / 2 * 3 : capacity
        let rebuilt = makeTable(capacity: next)
        let table = Table(bits: UInt(bitPattern: rebuilt))
        for place in 0..<capacity {
            let entry = old.entry(place).pointee.load(ordering: .relaxed)
            if UInt32(truncatingIfNeeded: entry) != 0 { _ = IdIndex.place(entry, in: table) }
        }
        used[number] = live[number]
        tables[number].store(UInt(bitPattern: rebuilt), ordering: .releasing)
        retired.append((old.words, epochs.advance()))
        return table
    }

    /// Frees outgrown tables that no reader can hold any more.
    private func release() {
        guard !retired.isEmpty, epochs.isPast(retired[0].epoch) else { return }
        free(retired.removeFirst().table)
    }
}
