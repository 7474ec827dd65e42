/// `fm` (Rendle 2010): all pairs of features. The query is p = Σ_a x_a v_a; the side's own pairs,
/// ½(‖p‖² − Σ_a x_a² ‖v_a‖²) (lemma 3.1), belong to the constant.
enum FactorizationMachine {
    static func layout(_ settings: ModelSettings) -> KindLayout {
        KindLayout(sideRank: settings.rank, itemRank: settings.rank, userRowIsQuery: true)
    }

    static func fold(_ side: UserSide) -> Float {
        let kernels = side.model.kernels, width = side.model.width
        var own: Float = 0
        for index in 0..<side.rowCount {
            let row = side.rows[index]
            kernels.add(side.query, row.factors, row.x, width)
            own += row.x * row.x * kernels.dot(row.factors, row.factors, width)
        }
        return 0.5 * (kernels.dot(side.query, side.query, width) - own)
    }

    /// ∂/∂v_a = x_a G + Σe · x_a (p − x_a v_a). `side.query` still holds p.
    static func backPropagate(
        _ side: UserSide, _ gradient: UnsafePointer<Float>, error: Float, from first: Int, _ stepper: inout RowStepper
    ) {
        for index in first..<side.rowCount {
            stepper.step(side.rows[index], gradient, sum: side.query, pair: error, error: error)
        }
    }

    /// The same on the item's side: z is the sum, its own pairs belong to b.
    static func foldItem(_ side: ItemSide) -> Float {
        let kernels = side.model.kernels, width = side.model.width
        side.addRows()
        var own: Float = 0
        for index in 0..<side.rowCount {
            let row = side.rows[index]
            own += row.x * row.x * kernels.dot(row.factors, row.factors, width)
        }
        return 0.5 * (kernels.dot(side.z, side.z, width) - own)
    }

    /// ∂/∂q_b = x_b (G + e (z − x_b q_b)).
    static func backPropagateItem(_ side: ItemSide, _ gradient: UnsafePointer<Float>, error: Float) {
        let kernels = side.model.kernels, width = side.model.width
        for index in 0..<side.rowCount {
            let row = side.rows[index], own = side.gradient(index)
            side.set(index, gradient)
            kernels.add(own, side.z, row.x * error, width)
            kernels.add(own, row.factors, -row.x * row.x * error, width)
        }
    }
}
