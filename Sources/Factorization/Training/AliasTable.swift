/// Draws from a fixed distribution in constant time (Walker 1977, built as Vose 1991): each column holds its own item up to
/// a threshold and one other item above it. 8 bytes an item.
///
/// Immutable once built, so that any thread may draw.
final class AliasTable: @unchecked Sendable {
    struct Column {
        /// The column's own item below, the other from here on; of 2³².
        var threshold: UInt32
        var other: UInt32
    }

    let count: Int
    let columns: UnsafeMutablePointer<Column>

    /// - Parameter weights: one an item, finite and not negative. Nil where their sum is not positive: nothing to draw.
    init?(weights: [Double]) {
        let sum = weights.reduce(0, +)
        guard sum > 0, sum.isFinite, weights.count <= Int(UInt32.max) else { return nil }
        count = weights.count
        columns = .allocate(capacity: count)
        var scaled = weights
        // Items with less than their share from the left, those with more from the right.
        var order = [UInt32](repeating: 0, count: count)
        var small = 0, large = count
        let scale = Double(count) / sum
        for item in 0..<count {
            scaled[item] *= scale
            columns[item] = Column(threshold: .max, other: UInt32(item))
            if scaled[item] < 1 {
                order[small] = UInt32(item)
                small += 1
            } else {
                large -= 1
                order[large] = UInt32(item)
            }
        }
        while small > 0, large < count {
            small -= 1
            let poor = Int(order[small]), rich = Int(order[large])
            columns[poor] = Column(threshold: AliasTable.threshold(scaled[poor]), other: UInt32(rich))
            scaled[rich] -= 1 - scaled[poor]
            if scaled[rich] < 1 {
                large += 1
                order[small] = UInt32(rich)
                small += 1
            }
        }
    }

    deinit { columns.deallocate() }

    private static func threshold(_ share: Double) -> UInt32 { UInt32(min(max(share, 0) * 0x1p32, 0x1p32 - 1)) }
}
