import CKernels
import Synchronization

/// What one scan is about, for all that take part in it. Set up by the scorer before any helper joins, read only after.
struct ScanTask {
    let table: FactorTable
    let copy: RowCopy
    let kernels: Kernels
    let query: ScanQuery
    /// Rows of the catalogue.
    let count: Int
    /// Where items have attributes: their scores, made ready for the query. Nil where none has.
    let attributes: AttributeScores?
}

/// One thread's part of a scan: goes over stretches of rows and says which may reach a threshold. Scratch of that thread.
final class ScanPart {
    /// Rows of a stretch.
    static let stretch = 1024
    private static let blocks = stretch / RowCopy.block

    /// What the last stretch gave: ordinals, and bounds above their scores; NaN or infinity where nothing is known.
    let rows: UnsafeMutablePointer<UInt32>
    let bounds: UnsafeMutablePointer<Float>
    private let versions: UnsafeMutablePointer<UInt32>
    private let floats: UnsafeMutablePointer<Float>

    init(width: Int) {
        rows = .allocate(capacity: ScanPart.stretch)
        bounds = .allocate(capacity: ScanPart.stretch)
        versions = .allocate(capacity: ScanPart.blocks)
        floats = .allocate(capacity: width)
    }

    deinit {
        rows.deallocate()
        bounds.deallocate()
        versions.deallocate()
        floats.deallocate()
    }

    /// Goes over the rows from `first`, a multiple of the stretch, to its end or the catalogue's; answers how many may reach
    /// `threshold`. With attributes inside `ReaderEpochs.reading`.
    func scan(_ task: ScanTask, from first: Int, threshold: Float) -> Int {
        let rowCount = min(ScanPart.stretch, task.count - first), blockCount = (rowCount + RowCopy.block - 1) / RowCopy.block
        let round = task.copy.round(of: first), row = first & (1 << Int(Placement.roundBits) - 1), firstBlock = row / RowCopy.block
        let isFresh = rowCount == ScanPart.stretch && task.copy.isFresh(round, block: firstBlock, count: blockCount, versions)
        for block in 0..<(isFresh ? 0 : blockCount) {
            versions[block] = task.copy.freshen(
                round, block: firstBlock + block, first: UInt32(first + block * RowCopy.block),
                count: min(RowCopy.block, rowCount - block * RowCopy.block), of: task.table, task.kernels, floats)
        }
        let (coarse, fine) = round.tile(row)
        // Attributes are added to a bound before it is compared.
        let limit = task.attributes == nil ? threshold : -Float.infinity
        let tiles = (rowCount + RowCopy.tileRows - 1) / RowCopy.tileRows
        var found = task.copy.scans.scan(task.query.words, coarse, fine, tiles, limit, UInt32(first), rows, bounds)
        // Of a tile that is not full.
        while found > 0 && rows[found - 1] >= UInt32(task.count) { found -= 1 }
        atomicMemoryFence(ordering: .acquiring)
        for block in 0..<blockCount
        where versions[block] & 1 != 0 || round.versions[firstBlock + block].load(ordering: .relaxed) != versions[block] {
            found = doubt(UInt32(first + block * RowCopy.block), count: min(RowCopy.block, rowCount - block * RowCopy.block), found)
        }
        if let attributes = task.attributes { found = complete(attributes, found, threshold) }
        return found
    }

    /// Nothing is known of these rows: they come in place of what was found among them.
    private func doubt(_ first: UInt32, count: Int, _ found: Int) -> Int {
        var kept = 0
        for index in 0..<found where rows[index] < first || rows[index] >= first + UInt32(count) {
            (rows[kept], bounds[kept]) = (rows[index], bounds[index])
            kept += 1
        }
        for row in 0..<count { (rows[kept + row], bounds[kept + row]) = (first + UInt32(row), .infinity) }
        return kept + count
    }

    private func complete(_ attributes: AttributeScores, _ found: Int, _ threshold: Float) -> Int {
        var kept = 0
        for index in 0..<found {
            let bound = attributes.bound(rows[index], own: bounds[index])
            // Also where it is no number.
            guard !(bound < threshold) else { continue }
            (rows[kept], bounds[kept]) = (rows[index], bound)
            kept += 1
        }
        return kept
    }
}
