/// `hofm`, the higher-order factorisation machine (Blondel et al. 2016): Σ_m Σ_f A_m(v^{(m)}_{·f}, x) for the orders m = 2…o,
/// A_m being the sum over all sets of m features of the product of their x v (the ANOVA kernel).
///
/// A row is the vectors of all orders, one after the other. For one order and one f write z_a = x_a v_a,f and e_t for the
/// elementary symmetric polynomial of degree t in the z of the user's side. With the item's q,
/// A_m = e_m + q e_{m−1}: the query is e_{m−1}, the constant e_m. e_t follows from e_t ← e_t + z e_{t−1}, row by row; what
/// remains of e_t without row a is ē_t = e_t − z_a ē_{t−1}. Both in double, since the second subtracts.
///
/// An item with attributes has polynomials E_t of its own rows, and A_m of both sides together is Σ_t e_{m−t} E_t: b is E_m,
/// z is E_1 of every order in the places of the item's row, behind it E_2…E_{m−1} order by order, and the query has
/// e_{m−2}…e_1 there. Only items with attributes read so far.
enum HigherOrderMachine {
    /// Ranks of the orders 2, 3, ….
    static func ranks(_ settings: ModelSettings) -> [Int] {
        settings.ranks.isEmpty ? Array(repeating: settings.rank, count: settings.order - 1) : settings.ranks
    }

    /// Scratch: e_0…e_m of every order in double, then a row and a gradient in float.
    static func layout(_ settings: ModelSettings) -> KindLayout {
        let ranks = ranks(settings), rank = ranks.reduce(0, +)
        let sums = ranks.enumerated().reduce(0) { $0 + ($1.offset + 3) * $1.element }
        let extra = ranks.enumerated().reduce(0) { $0 + $1.offset * $1.element }
        return KindLayout(
            sideRank: rank, itemRank: rank, queryExtra: extra, scratch: 2 * sums + 2 * KindLayout.padded(rank),
            itemScratch: 2 * sums + KindLayout.padded(rank))
    }

    static func sums(_ scratch: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Double> {
        UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Double.self)
    }

    /// e_0 = 1, all others 0: the polynomials of no rows.
    private static func start(_ sums: UnsafeMutablePointer<Double>, _ orders: [Int]) {
        var block = sums
        for place in 0..<orders.count {
            block.update(repeating: 1, count: orders[place])
            (block + orders[place]).update(repeating: 0, count: (place + 2) * orders[place])
            block += (place + 3) * orders[place]
        }
    }

    /// Takes a row, worth x, into the polynomials.
    private static func take(
        _ row: UnsafePointer<Float>, x: Double, into sums: UnsafeMutablePointer<Double>, _ orders: [Int]
    ) {
        var values = row, block = sums
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

    /// The two float vectors at the end of the scratch.
    static func vectors(_ side: UserSide) -> (row: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Float>) {
        let width = side.model.width, end = side.scratch + side.model.layout.scratch
        return (end - 2 * width, end - width)
    }

    static func fold(_ side: UserSide) -> Float {
        let model = side.model, width = model.width, orders = model.orderRanks
        let row = vectors(side).row, sums = sums(side.scratch)
        start(sums, orders)
        for index in 0..<side.rowCount {
            model.kernels.copy(row, side.rows[index].factors, width)
            take(row, x: Double(side.rows[index].x), into: sums, orders)
        }
        var constant = 0.0, query = side.query, extra = side.query + width
        var block = sums
        for place in 0..<orders.count {
            let rank = orders[place], top = block + (place + 2) * rank, below = block + (place + 1) * rank
            for f in 0..<rank {
                query[f] = Float(below[f])
                constant += top[f]
            }
            if side.meetsAttributes {
                for t in stride(from: place, to: 0, by: -1) {
                    for f in 0..<rank { extra[f] = Float(block[t * rank + f]) }
                    extra += rank
                }
            }
            query += rank
            block += (place + 3) * rank
        }
        return Float(constant)
    }

    /// ∂query_f/∂v_a,f = x_a ē_{m−2}, of which the largest e_{m−2} of the side is taken; e_0 is 1.
    static func queryRate(_ side: UserSide, rows: Float) -> Float {
        let orders = side.model.orderRanks
        var largest = 1.0, block = sums(side.scratch)
        for place in 0..<orders.count {
            let rank = orders[place], below = block + place * rank
            for f in 0..<rank { largest = max(largest, below[f] * below[f]) }
            block += (place + 3) * rank
        }
        return rows * Float(largest)
    }

    /// ∂/∂v_a,f = x_a (G_f ē_{m−2} + Σe ē_{m−1}), and where items with attributes are met, with G^t the part of G at E_t,
    /// x_a Σ_{t≥2} G^t_f ē_{m−t−1} more.
    static func backPropagate(
        _ side: UserSide, _ gradient: UnsafePointer<Float>, error: Float, from first: Int, _ stepper: inout RowStepper
    ) {
        let model = side.model, width = model.width, orders = model.orderRanks
        let (row, own) = vectors(side)
        own.update(repeating: 0, count: width)
        for index in first..<side.rowCount {
            model.kernels.copy(row, side.rows[index].factors, width)
            let x = Double(side.rows[index].x)
            var offset = 0, block = sums(side.scratch), extra = gradient + width
            for place in 0..<orders.count {
                let rank = orders[place]
                for f in 0..<rank {
                    let z = x * Double(row[offset + f])
                    var below = 0.0, without = 1.0, further = 0.0
                    for t in 1...(place + 1) {
                        // Now `without` is ē_{t−1}, which meets E_{m−t}: the extra block number m − t − 2, for t < m − 1.
                        if side.meetsAttributes && t <= place { further += Double(extra[(place - t) * rank + f]) * without }
                        below = without
                        without = block[t * rank + f] - z * without
                    }
                    own[offset + f] = Float(Double(gradient[offset + f]) * below + Double(error) * without + further)
                }
                offset += rank
                if side.meetsAttributes { extra += place * rank }
                block += (place + 3) * rank
            }
            stepper.step(side.rows[index], own, error: error)
        }
    }

    /// Scratch: E_0…E_m of every order in double, then a row in float.
    static func foldItem(_ side: ItemSide) -> Float {
        let model = side.model, width = model.width, orders = model.orderRanks
        let sums = sums(side.scratch), row = side.scratch + model.layout.itemScratch - width
        start(sums, orders)
        for index in 0..<side.rowCount {
            model.kernels.copy(row, side.rows[index].factors, width)
            take(row, x: Double(side.rows[index].x), into: sums, orders)
        }
        var constant = 0.0, z = side.z, extra = side.z + width, block = sums
        for place in 0..<orders.count {
            let rank = orders[place]
            for f in 0..<rank {
                z[f] = Float(block[rank + f])
                constant += block[(place + 2) * rank + f]
            }
            for t in 2..<(place + 2) {
                for f in 0..<rank { extra[f] = Float(block[t * rank + f]) }
                extra += rank
            }
            z += rank
            block += (place + 3) * rank
        }
        return Float(constant)
    }

    /// ∂/∂q_b,f = x_b (Σ_{t<m} G^t_f Ē_{t−1} + e Ē_{m−1}), Ē without row b and G^t the part of G at E_t.
    static func backPropagateItem(_ side: ItemSide, _ gradient: UnsafePointer<Float>, error: Float) {
        let model = side.model, width = model.width, orders = model.orderRanks
        let row = side.scratch + model.layout.itemScratch - width
        for index in 0..<side.rowCount {
            model.kernels.copy(row, side.rows[index].factors, width)
            let x = Double(side.rows[index].x), own = side.gradient(index)
            own.update(repeating: 0, count: width)
            var offset = 0, block = sums(side.scratch), extra = gradient + width
            for place in 0..<orders.count {
                let rank = orders[place]
                for f in 0..<rank {
                    let z = x * Double(row[offset + f])
                    var without = 1.0, sum = Double(gradient[offset + f])
                    for t in 1...(place + 1) {
                        without = block[t * rank + f] - z * without
                        // Ē_t stands with G^{t+1}, and the last one with e.
                        sum += without * (t <= place ? Double(extra[(t - 1) * rank + f]) : Double(error))
                    }
                    own[offset + f] = Float(x * sum)
                }
                offset += rank
                extra += place * rank
                block += (place + 3) * rank
            }
        }
    }
}
