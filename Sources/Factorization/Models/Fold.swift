import CKernels

/// The user's side of a score, folded once: score(item) = constant + w_item + ⟨vector, v_item⟩.
///
/// For both kinds the vector is p = Σ_a x_a v_a over the user's row and the context. The constant holds w0 and the side's
/// linear weights; for `fm` also the side's own pairs, ½(‖p‖² − Σ_a x_a² ‖v_a‖²) (Rendle 2010, lemma 3.1).
struct Fold {
    /// p, `width` floats; belongs to whoever made the fold.
    let vector: UnsafeMutablePointer<Float>
    var constant: Float = 0

    /// - Parameters:
    ///   - user: the user's ordinal, or `Placement.none` for nobody.
    ///   - features: context, resolved.
    init(_ model: Model, user: UInt32, features: some Collection<ResolvedFeature>, into vector: UnsafeMutablePointer<Float>) {
        self.vector = vector
        let width = model.width, kernels = model.kernels
        vector.update(repeating: 0, count: width)
        var constant = model.bias
        var ownSquares: Float = 0
        func add(_ table: FactorTable, _ ordinal: UInt32, _ x: Float) {
            let row = table.factors(ordinal)
            kernels.add(vector, row, x, width)
            constant += x * fk_read_state(table.state(ordinal)).weight
            if model.settings.kind == .fm { ownSquares += x * x * kernels.dot(row, row, width) }
        }
        if user != Placement.none { add(model.users, user, 1) }
        for feature in features { add(model.contexts, feature.ordinal, feature.weight) }
        if model.settings.kind == .fm { constant += 0.5 * (kernels.dot(vector, vector, width) - ownSquares) }
        self.constant = constant
    }
}
