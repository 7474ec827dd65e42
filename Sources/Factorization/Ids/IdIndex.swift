import CKernels
import Synchronization

/// From an id's hash to its ordinal: 64 open-addressing tables of 8-byte entries (32-bit tag, ordinal + 1), each rebuilt on
/// its own so that no growth stops the stream for long.
///
/// Entries lie in lines of eight, 64 bytes that are searched at once. Table choice takes the hash's top bits, tag and line its low
/// 32 bits, so a table grows without seeing the ids again. The line is ⌊tag · lines / 2³²⌋, so that their number need not be a power
/// of two: a table grows by half and is never less than half full, 10.7 to 16 bytes an id. An id whose line is full lies in the next
/// one that is not: a search ends at a line with an empty entry.
///
/// That is why a line without one never gets one again: what is removed from it becomes a tombstone, which readers pass over and
/// insertions reuse. A table with too many is rebuilt.
///
/// Thread safety: `insert` and `remove` belong to the sequencer; `find` is lock-free from any thread inside
/// `ReaderEpochs.reading` (or on the sequencer's own thread).
final class IdIndex: @unchecked Sendable {
    /// A table's first line is for its number of lines, the entries follow. 0 is an empty entry; one without an ordinal is a tombstone.
    private typealias Entry = Atomic<UInt64>
    private struct Table {
        let words: UnsafeMutablePointer<Entry>
        init(bits: UInt) { words = UnsafeMutablePointer(bitPattern: bits).unsafelyUnwrapped }
        @inline(__always) var lines: UInt32 { UInt32(truncatingIfNeeded: words[0].load(ordering: .relaxed)) }
        @inline(__always) func line(_ number: UInt32) -> UnsafeMutablePointer<Entry> { words + (Int(number) &+ 1) &* IdIndex.lineEntries }
        @inline(__always)
        static func home(_ tag: UInt32, _ lines: UInt32) -> UInt32 { UInt32(truncatingIfNeeded: (UInt64(tag) &* UInt64(lines)) >> 32) }
        @inline(__always)
        static func next(_ number: UInt32, _ lines: UInt32) -> UInt32 { number &+ 1 == lines ? 0 : number &+ 1 }
    }

    private static let lineEntries = Int(fk_line_entries)
    static let tableCount = 64
    private static let firstLines: UInt32 = 8
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
            (tables + index).initialize(to: Atomic(UInt(bitPattern: makeTable(lines: IdIndex.firstLines))))
        }
    }

    deinit {
        for index in 0..<IdIndex.tableCount { free(Table(bits: tables[index].load(ordering: .relaxed)).words) }
        for old in retired { free(old.table) }
        tables.deallocate()
    }

    /// Bytes of all tables.
    var bytes: Int { mapped.load(ordering: .relaxed) }

    private static func bytes(_ lines: UInt32) -> Int { (Int(lines) + 1) * lineEntries * MemoryLayout<Entry>.stride }

    private func makeTable(lines: UInt32) -> UnsafeMutablePointer<Entry> {
        let bytes = IdIndex.bytes(lines), count = bytes / MemoryLayout<Entry>.stride
        let words = memory.take(bytes).bindMemory(to: Entry.self, capacity: count)
        words.initialize(to: Atomic(UInt64(lines)))
        for place in 1..<count { (words + place).initialize(to: Atomic(0)) }
        mapped.add(bytes, ordering: .relaxed)
        return words
    }

    private func free(_ words: UnsafeMutablePointer<Entry>) {
        let bytes = IdIndex.bytes(Table(bits: UInt(bitPattern: words)).lines)
        memory.give(words, bytes)
        mapped.subtract(bytes, ordering: .relaxed)
    }

    @inline(__always)
    private func table(_ hash: UInt64) -> Table { Table(bits: tables[Int(hash >> 58)].load(ordering: .acquiring)) }

    @inline(__always)
    func prefetch(hash: UInt64) {
        let table = table(hash)
        fk_bring(table.line(Table.home(UInt32(truncatingIfNeeded: hash), table.lines)))
    }

    /// The ordinal whose tag fits and for which `matches` is true, or `Placement.none`.
    @inline(__always)
    func find(hash: UInt64, matches: (UInt32) -> Bool) -> UInt32 {
        let table = table(hash)
        let tag = UInt32(truncatingIfNeeded: hash), lines = table.lines
        var number = Table.home(tag, lines)
        while true {
            let line = table.line(number), seen = fk_look_at_line(line, tag)
            var same = seen & 0xFF
            while same != 0 {
                // Again, as a whole and with all that was written before it.
                let entry = line[same.trailingZeroBitCount].load(ordering: .acquiring)
                let ordinal = UInt32(truncatingIfNeeded: entry) &- 1
                if UInt32(truncatingIfNeeded: entry >> 32) == tag && ordinal != Placement.none && matches(ordinal) { return ordinal }
                same &= same &- 1
            }
            if seen > 0xFF { return Placement.none }
            number = Table.next(number, lines)
        }
    }

    /// Adds an id that `find` does not know. Sequencer only.
    func insert(hash: UInt64, ordinal: UInt32) {
        let number = Int(hash >> 58)
        var table = table(hash)
        if used[number] >= table.lines &* 6 { table = rebuild(number, table) }
        if IdIndex.place(UInt64(UInt32(truncatingIfNeeded: hash)) << 32 | UInt64(ordinal &+ 1), in: table) == 0 { used[number] += 1 }
        live[number] += 1
        release()
    }

    /// Takes an id out: `find` no longer knows it, but a reader may have found it just before. Sequencer only.
    func remove(hash: UInt64, ordinal: UInt32) {
        let number = Int(hash >> 58), table = table(hash), lines = table.lines, tag = UInt32(truncatingIfNeeded: hash)
        let entry = UInt64(tag) << 32 | UInt64(ordinal &+ 1)
        var line = Table.home(tag, lines)
        while true {
            let entries = table.line(line)
            if let slot = (0..<IdIndex.lineEntries).first(where: { entries[$0].load(ordering: .relaxed) == entry }) {
                live[number] -= 1
                let isFull = fk_look_at_line(entries, tag) <= 0xFF
                if !isFull { used[number] -= 1 }
                return entries[slot].store(isFull ? IdIndex.tombstone : 0, ordering: .releasing)
            }
            line = Table.next(line, lines)
        }
    }

    /// Puts an entry in the first free place; answers what was there, 0 or a tombstone.
    private static func place(_ entry: UInt64, in table: Table) -> UInt64 {
        let lines = table.lines
        var number = Table.home(UInt32(truncatingIfNeeded: entry >> 32), lines)
        while true {
            let line = table.line(number)
            for slot in 0..<lineEntries {
                let held = line[slot].load(ordering: .relaxed)
                if UInt32(truncatingIfNeeded: held) == 0 {
                    line[slot].store(entry, ordering: .releasing)
                    return held
                }
            }
            number = Table.next(number, lines)
        }
    }

    /// Half as large again, or of the same size where the tombstones were too many.
    private func rebuild(_ number: Int, _ old: Table) -> Table {
        let lines = old.lines, next = live[number] >= lines &* 5 ? lines + lines / 2 : lines
        let rebuilt = makeTable(lines: next)
        let table = Table(bits: UInt(bitPattern: rebuilt))
        for line in 0..<lines {
            for slot in 0..<IdIndex.lineEntries {
                let entry = old.line(line)[slot].load(ordering: .relaxed)
                if UInt32(truncatingIfNeeded: entry) != 0 { _ = IdIndex.place(entry, in: table) }
            }
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
