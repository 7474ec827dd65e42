/// `gfm`, the generalised factorisation machine without a positive-semidefinite constraint (Lin et al. 2019): every feature
/// has two vectors, and a pair counts ½(⟨u_i, v_j⟩ + ⟨u_j, v_i⟩) x_i x_j.
///
/// A row of the user's side is [u; v], an item's row [v; u]. With S = Σ_a x_a [u_a; v_a] the query is ½ S; the side's own
/// pairs are ½(⟨Σu, Σv⟩ − Σ_a x_a² ⟨u_a, v_a⟩), by the identity of `fm` for two factors.
enum GeneralizedMachine {
    static func layout(_ settings: ModelSettings) -> KindLayout {
        KindLayout(
            sideRank: 2 * settings.rank, itemRank: 2 * settings.rank, scratch: 2 * KindLayout.padded(2 * settings.rank))
    }

    static func fold(_ side: UserSide) -> Float {
        let kernels = side.model.kernels, width = side.model.width, rank = side.model.settings.rank
        var own: Float = 0
        for index in 0..<side.rowCount {
            let row = side.rows[index]
            kernels.add(side.query, row.factors, 0.5 * row.x, width)
            own += row.x * row.x * kernels.dot(row.factors, row.factors + rank, rank)
        }
        return 0.5 * (4 * kernels.dot(side.query, side.query + rank, rank) - own)
    }

    /// The query is half the sum, so a row takes half a gradient and gives half of its move.
    static func queryRate(_ side: UserSide, rows: Float) -> Float { 0.25 * rows }

    /// ∂/∂[u_a; v_a] = x_a (½ G + ½ Σe · swap(S − x_a [u_a; v_a])), swap exchanging the halves.
    static func backPropagate(
        _ side: UserSide, _ gradient: UnsafePointer<Float>, error: Float, from first: Int, _ stepper: inout RowStepper
    ) {
        let kernels = side.model.kernels, width = side.model.width, rank = side.model.settings.rank
        let common = side.scratch, own = side.scratch + width
        common.update(repeating: 0, count: width)
        kernels.add(common, gradient, 0.5, width)
        kernels.add(common, side.query + rank, error, rank)
        kernels.add(common + rank, side.query, error, rank)
        for index in first..<side.rowCount {
            let row = side.rows[index]
            own.update(from: common, count: width)
            kernels.add(own, row.factors + rank, -0.5 * error * row.x, rank)
            kernels.add(own + rank, row.factors, -0.5 * error * row.x, rank)
            stepper.step(row, own, error: error)
        }
    }

    /// z = Σ_b x_b [v_b; u_b]; its own pairs as above.
    static func foldItem(_ side: ItemSide) -> Float {
        let kernels = side.model.kernels, rank = side.model.settings.rank
        side.addRows()
        var own: Float = 0
        for index in 0..<side.rowCount {
            let row = side.rows[index]
            own += row.x * row.x * kernels.dot(row.factors, row.factors + rank, rank)
        }
        return 0.5 * (kernels.dot(side.z, side.z + rank, rank) - own)
    }

    /// ∂/∂[v_b; u_b] = x_b (G + ½ e · swap(z − x_b [v_b; u_b])).
    static func backPropagateItem(_ side: ItemSide, _ gradient: UnsafePointer<Float>, error: Float) {
        let kernels = side.model.kernels, rank = side.model.settings.rank
        for index in 0..<side.rowCount {
            let row = side.rows[index], own = side.gradient(index), half = 0.5 * row.x * error
            side.set(index, gradient)
            kernels.add(own, side.z + rank, half, rank)
            kernels.add(own + rank, side.z, half, rank)
            kernels.add(own, row.factors + rank, -half * row.x, rank)
            kernels.add(own + rank, row.factors, -half * row.x, rank)
        }
    }
}
