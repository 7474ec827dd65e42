/// Draws an index in proportion to weights, in constant time (Walker 1977, Vose 1991).
struct AliasTable: Sendable {
    private struct Cell {
        /// Part of the cell, of 2^32, that is its own index's.
        var own: UInt32
        var other: UInt32
    }
    private var cells: [Cell]

    /// - Precondition: at least one weight, none negative, a positive sum.
    init(weights: [Double]) {
        let count = weights.count
        let sum = weights.reduce(0, +)
        precondition(count >= 1 && sum > 0, "an alias table needs weights")
        cells = (0..<count).map { Cell(own: .max, other: UInt32($0)) }
        var scaled = weights.map { $0 * Double(count) / sum }
        var small = scaled.indices.filter { scaled[$0] < 1 }
        var large = scaled.indices.filter { scaled[$0] >= 1 }
        while let less = small.popLast(), let more = large.last {
            cells[less] = Cell(own: UInt32(min(scaled[less] * 0x1p32, 0x1p32 - 1)), other: UInt32(more))
            scaled[more] -= 1 - scaled[less]
            if scaled[more] < 1 {
                large.removeLast()
                small.append(more)
            }
        }
        // What rounding leaves over keeps its whole cell.
    }

    @inline(__always)
    func draw(_ random: inout RandomSource) -> Int {
        let bits = random.next()
        // The upper half chooses the cell, the lower half the side: their product with the count splits cleanly.
        let product = (bits >> 32) &* UInt64(cells.count)
        let index = Int(product >> 32)
        let cell = cells[index]
        return UInt32(truncatingIfNeeded: bits) <= cell.own ? index : Int(cell.other)
    }
}
