import CKernels

/// Fits a row to somebody who has none: to the items that a request names, with everything but the row held fixed.
///
/// A score of any kind is linear in the user's row u and in its weight w, with all other rows of the event fixed:
/// s_m = b_m + ⟨a_m, u⟩ + w, a_m = `Kinds.slope`. So u is what a generalised linear model gives,
///
///     argmin_u  Σ_m c_m ℓ(s_m, y_m) + ½ γ/n Σ_t ⟨query_t, G query_t⟩ + ½ c (λ ‖u‖² + λ_w w²) + ½ (‖u‖²/η + w²/η_w) / passes
///
/// over the items taken, each with its label, and those drawn against it with label 0 (as many times as the learner's
/// negatives, weighed to count like these; pairs of both under a pairwise loss). The interaction regulariser enters by its
/// Gram matrix G, so that a model without negatives draws none. The last term is what a stream's steps of rate η leave
/// unsaid: a row that has moved `passes` times past its events stands about where this minimum is. Under AdaGrad η is the
/// rate after these events, η/√(sum of their squared gradients at u = 0).
///
/// An item taken is scored with those before it as history, as its event would have been: with itself in the history it
/// would say nothing of u. Solved by Newton's method (`FoldIn+Solve`).
///
/// **With an anchor** it fits the row of a user to the held history (`Learner.refine`): u begins at the row u₀ as it is, its weight
/// stays, and ½ (‖u − u₀‖²/η) / passes stands in the last term's place, for what the row knows of events that are held no longer.
///
/// The draws are a function of a word and the items: the same request gets the same answer. Reads rows, writes none.
/// Scratch of one scorer or learner.
final class FoldIn {
    /// How a row is fitted.
    struct Settings: Sendable, Equatable {
        /// How often the stream's steps are thought to have passed the items.
        var passes: Float
        /// Items drawn against each one taken.
        var draws: Int
    }

    let model: Model
    let settings: Settings
    private let side: UserSide
    private let itemSide: ItemSide
    private let draws: NegativeDraws
    /// The fitted row: valid until the next `fit`.
    let row: StrayRow
    let sideWidth: Int
    /// Floats of an unknown vector: the row, then its weight and padding.
    let stride: Int
    /// What the items say, one after the other: a, then 1 for the weight.
    var slopes: UnsafeMutablePointer<Float>?
    var units: [Unit] = []
    /// ∂²ℓ/∂s² of each.
    var curvatures: [Float] = []
    let vectors: Vectors
    /// How many items count, whose queries at u = 0 `vectors.query` sums up; and G's factor γ/n.
    var events: Float = 0
    var strength: Float = 0
    /// Whether `vectors.anchor` holds the row to begin with, of this state.
    private(set) var anchorState: fk_row_state?
    /// 1/(η passes) of an anchored fit, 0 of others.
    var anchorPull: Float = 0

    /// b_m, y_m, c_m, and the item taken that it belongs to.
    struct Unit {
        var event: Int
        var base: Float
        var label: Float
        var weight: Float
    }

    /// Newest items that a row is fitted to, and units in all.
    static let mostItems = 100
    static let mostUnits = 2048

    init(model: Model, settings: Settings? = nil) {
        self.model = model
        self.settings = settings ?? FoldIn.settings(of: model.settings)
        side = UserSide(model: model)
        itemSide = ItemSide(model: model)
        draws = NegativeDraws(seed: model.settings.seed)
        sideWidth = model.layout.sideWidth
        stride = sideWidth + 8
        let state = UnsafeMutablePointer<fk_row_state>.allocate(capacity: 1)
        state.initialize(to: fk_row_state())
        row = StrayRow(factors: Parameters.floats(sideWidth), state: state)
        vectors = Vectors(count: stride, queryWidth: model.layout.queryWidth)
    }

    deinit {
        row.factors.deallocate()
        row.state.deallocate()
        slopes?.deallocate()
    }

    /// Has the next fit begin at a row, which is copied.
    func anchor(at factors: UnsafePointer<Float>, _ state: fk_row_state) {
        vectors.anchor.update(repeating: 0, count: stride)
        vectors.anchor.update(from: factors, count: sideWidth)
        anchorState = state
    }

    /// Fits `row` to a visitor's items; false where there is nothing to fit, or it came to nothing finite.
    /// - Parameters:
    ///   - features: context of the request.
    ///   - now: stamp of the present, until which the rows read fade.
    ///   - word: what the draws follow from; nil for one of the items alone.
    func fit(
        _ visitor: Visitor, _ features: [(ordinal: UInt32, weight: Float)], now: UInt64, against catalogue: Catalogue, word own: UInt64? = nil
    ) -> Bool {
        defer { anchorState = nil }
        clearRow()
        units.removeAll(keepingCapacity: true)
        let first = max(visitor.items.count - FoldIn.mostItems, 0)
        guard visitor.items.count > first else { return false }
        let count = min(settings.draws, FoldIn.mostUnits / (visitor.items.count - first) - 1)
        if slopes == nil { slopes = Parameters.floats(FoldIn.mostUnits * stride) }
        vectors.query.update(repeating: 0, count: model.layout.queryWidth)
        events = 0
        let taken = Set(visitor.items.map(\.ordinal))
        var word = own ?? mix64(model.settings.seed)
        for item in visitor.items { word = mix64(word ^ UInt64(item.ordinal)) }
        for place in first..<visitor.items.count {
            let item = visitor.items[place]
            if place == first || model.histories != nil { start(visitor, before: place, features, now) }
            guard item.weight > 0 else { continue }
            // An event is one whatever it weighs; but an anchored fit weighs by age, and so the regulariser too.
            let share = anchorState == nil ? 1 : item.weight
            events += share
            if model.grams != nil { model.kernels.add(vectors.query, side.query, share, model.width) }
            add(item, word: mix64(word &+ UInt64(place)), draws: count, avoiding: taken, of: catalogue)
        }
        guard !units.isEmpty else { return false }
        strength = model.grams == nil ? 0 : model.settings.interaction.user / Float(max(catalogue.count, 1))
        solve()
        return keep()
    }

    private func clearRow() {
        row.factors.update(repeating: 0, count: sideWidth)
        row.state.pointee = anchorState ?? fk_row_state()
    }

    /// The side as it stood before an item was taken, with a row of zeros.
    private func start(_ visitor: Visitor, before place: Int, _ features: [(ordinal: UInt32, weight: Float)], _ now: UInt64) {
        side.start(visitor.attributes, items: visitor.items[..<place], row: row)
        for feature in features { side.append(ResolvedFeature(ordinal: feature.ordinal, weight: feature.weight)) }
        side.fade(now: now)
        constant = side.fold()
    }
    private var constant: Float = 0

    /// The units of one item: itself, and what is drawn against it.
    private func add(_ item: Visitor.Item, word: UInt64, draws count: Int, avoiding taken: Set<UInt32>, of catalogue: Catalogue) {
        let isPairwise = model.settings.loss.isPairwise, negatives = model.settings.negatives
        let label = model.settings.loss.labels.nearest(to: item.label)
        let base = place(item.ordinal, at: isPairwise ? vectors.positive : slot(units.count))
        if !isPairwise { units.append(Unit(event: Int(events), base: base, label: label, weight: item.weight)) }
        guard model.settings.unobserved == .sampled, negatives > 0, label > 0, catalogue.count > 0 else { return }
        let weight = item.weight * Float(negatives) / Float(max(count, 1))
        for number in 0..<count {
            let drawn = draws.item(word, number, of: UInt64(catalogue.count))
            if taken.contains(drawn) || catalogue.bars(drawn) { continue }
            let own = slot(units.count), other = place(drawn, at: own)
            guard isPairwise else {
                units.append(Unit(event: Int(events), base: other, label: 0, weight: weight))
                continue
            }
            // The difference of the two scores is to be positive.
            for f in 0..<stride { own[f] = vectors.positive[f] - own[f] }
            units.append(Unit(event: Int(events), base: base - other, label: 1, weight: weight))
        }
    }

    func slot(_ unit: Int) -> UnsafeMutablePointer<Float> { slopes.unsafelyUnwrapped + unit * stride }

    /// Writes the slope of an item's score; answers the score where the row is zero.
    private func place(_ item: UInt32, at slope: UnsafeMutablePointer<Float>) -> Float {
        itemSide.start(item, ItemSide.attributes(model, item))
        let own = itemSide.fold()
        Kinds.slope(side, 0, itemSide.z, into: slope)
        (slope + sideWidth).update(repeating: 0, count: stride - sideWidth)
        if model.layout.hasWeights && model.settings.unobserved == .sampled && anchorState == nil { slope[sideWidth] = 1 }
        let width = side.meetsAttributes ? model.layout.queryWidth : model.width
        return constant + own + model.kernels.dot(side.query, itemSide.z, width)
    }

    // MARK: The interaction regulariser, on the side of the newest item

    /// Fills `vectors.image` with what the query gains by a row: it is linear in it.
    func image(of x: UnsafePointer<Float>) {
        if model.layout.userRowIsQuery { return vectors.image.update(from: x, count: sideWidth) }
        _ = side.fold()
        for f in 0..<model.width { vectors.image[f] = -side.query[f] }
        row.factors.update(from: x, count: sideWidth)
        _ = side.fold()
        model.kernels.add(vectors.image, side.query, 1, model.width)
        row.factors.update(repeating: 0, count: sideWidth)
    }

    /// out += strength · Jᵀ G q for a vector q as wide as the query, J the query's derivative.
    func addPenalty(of q: UnsafePointer<Float>, to out: UnsafeMutablePointer<Float>) {
        guard let state = model.grams else { return }
        model.kernels.product(vectors.product, state.items, q, model.width)
        Kinds.slope(side, 0, vectors.product, error: 0, into: vectors.back)
        model.kernels.add(out, vectors.back, strength, sideWidth)
    }

    /// Takes the solution up as the row; a row that is too long or not finite does not count.
    private func keep() -> Bool {
        let x = vectors.x, size = model.kernels.dot(x, x, stride)
        guard size.isFinite else {
            clearRow()
            return false
        }
        row.factors.update(from: x, count: sideWidth)
        let cap = model.settings.normCap
        if size > cap * cap { model.kernels.add(row.factors, row.factors, cap / size.squareRoot() - 1, sideWidth) }
        if anchorState == nil { row.state.pointee.weight = x[sideWidth] }
        return true
    }
}

extension FoldIn {
    /// What ranks best on MovieLens 1M: README.md, "Somebody without a row".
    static func settings(of model: ModelSettings) -> Settings {
        Settings(passes: 4, draws: max(16, min(model.negatives, 32)))
    }

    /// For users' own rows.
    convenience init(model: Model, refining settings: ModelSettings.Refinement) {
        let draws = FoldIn.settings(of: model.settings).draws
        self.init(model: model, settings: Settings(passes: settings.passes, draws: draws))
    }

    /// The items that draws come from.
    enum Catalogue {
        /// As they are now.
        case present(EntityTable)
        /// As they were at a position: their number, those without an item, and, where draws are verified, who has seen which.
        case past(count: Int, HoleMap.View, seen: (UserItems, user: UInt32)?)

        var count: Int {
            switch self {
            case .present(let items): items.count
            case .past(let count, _, _): count
            }
        }

        /// Whether an item is not to be drawn.
        func bars(_ item: UInt32) -> Bool {
            switch self {
            case .present(let items): items.isHole(item)
            case .past(_, let holes, let seen): holes.contains(item) || seen.map { $0.0.hasSeen(item, user: $0.user) } ?? false
            }
        }
    }

    /// Vectors of a fit.
    final class Vectors {
        let x, gradient, direction, residual, search, image, product, back, diagonal, positive, query, trial, anchor: UnsafeMutablePointer<Float>

        init(count: Int, queryWidth: Int) {
            let longest = max(count, queryWidth + 8)
            func vector() -> UnsafeMutablePointer<Float> { Parameters.floats(longest) }
            (x, gradient, direction, residual, search, image) = (vector(), vector(), vector(), vector(), vector(), vector())
            (product, back, diagonal, positive, query, trial) = (vector(), vector(), vector(), vector(), vector(), vector())
            anchor = vector()
        }

        deinit {
            for vector in [x, gradient, direction, residual, search, image, product, back, diagonal, positive, query, trial, anchor] { vector.deallocate() }
        }
    }
}
