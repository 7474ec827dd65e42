import CKernels

/// Counts how often unknown ids were seen, in fixed memory: a count-min sketch (Cormode and Muthukrishnan 2005) with
/// conservative update (Estan and Varghese 2002) of 4-bit counters, the four of an id within one line of 64 bytes.
///
/// An estimate is never less than the truth, up to 15, but for what was halved away. The counters are halved in turn, a line for
/// every 32 sightings, so that what was seen long ago counts ever less: after 32 sightings for each line, every counter was
/// halved once. Never all at once, and a function of the sightings alone.
///
/// Thread safety: the sequencer's.
final class Sightings {
    /// Sightings after which the next line is halved. A line then gets about 128 increments between two halvings, one a counter.
    private static let sightingsPerLine = 32
    private static let wordsPerLine = 8
    private static let most: UInt64 = 15

    /// A power of two.
    private let lines: Int
    private let words: UnsafeMutablePointer<UInt64>
    /// Sightings since the start: which line is halved next.
    private(set) var seen: UInt64 = 0
    /// Words whose changes a capture wants noted, and where.
    private var noted = 0..<0
    private var undo: UnsafeMutablePointer<IdUndo>?

    /// - Parameter bytes: at most; at least one line.
    init(bytes: Int) {
        let wanted = max(bytes / 64, 1)
        lines = 1 << (Int.bitWidth - 1 - wanted.leadingZeroBitCount)
        let memory = mapMemory(lines * 64)
        words = memory.bindMemory(to: UInt64.self, capacity: lines * Sightings.wordsPerLine)
    }

    deinit { fk_unmap(words, lines * 64) }

    var bytes: Int { lines * 64 }

    /// The four counters of an id: one in each quarter of its line.
    @inline(__always)
    private func places(_ hash: UInt64) -> (line: UnsafeMutablePointer<UInt64>, choice: UInt64) {
        let mixed = mix64(hash)
        return (words + Int(mixed & UInt64(lines - 1)) * Sightings.wordsPerLine, mix64(mixed))
    }

    /// The number of the n-th counter within a line, 0…127: each of the four has a quarter of the line to itself.
    @inline(__always)
    private static func counter(_ choice: UInt64, _ number: Int) -> Int { number * 32 + Int(choice >> UInt64(8 * number) & 31) }

    @inline(__always)
    private static func read(_ line: UnsafeMutablePointer<UInt64>, _ counter: Int) -> UInt64 {
        line[counter >> 4] >> UInt64(4 * (counter & 15)) & most
    }

    /// Counts one sighting; answers how many there were, this one included.
    func add(_ hash: UInt64) -> Int {
        age()
        let (line, choice) = places(hash)
        let least = (0..<4).reduce(Sightings.most) { min($0, Sightings.read(line, Sightings.counter(choice, $1))) }
        guard least < Sightings.most else { return Int(least) }
        for number in 0..<4 {
            let counter = Sightings.counter(choice, number)
            guard Sightings.read(line, counter) == least else { continue }
            note(line + (counter >> 4))
            line[counter >> 4] += 1 << UInt64(4 * (counter & 15))
        }
        return Int(least) + 1
    }

    private func age() {
        seen += 1
        guard seen % UInt64(Sightings.sightingsPerLine) == 0 else { return }
        let line = Int(seen / UInt64(Sightings.sightingsPerLine)) & (lines - 1)
        for word in line * Sightings.wordsPerLine..<(line + 1) * Sightings.wordsPerLine {
            note(words + word)
            words[word] = words[word] >> 1 & 0x7777_7777_7777_7777
        }
    }

    // MARK: Snapshot

    /// The sketch's area in the log of changes, behind those of ids.
    static let undoArea = RowSide.allCases.count

    private func note(_ place: UnsafeMutablePointer<UInt64>) {
        let word = place - words
        guard noted.contains(word) else { return }
        undo?.pointee.note(Sightings.undoArea, UInt32(truncatingIfNeeded: word), place.pointee, pieceBits: IdUndo.wordBits)
    }

    /// From here on, changes of the bytes in `range` are noted. While the sequencer stands.
    func noteChanges(of range: Range<Int>, in undo: UnsafeMutablePointer<IdUndo>) {
        noted = range.lowerBound / 8..<range.upperBound / 8
        self.undo = undo
    }

    /// Puts back what a copy of the bytes from `start` on has of changes noted.
    static func undo(_ changes: IdUndo.Chain, in copy: UnsafeMutableRawBufferPointer, from start: Int) -> IdUndo.Spent {
        changes.forEach { copy.storeBytes(of: $0.old, toByteOffset: Int($0.number) * 8 - start, as: UInt64.self) }
    }

    var contents: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: words, count: bytes) }

    /// Goes on after a restored state: takes up a part of the counters. Before any thread starts.
    func restore(seen: UInt64, at offset: Int, _ part: UnsafeRawBufferPointer) {
        self.seen = seen
        UnsafeMutableRawPointer(words).advanced(by: offset).copyMemory(from: part.baseAddress!, byteCount: part.count)
    }
}
