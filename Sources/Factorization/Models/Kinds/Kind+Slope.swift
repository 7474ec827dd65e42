extension Kinds {
    /// How a score moves with one row of the user's side: ∂(constant + ⟨query, z⟩)/∂row, linear weights aside. A score of any
    /// kind is linear in each row by itself, so this is what multiplies the row in it. Writes no row; follows a `fold` of the
    /// same side, whose query and scratch still stand.
    /// - Parameters:
    ///   - index: the row's place in the side.
    ///   - z: the item's side, folded; as wide as the query where any item has attributes, as an item's row elsewhere.
    ///   - error: 1; with 0 what moves ⟨query, z⟩ alone.
    ///   - out: as wide as a row of the side.
    static func slope(
        _ side: UserSide, _ index: Int, _ z: UnsafePointer<Float>, error: Float = 1, into out: UnsafeMutablePointer<Float>
    ) {
        out.update(repeating: 0, count: side.model.layout.sideWidth)
        switch side.model.settings.kind {
        case .mf: side.model.kernels.add(out, z, side.rows[index].x, side.model.width)
        case .fm: FactorizationMachine.slope(side, index, z, error: error, into: out)
        case .gfm: GeneralizedMachine.slope(side, index, z, error: error, into: out)
        case .bilinear: Bilinear.slope(side, index, z, error: error, into: out)
        case .hofm: HigherOrderMachine.slope(side, index, z, error: error, into: out)
        case .ffm: FieldAwareMachine.slope(side, index, z, error: error, into: out)
        }
    }
}

extension FactorizationMachine {
    /// x_a (z + p − x_a v_a).
    static func slope(
        _ side: UserSide, _ index: Int, _ z: UnsafePointer<Float>, error: Float, into out: UnsafeMutablePointer<Float>
    ) {
        let kernels = side.model.kernels, width = side.model.width, row = side.rows[index]
        kernels.add(out, z, row.x, width)
        kernels.add(out, side.query, row.x * error, width)
        kernels.add(out, row.factors, -row.x * row.x * error, width)
    }
}

extension GeneralizedMachine {
    /// x_a (½ z + ½ swap(S − x_a [u_a; v_a])); the query is ½ S.
    static func slope(
        _ side: UserSide, _ index: Int, _ z: UnsafePointer<Float>, error: Float, into out: UnsafeMutablePointer<Float>
    ) {
        let kernels = side.model.kernels, rank = side.model.settings.rank, row = side.rows[index], half = 0.5 * row.x
        kernels.add(out, z, half, side.model.width)
        for (own, other) in [(0, rank), (rank, 0)] {
            kernels.add(out + own, side.query + other, row.x * error, rank)
            kernels.add(out + own, row.factors + other, -half * row.x * error, rank)
        }
    }
}

extension Bilinear {
    /// x_a (W z + w_u), and with `symmetric` x_a (M p − x_a M v_a) more.
    static func slope(
        _ side: UserSide, _ index: Int, _ z: UnsafePointer<Float>, error: Float, into out: UnsafeMutablePointer<Float>
    ) {
        let model = side.model, kernels = model.kernels, width = model.width, parameters = model.parameters!
        let row = side.rows[index], copy = side.scratch + 2 * width, image = side.scratch + 3 * width
        let matrix = parameters.floats(0)
        if model.settings.symmetric {
            transposed(model, z, into: image)
        } else {
            image.update(repeating: 0, count: width)
            for r in 0..<model.settings.rank { image[r] = kernels.dot(matrix + r * width, z, width) }
        }
        kernels.add(out, image, row.x, width)
        kernels.add(out, parameters.floats(1), row.x * error, width)
        guard model.settings.symmetric else { return }
        kernels.add(out, side.scratch + width, row.x * error, width)
        kernels.copy(copy, row.factors, width)
        transposed(model, copy, into: image)
        kernels.add(out, image, -row.x * row.x * error, width)
    }
}

extension HigherOrderMachine {
    /// x_a (z_f ē_{m−2} + ē_{m−1}), and where items with attributes are met x_a Σ_{t≥2} z^t_f ē_{m−t−1} more, as
    /// `backPropagate` has it.
    static func slope(
        _ side: UserSide, _ index: Int, _ z: UnsafePointer<Float>, error: Float, into out: UnsafeMutablePointer<Float>
    ) {
        let model = side.model, orders = model.orderRanks, row = vectors(side).row, x = Double(side.rows[index].x)
        model.kernels.copy(row, side.rows[index].factors, model.layout.sideWidth)
        var offset = 0, block = sums(side.scratch), extra = z + model.width
        for place in 0..<orders.count {
            let rank = orders[place]
            for f in 0..<rank {
                let own = x * Double(row[offset + f])
                var below = 0.0, without = 1.0, further = 0.0
                for t in 1...(place + 1) {
                    if side.meetsAttributes && t <= place { further += Double(extra[(place - t) * rank + f]) * without }
                    below = without
                    without = block[t * rank + f] - own * without
                }
                out[offset + f] = Float(x * (Double(z[offset + f]) * below + Double(error) * without + further))
            }
            offset += rank
            if side.meetsAttributes { extra += place * rank }
            block += (place + 3) * rank
        }
    }
}

extension FieldAwareMachine {
    /// Block `item` is x_a z[f(a)], block g x_a (S_g[f(a)] − [g = f(a)] x_a v_{a,g}).
    static func slope(
        _ side: UserSide, _ index: Int, _ z: UnsafePointer<Float>, error: Float, into out: UnsafeMutablePointer<Float>
    ) {
        let model = side.model, kernels = model.kernels, width = model.layout.sideWidth
        let rank = model.settings.rank, sideFields = model.layout.itemRank / rank
        let row = side.rows[index], field = field(row, model)
        kernels.add(out + sideFields * rank, z + field * rank, row.x, rank)
        for g in 0..<sideFields { kernels.add(out + g * rank, side.scratch + g * width + field * rank, row.x * error, rank) }
        kernels.add(out + field * rank, row.factors + field * rank, -row.x * row.x * error, rank)
    }
}
