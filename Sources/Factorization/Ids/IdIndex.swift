import CKernels
import Synchronization

/// From an id's hash to its ordinal: 64 open-addressing tables of 8-byte entries (32-bit tag, ordinal + 1), each grown on
/// its own so that no growth stops the stream for long.
///
/// Table choice takes the hash's top bits, tag and place its low 32 bits, so a table grows without seeing the ids again.
///
/// Thread safety: `insert` belongs to the sequencer; `find` is lock-free from any thread inside `ReaderEpochs.reading`
/// (or on the sequencer's own thread).
final class IdIndex: @unchecked Sendable {
    /// A table's first word is its mask, the entries follow. 0 is an empty entry.
    private typealias Entry = Atomic<UInt64>
    private struct Table {
        let words: UnsafeMutablePointer<Entry>
        init(bits: UInt) { words = UnsafeMutablePointer(bitPattern: bits).unsafelyUnwrapped }
        @inline(__always) var mask: UInt32 { UInt32(truncatingIfNeeded: words[0].load(ordering: .relaxed)) }
        @inline(__always) func entry(_ place: UInt32) -> UnsafeMutablePointer<Entry> { words + 1 + Int(place) }
    }

    private static let tableCount = 64
    private static let firstCapacity: UInt32 = 64
    /// Address of each table; written by the sequencer, released to readers.
    private let tables: UnsafeMutablePointer<Atomic<UInt>>
    /// Entries in use, by table. Sequencer only.
    private var used = [UInt32](repeating: 0, count: IdIndex.tableCount)
    /// Outgrown tables that readers may still hold. Sequencer only.
    private var retired: [(table: UnsafeMutablePointer<Atomic<UInt64>>, epoch: UInt64)] = []
    private let epochs: ReaderEpochs
    private let mapped = Atomic<Int>(0)

    init(epochs: ReaderEpochs) {
        self.epochs = epochs
        tables = .allocate(capacity: IdIndex.tableCount)
        for index in 0..<IdIndex.tableCount {
            (tables + index).initialize(to: Atomic(UInt(bitPattern: IdIndex.makeTable(capacity: IdIndex.firstCapacity))))
        }
        mapped.store(IdIndex.tableCount * (Int(IdIndex.firstCapacity) + 1) * 8, ordering: .relaxed)
    }

    deinit {
        for index in 0..<IdIndex.tableCount {
            Table(bits: tables[index].load(ordering: .relaxed)).words.deallocate()
        }
        for old in retired { old.table.deallocate() }
        tables.deallocate()
    }

    /// Bytes of all tables.
    var bytes: Int { mapped.load(ordering: .relaxed) }

    private static func makeTable(capacity: UInt32) -> UnsafeMutablePointer<Entry> {
        let words = UnsafeMutablePointer<Entry>.allocate(capacity: Int(capacity) + 1)
        words.initialize(to: Atomic(UInt64(capacity - 1)))
        for place in 1...Int(capacity) { (words + place).initialize(to: Atomic(0)) }
        return words
    }

    @inline(__always)
    private func table(_ hash: UInt64) -> Table { Table(bits: tables[Int(hash >> 58)].load(ordering: .acquiring)) }

    @inline(__always)
    func prefetch(hash: UInt64) {
        let table = table(hash)
        fk_prefetch(table.entry(UInt32(truncatingIfNeeded: hash) & table.mask))
    }

    /// The ordinal whose tag fits and for which `matches` is true, or `Placement.none`.
    @inline(__always)
    func find(hash: UInt64, matches: (UInt32) -> Bool) -> UInt32 {
        let table = table(hash)
        let tag = UInt32(truncatingIfNeeded: hash), mask = table.mask
        var place = tag & mask
        while true {
            let entry = table.entry(place).pointee.load(ordering: .acquiring)
            if entry == 0 { return Placement.none }
            if UInt32(truncatingIfNeeded: entry >> 32) == tag {
                let ordinal = UInt32(truncatingIfNeeded: entry) &- 1
                if matches(ordinal) { return ordinal }
            }
            place = (place &+ 1) & mask
        }
    }

    /// Adds an id that `find` does not know. Sequencer only.
    func insert(hash: UInt64, ordinal: UInt32) {
        let number = Int(hash >> 58)
        var table = table(hash)
        if used[number] >= (table.mask &+ 1) / 4 &* 3 { table = grow(number, table) }
        IdIndex.place(UInt64(UInt32(truncatingIfNeeded: hash)) << 32 | UInt64(ordinal &+ 1), in: table)
        used[number] += 1
        release()
    }

    private static func place(_ entry: UInt64, in table: Table) {
        let mask = table.mask
        var place = UInt32(truncatingIfNeeded: entry >> 32) & mask
        while table.entry(place).pointee.load(ordering: .relaxed) != 0 { place = (place &+ 1) & mask }
        table.entry(place).pointee.store(entry, ordering: .releasing)
    }

    private func grow(_ number: Int, _ old: Table) -> Table {
        let capacity = old.mask + 1
        let grown = IdIndex.makeTable(capacity: capacity * 2)
        let table = Table(bits: UInt(bitPattern: grown))
        for place in 0..<capacity {
            let entry = old.entry(place).pointee.load(ordering: .relaxed)
            if entry != 0 { IdIndex.place(entry, in: table) }
        }
        tables[number].store(UInt(bitPattern: grown), ordering: .releasing)
        retired.append((old.words, epochs.advance()))
        mapped.add(Int(capacity) * 2 * 8, ordering: .relaxed)
        return table
    }

    /// Frees outgrown tables that no reader can hold any more.
    private func release() {
        guard !retired.isEmpty, epochs.isPast(retired[0].epoch) else { return }
        let old = retired.removeFirst()
        mapped.subtract((Int(old.table[0].load(ordering: .relaxed)) + 2) * 8, ordering: .relaxed)
        old.table.deallocate()
    }
}
