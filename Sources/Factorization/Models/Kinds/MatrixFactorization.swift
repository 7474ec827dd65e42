/// `mf`: only user-side × item-side pairs count, score = w0 + Σ w x + ⟨p, q⟩ with p = Σ_a x_a v_a. The query is p.
enum MatrixFactorization {
    static func layout(_ settings: ModelSettings) -> KindLayout {
        KindLayout(sideRank: settings.rank, itemRank: settings.rank, itemSideIsSum: true, userRowIsQuery: true)
    }

    static func fold(_ side: UserSide) -> Float {
        for index in 0..<side.rowCount {
            side.model.kernels.add(side.query, side.rows[index].factors, side.rows[index].x, side.model.width)
        }
        return 0
    }

    /// ∂/∂v_a = x_a G.
    static func backPropagate(
        _ side: UserSide, _ gradient: UnsafePointer<Float>, error: Float, from first: Int, _ stepper: inout RowStepper
    ) {
        for index in first..<side.rowCount { stepper.step(side.rows[index], gradient, error: error) }
    }

    static func foldItem(_ side: ItemSide) -> Float {
        side.addRows()
        return 0
    }

    /// ∂/∂q_b = x_b G.
    static func backPropagateItem(_ side: ItemSide, _ gradient: UnsafePointer<Float>) {
        for index in 0..<side.rowCount { side.set(index, gradient) }
    }
}
