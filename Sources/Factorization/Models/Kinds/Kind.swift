/// The kinds of model, in one place.
///
/// To add a kind: write one file beside this one, with the functions that `Kinds` names, and one case in
/// `ModelSettings.Kind` and in each switch below. Nothing else knows kinds: learning, retrieval, snapshots and the daemon
/// follow. The kind's definition, a plain sum over pairs in double, goes into `Tests/FactorizationTests/Kinds/Definitions.swift`;
/// the tests beside it then hold, for every kind: steps against differences of that definition, with attributes of users
/// and items, context, history and every loss; folded scores against it; a snapshot taken and restored; a small problem learned.
///
/// A kind folds the user's side (user, context and history rows, each with its x) into a query and a constant so that
///
///     score(item) = constant + w_item + ⟨query, item row⟩
///
/// and, where the item has attributes, the item's side (the item's own row and those of its attributes, each with its x)
/// into a vector z and a constant b that stand in the place of the item's row and its weight:
///
///     score(item) = constant + b + ⟨query, z⟩
///
/// An item without attributes never goes through the second fold: its row is z.
///
/// The kernels step item rows against the query, and gather G = Σ e · item row and Σ e over the items of an event, e = ∂ℓ/∂s.
/// `backPropagate` turns these into the gradient of each row of the user's side, ∂⟨query, G⟩/∂row + Σe ∂constant/∂row, and
/// steps it; `backPropagateItem` does the same for an item's side with G = e · query: ∂⟨G, z⟩/∂row + e ∂b/∂row.
enum Kinds {
    /// Sizes of rows, parameters and scratch.
    static func layout(_ settings: ModelSettings) -> KindLayout {
        switch settings.kind {
        case .mf: MatrixFactorization.layout(settings)
        case .fm: FactorizationMachine.layout(settings)
        case .gfm: GeneralizedMachine.layout(settings)
        case .bilinear: Bilinear.layout(settings)
        case .hofm: HigherOrderMachine.layout(settings)
        case .ffm: FieldAwareMachine.layout(settings)
        }
    }

    /// Adds to `side.query`, which is zero; answers what the side alone gives beside bias and linear weights.
    @inline(__always)
    static func fold(_ side: UserSide) -> Float {
        switch side.model.settings.kind {
        case .mf: MatrixFactorization.fold(side)
        case .fm: FactorizationMachine.fold(side)
        case .gfm: GeneralizedMachine.fold(side)
        case .bilinear: Bilinear.fold(side)
        case .hofm: HigherOrderMachine.fold(side)
        case .ffm: FieldAwareMachine.fold(side)
        }
    }

    /// Steps the rows of the side from the one at `first` on, and the kind's parameters. Follows a `fold` of the same side,
    /// whose query and scratch still stand.
    /// - Parameters:
    ///   - gradient: G, as wide as an item's row.
    ///   - error: Σ e.
    @inline(__always)
    static func backPropagate(
        _ side: UserSide, _ gradient: UnsafePointer<Float>, error: Float, from first: Int, _ stepper: inout RowStepper
    ) {
        switch side.model.settings.kind {
        case .mf: MatrixFactorization.backPropagate(side, gradient, error: error, from: first, &stepper)
        case .fm: FactorizationMachine.backPropagate(side, gradient, error: error, from: first, &stepper)
        case .gfm: GeneralizedMachine.backPropagate(side, gradient, error: error, from: first, &stepper)
        case .bilinear: Bilinear.backPropagate(side, gradient, error: error, from: first, &stepper)
        case .hofm: HigherOrderMachine.backPropagate(side, gradient, error: error, from: first, &stepper)
        case .ffm: FieldAwareMachine.backPropagate(side, gradient, error: error, from: first, &stepper)
        }
    }

    /// Adds to `side.z`, which is zero; answers what the item's side alone gives beside linear weights: its own pairs.
    @inline(__always)
    static func foldItem(_ side: ItemSide) -> Float {
        switch side.model.settings.kind {
        case .mf: MatrixFactorization.foldItem(side)
        case .fm: FactorizationMachine.foldItem(side)
        case .gfm: GeneralizedMachine.foldItem(side)
        case .bilinear: Bilinear.foldItem(side)
        case .hofm: HigherOrderMachine.foldItem(side)
        case .ffm: FieldAwareMachine.foldItem(side)
        }
    }

    /// Fills the gradient of each row of an item's side, and adds that of the kind's parameters. Follows a `foldItem` of the
    /// same side, whose z and scratch still stand, as do the rows.
    /// - Parameters:
    ///   - gradient: G = e · query, as wide as z.
    ///   - error: e, the loss's derivative with respect to the score.
    ///   - parameters: as long as the model's parameters, or none where it has none.
    @inline(__always)
    static func backPropagateItem(
        _ side: ItemSide, _ gradient: UnsafePointer<Float>, error: Float, parameters: UnsafeMutablePointer<Float>
    ) {
        switch side.model.settings.kind {
        case .mf: MatrixFactorization.backPropagateItem(side, gradient)
        case .fm: FactorizationMachine.backPropagateItem(side, gradient, error: error)
        case .gfm: GeneralizedMachine.backPropagateItem(side, gradient, error: error)
        case .bilinear: Bilinear.backPropagateItem(side, gradient, error: error, parameters: parameters)
        case .hofm: HigherOrderMachine.backPropagateItem(side, gradient, error: error)
        case .ffm: FieldAwareMachine.backPropagateItem(side, gradient, error: error)
        }
    }

    /// The rate of the query: about how far it moves for one unit of gradient on it, through all rows and parameters that
    /// `backPropagate` steps. Follows a `fold` of the same side. What needs an implicit step divides by it; too large a rate
    /// makes that step shorter, one too small by half lets it overshoot.
    /// - Parameter rows: Σ_a η_a x_a² over the side's rows: the rate where the query is their sum.
    static func queryRate(_ side: UserSide, rows: Float) -> Float {
        switch side.model.settings.kind {
        case .mf, .fm, .ffm: rows
        case .gfm: GeneralizedMachine.queryRate(side, rows: rows)
        case .bilinear: Bilinear.queryRate(side, rows: rows)
        case .hofm: HigherOrderMachine.queryRate(side, rows: rows)
        }
    }
}

/// The memory that a kind asks for, a function of the settings.
struct KindLayout: Equatable {
    /// Floats in use in a row of a user, a context feature or a history item.
    var sideRank: Int
    /// Floats in use in an item's row, and in the query: all that an item without attributes needs.
    var itemRank: Int
    /// Floats that follow them in an item's row, of use only where the item has attributes: what meets its own side alone.
    var itemOwnRank = 0
    /// Floats that follow in the query and in z, of use only for items with attributes.
    var queryExtra = 0
    /// Whether z is the sum of the side's rows and b that of their weights.
    var itemSideIsSum = false
    /// Whether the query is the user's row where the side is that row alone; the row then moves with each item.
    var userRowIsQuery = false
    /// Whether rows have linear weights.
    var hasWeights = true
    /// Global parameters beside w0.
    var parameters: [ParameterBlock] = []
    /// Floats of scratch that `fold` and `backPropagate` share, 64-byte aligned.
    var scratch = 0

    /// Floats of scratch that `foldItem` and `backPropagateItem` share, 64-byte aligned.
    var itemScratch = 0

    /// Floats of a vector with its padding: a multiple of 8.
    static func padded(_ floats: Int) -> Int { (floats + 7) & ~7 }
    var sideWidth: Int { KindLayout.padded(sideRank) }
    var itemWidth: Int { KindLayout.padded(itemRank) }
    /// Floats of an item's row in all.
    var itemStride: Int { itemWidth + KindLayout.padded(itemOwnRank) }
    /// Floats of the query and of z in all.
    var queryWidth: Int { itemWidth + KindLayout.padded(queryExtra) }
}
