import CKernels

/// The minimum of a fit: Newton's steps, each solved by conjugate gradients, halved where they would not descend.
extension FoldIn {
    /// Newton's steps, products of one solve, and when a solve is good enough (squared, relative).
    private static let steps = 8
    private static let products = 40
    private static let enough: Float = 1e-6

    func solve() {
        let kernels = model.kernels, x = vectors.x
        if anchorState == nil {
            x.update(repeating: 0, count: stride)
        } else {
            x.update(from: vectors.anchor, count: stride)
        }
        setDiagonal()
        var value = objective(x), first: Float = 0
        for step in 0..<FoldIn.steps {
            let size = gradient()
            if step == 0 { first = size }
            guard size.isFinite, size > 1e-8 * first else { return }
            direct()
            var part: Float = 1
            while part > 0.01 {
                vectors.trial.update(from: x, count: stride)
                kernels.add(vectors.trial, vectors.direction, part, stride)
                let next = objective(vectors.trial)
                if next <= value {
                    value = next
                    x.update(from: vectors.trial, count: stride)
                    break
                }
                part *= 0.5
            }
            // A square is at its minimum after one step.
            if part <= 0.01 || isSquare { return }
        }
    }

    /// Whether the loss is a square in the score.
    private var isSquare: Bool { model.settings.unobserved == .regularized || model.settings.loss == .squared }

    private func slopeOfLoss(_ score: Float, _ unit: Unit) -> (first: Float, second: Float) {
        if isSquare { return (unit.weight * (score - unit.label), unit.weight) }
        let p = fk_sigmoid(score)
        return (unit.weight * (p - unit.label), unit.weight * max(p * (1 - p), 1e-6))
    }

    private func loss(_ score: Float, _ unit: Unit) -> Float {
        let difference = score - unit.label
        return unit.weight * (isSquare ? 0.5 * difference * difference : fk_softplus(score) - unit.label * score)
    }

    /// The quadratic terms of single coordinates: l2 for each step that the stream would take, and the rates'.
    private func setDiagonal() {
        let settings = model.settings, pace = model.pace, isSampled = settings.unobserved == .sampled
        let count = isSampled ? units.reduce(0) { $0 + ($1.label > 0 && !settings.loss.isPairwise ? 1 : $1.weight) } : events
        var (rate, weightRate) = (pace.rates.user, pace.rates.weight)
        if settings.optimizer != .sgd && isSampled {
            let (factors, weight) = anchorState.map { ($0.factor_accumulator * Float(model.layout.sideRank), $0.weight_accumulator) } ?? firstGradients()
            if factors > 0 { rate /= (factors / Float(model.layout.sideRank)).squareRoot() }
            if weight > 0 { weightRate /= weight.squareRoot() }
        }
        let pull = 1 / (self.settings.passes * max(rate, 1e-6))
        vectors.diagonal.update(repeating: pace.l2.user * count + pull, count: sideWidth)
        anchorPull = anchorState == nil ? 0 : pull
        vectors.diagonal[sideWidth] = pace.l2.weight * count + 1 / (self.settings.passes * max(weightRate, 1e-6))
        (vectors.diagonal + sideWidth + 1).update(repeating: 1, count: stride - sideWidth - 1)
    }

    /// The squared gradient at zero of the row and of its weight: of each item with what was drawn against it, summed up.
    private func firstGradients() -> (factors: Float, weight: Float) {
        let kernels = model.kernels, sum = vectors.gradient
        var factors: Float = 0, weight: Float = 0
        func close() {
            factors += kernels.dot(sum, sum, sideWidth)
            weight += sum[sideWidth] * sum[sideWidth]
            sum.update(repeating: 0, count: stride)
        }
        sum.update(repeating: 0, count: stride)
        for (number, unit) in units.enumerated() {
            if number > 0 && unit.event != units[number - 1].event { close() }
            kernels.add(sum, slot(number), slopeOfLoss(unit.base, unit).first, stride)
        }
        close()
        return (factors, weight)
    }

    private func objective(_ x: UnsafePointer<Float>) -> Float {
        let kernels = model.kernels
        var sum: Float = 0
        for (number, unit) in units.enumerated() { sum += loss(unit.base + kernels.dot(slot(number), x, stride), unit) }
        for f in 0...sideWidth { sum += (0.5 * vectors.diagonal[f] * x[f] - anchorPull * vectors.anchor[f]) * x[f] }
        guard strength > 0, let state = model.grams else { return sum }
        // ½ a Σ_t (q_t + Jx)ᵀ G (q_t + Jx) but for what does not depend on x.
        image(of: x)
        kernels.product(vectors.product, state.items, vectors.image, model.width)
        let cross = kernels.dot(vectors.query, vectors.product, model.width)
        return sum + strength * (cross + 0.5 * events * kernels.dot(vectors.image, vectors.product, model.width))
    }

    /// Fills the gradient at x, and each unit's curvature; answers the gradient's squared norm.
    private func gradient() -> Float {
        let kernels = model.kernels, x = vectors.x, out = vectors.gradient
        for f in 0..<stride { out[f] = vectors.diagonal[f] * x[f] - anchorPull * vectors.anchor[f] }
        curvatures.removeAll(keepingCapacity: true)
        for (number, unit) in units.enumerated() {
            let slope = slopeOfLoss(unit.base + kernels.dot(slot(number), x, stride), unit)
            kernels.add(out, slot(number), slope.first, stride)
            curvatures.append(slope.second)
        }
        if strength > 0 {
            image(of: x)
            let q = vectors.image
            for f in 0..<model.width { q[f] = events * q[f] + vectors.query[f] }
            addPenalty(of: q, to: out)
        }
        return kernels.dot(out, out, stride)
    }

    /// out = H v.
    private func multiply(_ v: UnsafePointer<Float>, into out: UnsafeMutablePointer<Float>) {
        let kernels = model.kernels
        for f in 0..<stride { out[f] = vectors.diagonal[f] * v[f] }
        for number in units.indices { kernels.add(out, slot(number), curvatures[number] * kernels.dot(slot(number), v, stride), stride) }
        guard strength > 0 else { return }
        image(of: v)
        for f in 0..<model.width { vectors.image[f] *= events }
        addPenalty(of: vectors.image, to: out)
    }

    /// direction = −H⁻¹ gradient, by conjugate gradients from zero.
    private func direct() {
        let kernels = model.kernels, residual = vectors.residual, search = vectors.search, direction = vectors.direction
        direction.update(repeating: 0, count: stride)
        for f in 0..<stride { residual[f] = -vectors.gradient[f] }
        search.update(from: residual, count: stride)
        var size = kernels.dot(residual, residual, stride)
        let goal = FoldIn.enough * size
        for _ in 0..<FoldIn.products where size > goal {
            multiply(search, into: vectors.trial)
            let curvature = kernels.dot(search, vectors.trial, stride)
            guard curvature > 0, curvature.isFinite else { return }
            let step = size / curvature
            kernels.add(direction, search, step, stride)
            kernels.add(residual, vectors.trial, -step, stride)
            let next = kernels.dot(residual, residual, stride)
            for f in 0..<stride { search[f] = residual[f] + next / size * search[f] }
            size = next
        }
    }
}
