import CKernels
import Synchronization

/// The rows of a table once more, small: what the first pass of retrieval reads instead of them (`fk_scan.h`).
///
/// **Fresh.** Each row has a mark: 1 while the copy is what the row is. Whoever has written rows says so with `touch`, after
/// the writes and before the position is published: a full fence, then marks that are 1 become 0. Whoever scans looks at the marks
/// first, and makes blocks of 64 rows fresh under their lock: marks become 1, a full fence, then the rows are read and copied. Of
/// these two, by their fences, at least one sees the other's first half: either the row that is copied is the one that was
/// written, or the mark ends as 0. So no scan that begins after a position is published takes an older copy for fresh, and a
/// row that is not fresh is scored in floats.
///
/// **Torn.** A block's version is odd while somebody copies rows into it. A scan notes the version before it looks at marks,
/// and looks again after it has read the copy: where it has changed, or was odd, the block's rows are scored in floats.
///
/// Rows are copied where a scan wants them, so learning pays for a mark and nothing else; memory comes with the first scan.
///
/// Thread safety: any thread. The bytes of the copy are raced on purpose and touched only by the scan's kernels, as the floats of
/// rows are; marks and versions are atomics.
final class RowCopy: Sendable {
    /// Rows that share a version, and a line of marks.
    static let block = 64
    private static let roundRows = 1 << Int(Placement.roundBits)
    private static let versionOffset = roundRows
    private static let coarseOffset = 1 << 21

    let width: Int
    let scans: Scans
    private let coarseBytes: Int
    private let fineBytes: Int
    private let fineOffset: Int
    private let roundBytes: Int
    /// Where rounds of 262,144 consecutive ordinals lie; 0 for those that no scan has met. Stored under `mapping`, for anyone.
    nonisolated(unsafe) private let directory: UnsafeMutablePointer<Atomic<UInt>>
    private static let roundCount = 1 << (32 - Int(Placement.roundBits))
    private static let directoryBytes = roundCount * MemoryLayout<Atomic<UInt>>.stride
    private let mapping = Atomic<Bool>(false)
    /// Rows that scans have met; for reports.
    private let reach = Atomic<Int>(0)

    /// Bytes of a row in the copy, its mark and its part of a version included.
    static func rowBytes(width: Int) -> Int { (fk_coarse_bytes(width) + fk_fine_bytes(width)) / Int(fk_tile_rows) + 2 }

    init(width: Int, kernels: Kernels) {
        self.width = width
        scans = Scans.beside(kernels)
        let tiles = RowCopy.roundRows / RowCopy.tileRows
        coarseBytes = fk_coarse_bytes(width)
        fineBytes = fk_fine_bytes(width)
        fineOffset = (RowCopy.coarseOffset + tiles * coarseBytes + 1 << 21) & ~(1 << 21 - 1)
        roundBytes = fineOffset + tiles * fineBytes
        directory = RowCopy.map(RowCopy.directoryBytes).bindMemory(to: Atomic<UInt>.self, capacity: RowCopy.roundCount)
    }

    deinit {
        for round in 0..<RowCopy.roundCount {
            guard let memory = UnsafeMutableRawPointer(bitPattern: directory[round].load(ordering: .relaxed)) else { break }
            fk_unmap(memory, roundBytes)
        }
        fk_unmap(directory, RowCopy.directoryBytes)
    }

    static let tileRows = Int(fk_tile_rows)

    private static func map(_ bytes: Int) -> UnsafeMutableRawPointer {
        let memory = mapMemory(bytes)
        return memory
    }

    /// Bytes of the rows that scans have met.
    var bytes: Int { reach.load(ordering: .relaxed) * RowCopy.rowBytes(width: width) }

    // MARK: Writers of rows

    /// Rows were written: their copies are no longer fresh. Before the position is published.
    @inline(__always)
    func touch(_ ordinals: UnsafePointer<UInt32>, count: Int) {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        // Without a copy there is nothing to mark; who makes one reads the rows after a fence of its own.
        guard reach.load(ordering: .relaxed) > 0 else { return }
        for index in 0..<count { mark(ordinals[index]) }
    }

    /// The same for one row.
    func touch(_ ordinal: UInt32) {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        mark(ordinal)
    }

    @inline(__always)
    private func mark(_ ordinal: UInt32) {
        // A round that no scan has met has no copies.
        guard let round = UnsafeMutableRawPointer(bitPattern: directory[Int(ordinal >> Placement.roundBits)].load(ordering: .acquiring)) else { return }
        let mark = round.assumingMemoryBound(to: Atomic<UInt8>.self) + Int(ordinal & (1 << Placement.roundBits - 1))
        // A line that several trainers mark stays with all of them while nothing changes.
        if mark.pointee.load(ordering: .relaxed) != 0 { mark.pointee.store(0, ordering: .relaxed) }
    }

    // MARK: Scans

    /// Makes room for the first `count` rows. A new round's rows are not fresh.
    func meet(_ count: Int) {
        guard count > reach.load(ordering: .relaxed) else { return }
        while mapping.exchange(true, ordering: .acquiring) { fk_yield() }
        defer { mapping.store(false, ordering: .releasing) }
        for round in 0...(count - 1) >> Int(Placement.roundBits) where directory[round].load(ordering: .relaxed) == 0 {
            let memory = RowCopy.map(roundBytes)
            fk_prefer_huge(memory + RowCopy.coarseOffset, roundBytes - RowCopy.coarseOffset)
            // From here on writers mark; what they wrote before, whoever copies sees, for a fence is between.
            directory[round].store(UInt(bitPattern: memory), ordering: .sequentiallyConsistent)
        }
        if count > reach.load(ordering: .relaxed) { reach.store(count, ordering: .relaxed) }
    }

    /// A round that `meet` made room for.
    func round(of ordinal: Int) -> Round {
        let memory = UnsafeMutableRawPointer(bitPattern: directory[ordinal >> Int(Placement.roundBits)].load(ordering: .acquiring))
        return Round(memory.unsafelyUnwrapped, fineOffset: fineOffset, coarseBytes: coarseBytes, fineBytes: fineBytes)
    }

    /// One round, as plain words.
    struct Round {
        let marks: UnsafeMutablePointer<Atomic<UInt8>>
        let versions: UnsafeMutablePointer<Atomic<UInt32>>
        private let coarse: UnsafeMutablePointer<UInt8>
        private let fine: UnsafeMutablePointer<UInt8>
        private let coarseBytes: Int
        private let fineBytes: Int

        fileprivate init(_ memory: UnsafeMutableRawPointer, fineOffset: Int, coarseBytes: Int, fineBytes: Int) {
            marks = memory.assumingMemoryBound(to: Atomic<UInt8>.self)
            versions = (memory + RowCopy.versionOffset).assumingMemoryBound(to: Atomic<UInt32>.self)
            coarse = (memory + RowCopy.coarseOffset).assumingMemoryBound(to: UInt8.self)
            fine = (memory + fineOffset).assumingMemoryBound(to: UInt8.self)
            self.coarseBytes = coarseBytes
            self.fineBytes = fineBytes
        }

        /// The tile of a row, counted from the round's first.
        func tile(_ row: Int) -> (coarse: UnsafeMutablePointer<UInt8>, fine: UnsafeMutablePointer<UInt8>) {
            let tile = row / RowCopy.tileRows
            return (coarse + tile * coarseBytes, fine + tile * fineBytes)
        }
    }

    /// Whether all rows of so many blocks are fresh, which is the usual case.
    /// - Parameter versions: receives what a scan must find again.
    @inline(__always)
    func isFresh(_ round: Round, block: Int, count: Int, _ versions: UnsafeMutablePointer<UInt32>) -> Bool {
        var all: UInt32 = 0
        for index in 0..<count {
            versions[index] = round.versions[block + index].load(ordering: .relaxed)
            all |= versions[index]
        }
        atomicMemoryFence(ordering: .acquiring)
        guard all & 1 == 0, fk_all_fresh(round.marks + block * RowCopy.block, count * RowCopy.block) != 0 else { return false }
        // What was copied before a mark was set is seen with it, or the version is seen to have changed.
        atomicMemoryFence(ordering: .acquiring)
        return true
    }

    /// Makes the rows of a block of `table` fresh that are not, of its first `count`.
    /// - Parameter scratch: as many floats as a row has.
    /// - Returns: the version that a scan must find again after it has read the block; odd where another thread copies rows now.
    func freshen(
        _ round: Round, block: Int, first: UInt32, count: Int, of table: FactorTable, _ kernels: Kernels, _ scratch: UnsafeMutablePointer<Float>
    ) -> UInt32 {
        let version = round.versions + block, marks = round.marks + block * RowCopy.block
        let before = version.pointee.load(ordering: .acquiring)
        if before & 1 != 0 { return before }
        if isFresh(marks, count) {
            atomicMemoryFence(ordering: .acquiring)
            return before
        }
        guard version.pointee.compareExchange(expected: before, desired: before &+ 1, ordering: .acquiringAndReleasing).exchanged else { return 1 }
        atomicMemoryFence(ordering: .releasing)
        var stale: UInt64 = 0
        for row in 0..<count where marks[row].load(ordering: .relaxed) == 0 {
            stale |= 1 << UInt64(row)
            marks[row].store(1, ordering: .relaxed)
        }
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        while stale != 0 {
            let row = stale.trailingZeroBitCount
            stale &= stale - 1
            let ordinal = first + UInt32(row), number = block * RowCopy.block + row
            let (coarse, fine) = round.tile(number)
            scans.write(
                coarse, fine, number % RowCopy.tileRows, table.read(ordinal, count: width, scratch, kernels),
                fk_read_state(table.state(ordinal)).weight, width)
        }
        version.pointee.store(before &+ 2, ordering: .releasing)
        return before &+ 2
    }

    @inline(__always)
    private func isFresh(_ marks: UnsafeMutablePointer<Atomic<UInt8>>, _ count: Int) -> Bool {
        if count == RowCopy.block { return fk_all_fresh(marks, count) != 0 }
        for row in 0..<count where marks[row].load(ordering: .relaxed) == 0 { return false }
        return true
    }
}
