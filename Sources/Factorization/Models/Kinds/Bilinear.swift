/// `bilinear`: score = w0 + ⟨w_u, p⟩ + ⟨w_i, q⟩ + pᵀ W q with p = Σ_a x_a v_a, global w_u, w_i and W (k × k), and no linear
/// weights of rows. The query is Wᵀp + w_i.
///
/// With `symmetric`, one symmetric metric serves every pair, the side's own included: M = V W Vᵀ off the diagonal. W is then
/// held as any matrix and used as ½(W + Wᵀ), which stays symmetric whatever order the steps of several trainers come in.
///
/// W starts at the identity, so that a new model is a plain factorisation. Parameter blocks: W row after row, w_u, w_i.
/// Scratch: p, Mp (M as used), then a copy of a row and two vectors for the steps.
enum Bilinear {
    static func layout(_ settings: ModelSettings) -> KindLayout {
        let rank = settings.rank, width = KindLayout.padded(rank)
        return KindLayout(
            sideRank: rank, itemRank: rank, itemSideIsSum: !settings.symmetric, hasWeights: false,
            parameters: [
                ParameterBlock(count: rank * width, used: rank * rank, diagonal: width + 1),
                ParameterBlock(count: width, used: rank), ParameterBlock(count: width, used: rank),
            ],
            scratch: 5 * width, itemScratch: 3 * width)
    }

    static func fold(_ side: UserSide) -> Float {
        let model = side.model, kernels = model.kernels, width = model.width, parameters = model.parameters!
        let p = side.scratch, image = p + width, row = p + 2 * width, other = p + 3 * width
        p.update(repeating: 0, count: width)
        for index in 0..<side.rowCount { kernels.add(p, side.rows[index].factors, side.rows[index].x, width) }
        let constant = kernels.dot(p, parameters.floats(1), width)
        transposed(model, p, into: image)
        kernels.add(side.query, image, 1, width)
        kernels.add(side.query, parameters.floats(2), 1, width)
        guard model.settings.symmetric && side.rowCount > 1 else { return constant }
        var pairs = kernels.dot(p, image, width)
        for index in 0..<side.rowCount {
            let x = side.rows[index].x
            kernels.copy(row, side.rows[index].factors, width)
            transposed(model, row, into: other)
            pairs -= x * x * kernels.dot(row, other, width)
        }
        return constant + 0.5 * pairs
    }

    /// out = Wᵀ x, or ½(W + Wᵀ) x; x in memory of one thread.
    static func transposed(_ model: Model, _ x: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>) {
        let kernels = model.kernels, width = model.width
        let matrix = model.parameters!.floats(0)
        let half: Float = model.settings.symmetric ? 0.5 : 1
        out.update(repeating: 0, count: width)
        for r in 0..<model.settings.rank { kernels.add(out, matrix + r * width, half * x[r], width) }
        guard model.settings.symmetric else { return }
        for r in 0..<model.settings.rank { out[r] += 0.5 * kernels.dot(matrix + r * width, x, width) }
    }

    /// The query Wᵀp + w_i moves by rows · WᵀW g through the rows, by η ‖p‖² g through W and by η g through w_i. Of WᵀW the
    /// size along p is taken.
    static func queryRate(_ side: UserSide, rows: Float) -> Float {
        let kernels = side.model.kernels, width = side.model.width, p = side.scratch, image = p + width
        let size = kernels.dot(p, p, width), imageSize = kernels.dot(image, image, width)
        return rows * (size > 0 ? imageSize / size : 1) + side.model.pace.globalRate * (size + 1)
    }

    /// ∂/∂v_a = x_a (W G + Σe w_u), and with `symmetric` Σe (M p − x_a M v_a) more; ∂/∂W = p Gᵀ, ∂/∂w_u = Σe p,
    /// ∂/∂w_i = G. All from the values before any step.
    static func backPropagate(
        _ side: UserSide, _ gradient: UnsafePointer<Float>, error: Float, from first: Int, _ stepper: inout RowStepper
    ) {
        let model = side.model, kernels = model.kernels, width = model.width, parameters = model.parameters!
        let image = side.scratch + width, copy = image + width, common = copy + width, own = common + width
        let matrix = parameters.floats(0)
        if model.settings.symmetric {
            transposed(model, gradient, into: common)
        } else {
            common.update(repeating: 0, count: width)
            for r in 0..<model.settings.rank { common[r] = kernels.dot(matrix + r * width, gradient, width) }
        }
        kernels.add(common, parameters.floats(1), error, width)
        addParameterGradient(side, gradient, error: error)
        let hasPairs = model.settings.symmetric && side.rowCount > 1
        if hasPairs { kernels.add(common, image, error, width) }
        for index in first..<side.rowCount {
            let row = side.rows[index]
            guard hasPairs else {
                stepper.step(row, common, error: error)
                continue
            }
            kernels.copy(copy, row.factors, width)
            transposed(model, copy, into: own)
            for f in 0..<width { own[f] = common[f] - error * row.x * own[f] }
            stepper.step(row, own, error: error)
        }
        stepper.step(parameters, side.parameterGradient)
    }

    /// Adds to `side.parameterGradient`; the rows are still as they were folded.
    private static func addParameterGradient(_ side: UserSide, _ gradient: UnsafePointer<Float>, error: Float) {
        let model = side.model, kernels = model.kernels, width = model.width, rank = model.settings.rank
        let p = side.scratch, copy = p + 2 * width, out = side.parameterGradient, parameters = model.parameters!
        kernels.add(out + parameters.offset(1), p, error, width)
        kernels.add(out + parameters.offset(2), gradient, 1, width)
        let symmetric = model.settings.symmetric
        for r in 0..<rank {
            kernels.add(out + r * width, gradient, (symmetric ? 0.5 : 1) * p[r], width)
            if symmetric { kernels.add(out + r * width, p, 0.5 * gradient[r], width) }
        }
        guard symmetric && side.rowCount > 1 else { return }
        for r in 0..<rank { kernels.add(out + r * width, p, 0.5 * error * p[r], width) }
        for index in 0..<side.rowCount {
            let x = side.rows[index].x
            kernels.copy(copy, side.rows[index].factors, width)
            for r in 0..<rank { kernels.add(out + r * width, copy, -0.5 * error * x * x * copy[r], width) }
        }
    }

    /// z = Σ_b x_b q_b; with `symmetric` its own pairs, ½(zᵀ M z − Σ_b x_b² q_bᵀ M q_b). Scratch: M z, a copy of a row, its image.
    static func foldItem(_ side: ItemSide) -> Float {
        let model = side.model, kernels = model.kernels, width = model.width
        side.addRows()
        guard model.settings.symmetric && side.rowCount > 1 else { return 0 }
        let image = side.scratch, row = image + width, other = row + width
        transposed(model, side.z, into: image)
        var pairs = kernels.dot(side.z, image, width)
        for index in 0..<side.rowCount {
            let x = side.rows[index].x
            kernels.copy(row, side.rows[index].factors, width)
            transposed(model, row, into: other)
            pairs -= x * x * kernels.dot(row, other, width)
        }
        return 0.5 * pairs
    }

    /// ∂/∂q_b = x_b (G + e (M z − x_b M q_b)), the second term with `symmetric` alone; there also
    /// ∂/∂W = ½ e (z zᵀ − Σ_b x_b² q_b q_bᵀ), beside what the user's side adds.
    static func backPropagateItem(
        _ side: ItemSide, _ gradient: UnsafePointer<Float>, error: Float, parameters: UnsafeMutablePointer<Float>
    ) {
        let model = side.model, kernels = model.kernels, width = model.width, rank = model.settings.rank
        let image = side.scratch, copy = image + width, other = copy + width
        for index in 0..<side.rowCount { side.set(index, gradient) }
        guard model.settings.symmetric && side.rowCount > 1 else { return }
        for r in 0..<rank { kernels.add(parameters + r * width, side.z, 0.5 * error * side.z[r], width) }
        for index in 0..<side.rowCount {
            let row = side.rows[index]
            kernels.copy(copy, row.factors, width)
            transposed(model, copy, into: other)
            kernels.add(side.gradient(index), image, row.x * error, width)
            kernels.add(side.gradient(index), other, -row.x * row.x * error, width)
            for r in 0..<rank { kernels.add(parameters + r * width, copy, -0.5 * error * row.x * row.x * copy[r], width) }
        }
    }
}
