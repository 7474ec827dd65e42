/// `hofm`, the higher-order factorisation machine (Blondel et al. 2016): Σ_m Σ_f A_m(v^{(m)}_{·f}, x) for the orders m = 2…o,
/// A_m being the sum over all sets of m features of the product of their x v (the ANOVA kernel).
///
/// A row is the vectors of all orders, one after the other. For one order and one f write z_a = x_a v_a,f and e_t for the
/// elementary symmetric polynomial of degree t in the z of the user's side. With the item's q,
/// A_m = e_m + q e_{m−1}: the query is e_{m−1}, the constant e_m. e_t follows from e_t ← e_t + z e_{t−1}, row by row; what
/// remains of e_t without row a is ē_t = e_t − z_a ē_{t−1}. Both in double, since the second subtracts.
enum HigherOrderMachine {
    /// Ranks of the orders 2, 3, ….
    static func ranks(_ settings: ModelSettings) -> [Int] {
        settings.ranks.isEmpty ? Array(repeating: settings.rank, count: settings.order - 1) : settings.ranks
    }

    /// Scratch: e_0…e_m of every order in double, then a row and a gradient in float.
    static func layout(_ settings: ModelSettings) -> KindLayout {
        let ranks = ranks(settings), rank = ranks.reduce(0, +)
        let sums = ranks.enumerated().reduce(0) { $0 + ($1.offset + 3) * $1.element }
        return KindLayout(sideRank: rank, itemRank: rank, scratch: 2 * sums + 2 * KindLayout.padded(rank))
    }

    private static func sums(_ side: UserSide) -> UnsafeMutablePointer<Double> {
        UnsafeMutableRawPointer(side.scratch).assumingMemoryBound(to: Double.self)
    }

    /// The two float vectors at the end of the scratch.
    private static func vectors(_ side: UserSide) -> (row: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Float>) {
        let width = side.model.width, end = side.scratch + side.model.layout.scratch
        return (end - 2 * width, end - width)
    }

    static func fold(_ side: UserSide) -> Float {
        let model = side.model, width = model.width, orders = model.orderRanks
        let row = vectors(side).row
        var block = sums(side)
        for place in 0..<orders.count {
            block.update(repeating: 1, count: orders[place])
            (block + orders[place]).update(repeating: 0, count: (place + 2) * orders[place])
            block += (place + 3) * orders[place]
        }
        for index in 0..<side.rowCount {
            model.kernels.copy(row, side.rows[index].factors, width)
            let x = Double(side.rows[index].x)
            var values = row, block = sums(side)
            for place in 0..<orders.count {
                let rank = orders[place]
                for t in stride(from: place + 2, to: 0, by: -1) {
                    let sum = block + t * rank, lower = block + (t - 1) * rank
                    for f in 0..<rank { sum[f] += x * Double(values[f]) * lower[f] }
                }
                values += rank
                block += (place + 3) * rank
            }
        }
        var constant = 0.0, query = side.query
        block = sums(side)
        for place in 0..<orders.count {
            let rank = orders[place], top = block + (place + 2) * rank, below = block + (place + 1) * rank
            for f in 0..<rank {
                query[f] = Float(below[f])
                constant += top[f]
            }
            query += rank
            block += (place + 3) * rank
        }
        return Float(constant)
    }

    /// ∂query_f/∂v_a,f = x_a ē_{m−2}, of which the largest e_{m−2} of the side is taken; e_0 is 1.
    static func queryRate(_ side: UserSide, rows: Float) -> Float {
        let orders = side.model.orderRanks
        var largest = 1.0, block = sums(side)
        for place in 0..<orders.count {
            let rank = orders[place], below = block + place * rank
            for f in 0..<rank { largest = max(largest, below[f] * below[f]) }
            block += (place + 3) * rank
        }
        return rows * Float(largest)
    }

    /// ∂/∂v_a,f = x_a (G_f ē_{m−2} + Σe ē_{m−1}).
    static func backPropagate(
        _ side: UserSide, _ gradient: UnsafePointer<Float>, error: Float, from first: Int, _ stepper: inout RowStepper
    ) {
        let model = side.model, width = model.width, orders = model.orderRanks
        let (row, own) = vectors(side)
        own.update(repeating: 0, count: width)
        for index in first..<side.rowCount {
            model.kernels.copy(row, side.rows[index].factors, width)
            let x = Double(side.rows[index].x)
            var offset = 0, block = sums(side)
            for place in 0..<orders.count {
                let rank = orders[place]
                for f in 0..<rank {
                    let z = x * Double(row[offset + f])
                    var below = 0.0, without = 1.0
                    for t in 1...(place + 1) {
                        below = without
                        without = block[t * rank + f] - z * without
                    }
                    own[offset + f] = Float(Double(gradient[offset + f]) * below + Double(error) * without)
                }
                offset += rank
                block += (place + 3) * rank
            }
            stepper.step(side.rows[index], own, error: error)
        }
    }
}
