/// `ffm`, the field-aware factorisation machine (Juan et al. 2016): a feature has one vector for each field that it may meet,
/// and a pair counts ⟨v_{i,f(j)}, v_{j,f(i)}⟩ x_i x_j.
///
/// Fields: user; history, where the model takes one; the context fields named in the settings; one for all other context
/// fields and the user's attributes; item, the last. A row of the user's side has a block for every field, an item's row one
/// for every field but its own; that one lies apart behind them, and serves only where the item has attributes. With S_f = Σ_{a in field f} x_a row_a the query's block f is S_f's block `item`, and the side's own pairs are
/// ½(Σ_{f,g} ⟨S_f[g], S_g[f]⟩ − Σ_a x_a² ‖v_{a,f(a)}‖²), in O(nnz·F·k + F²·k). Scratch: S_f for each field, then a gradient.
///
/// The item's attributes are of field `item` too, whatever their own fields' names: with i and j both of the item's side a
/// pair counts ⟨v_{i,item}, v_{j,item}⟩ x_i x_j. So user rows need no further block, an item without attributes is scored and
/// learned from the blocks that it always had, and z is the sum of these; b holds the pairs, from the blocks apart.
enum FieldAwareMachine {
    /// Number of fields, the item's included.
    static func fieldCount(_ settings: ModelSettings) -> Int { firstContextField(settings) + settings.fields.count + 2 }
    private static func firstContextField(_ settings: ModelSettings) -> Int { settings.history.length > 0 ? 2 : 1 }

    /// The field of all that has none of its own.
    @inline(__always)
    static func otherField(_ settings: ModelSettings) -> Int { firstContextField(settings) + settings.fields.count }

    /// The field of a context feature by the name of its field.
    static func contextField(_ name: [UInt8], _ settings: ModelSettings) -> Int {
        let place = settings.fields.firstIndex { $0.utf8.elementsEqual(name) } ?? settings.fields.count
        return firstContextField(settings) + place
    }

    static func layout(_ settings: ModelSettings) -> KindLayout {
        let fields = fieldCount(settings), rank = fields * settings.rank
        return KindLayout(
            sideRank: rank, itemRank: rank - settings.rank, itemOwnRank: settings.rank, scratch: fields * KindLayout.padded(rank),
            itemScratch: KindLayout.padded(settings.rank))
    }

    @inline(__always)
    static func field(_ row: SideRow, _ model: Model) -> Int {
        switch row.group {
        case .user: 0
        case .history: 1
        case .context: model.contextField(row.ordinal)
        case .attribute: otherField(model.settings)
        }
    }

    static func fold(_ side: UserSide) -> Float {
        let model = side.model, kernels = model.kernels, width = model.layout.sideWidth
        let rank = model.settings.rank, sideFields = model.layout.itemRank / rank
        let sums = side.scratch
        sums.update(repeating: 0, count: sideFields * width)
        var own: Float = 0
        for index in 0..<side.rowCount {
            let row = side.rows[index], field = field(row, model), met = row.factors + field * rank
            kernels.add(sums + field * width, row.factors, row.x, width)
            own += row.x * row.x * kernels.dot(met, met, rank)
        }
        var pairs: Float = 0
        for f in 0..<sideFields {
            let sum = sums + f * width
            (side.query + f * rank).update(from: sum + sideFields * rank, count: rank)
            guard side.rowCount > 1 else { continue }
            pairs += kernels.dot(sum + f * rank, sum + f * rank, rank)
            for g in 0..<f { pairs += 2 * kernels.dot(sum + g * rank, sums + g * width + f * rank, rank) }
        }
        return side.rowCount > 1 ? 0.5 * (pairs - own) : 0
    }

    /// Block `item` of ∂/∂row_a is x_a G[f(a)]; block g is x_a Σe (S_g[f(a)] − [g = f(a)] x_a v_{a,g}).
    static func backPropagate(
        _ side: UserSide, _ gradient: UnsafePointer<Float>, error: Float, from first: Int, _ stepper: inout RowStepper
    ) {
        let model = side.model, kernels = model.kernels, width = model.layout.sideWidth
        let rank = model.settings.rank, sideFields = model.layout.itemRank / rank
        let sums = side.scratch, own = side.scratch + sideFields * width
        for index in first..<side.rowCount {
            let row = side.rows[index], field = field(row, model)
            own.update(repeating: 0, count: width)
            kernels.add(own + sideFields * rank, gradient + field * rank, 1, rank)
            if side.rowCount > 1 {
                for g in 0..<sideFields { kernels.add(own + g * rank, sums + g * width + field * rank, error, rank) }
                kernels.add(own + field * rank, row.factors + field * rank, -error * row.x, rank)
            }
            stepper.step(row, own, error: error)
        }
    }

    /// z = Σ_b x_b row_b over the blocks that meet the query. Scratch: the sum of the blocks apart, s.
    static func foldItem(_ side: ItemSide) -> Float {
        let model = side.model, kernels = model.kernels, rank = model.settings.rank, sum = side.scratch
        side.addRows()
        sum.update(repeating: 0, count: rank)
        var own: Float = 0
        for index in 0..<side.rowCount {
            let row = side.rows[index], apart = row.factors + model.width
            kernels.add(sum, apart, row.x, rank)
            own += row.x * row.x * kernels.dot(apart, apart, rank)
        }
        return 0.5 * (kernels.dot(sum, sum, rank) - own)
    }

    /// ∂/∂row_b = x_b G, and of the block apart x_b e (s − x_b v_{b,item}).
    static func backPropagateItem(_ side: ItemSide, _ gradient: UnsafePointer<Float>, error: Float) {
        let model = side.model, kernels = model.kernels, rank = model.settings.rank, sum = side.scratch
        for index in 0..<side.rowCount {
            let row = side.rows[index], apart = side.gradient(index) + model.width
            side.set(index, gradient)
            kernels.add(apart, sum, row.x * error, rank)
            kernels.add(apart, row.factors + model.width, -row.x * row.x * error, rank)
        }
    }
}
