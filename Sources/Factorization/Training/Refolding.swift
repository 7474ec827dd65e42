import CKernels

/// Brings a user's row up to date from the held history: the item side has moved while the user slept, so the row is led
/// once more past the items that the user took, oldest first, with everything but the row itself held fixed.
///
/// For each held item h_t, with n_t older ones held, the side is p_t = u + Σ_a x_a v_a + s Σ_{j<n_t} δ^j c_{h_{t+1+j}}: the
/// user's row, attributes, and the history as it stood then. The row takes the step that the event of item h_t with label 1
/// would give it now:
/// * sampled: against h_t and then the negatives drawn for it, verified against the seen set; e = σ(s) − y,
///   p ← p − η e q after each item; u gets what p has moved by, and u ← (1 − η λ c) u for the c items of the pass;
/// * regularised (`SamplingFree`, steps 2 and 3): p' = (I + η (γ_u/n) G)⁻¹ p, e = (⟨p', q⟩ − 1)/(1 + η ‖q‖²),
///   u ← u + (p' − p) − η (e q + λ u).
///
/// The draws are a function of seed, user, and the stamp of the user's last event: an answer is the same until something
/// that it rests on changes. Writes scratch only; what becomes of the result is the caller's matter.
///
/// Thread safety: scratch of one scorer or one learner.
final class Refolding {
    private let model: Model
    private let width: Int
    private let settings: ModelSettings.Refolding
    private let held: UnsafeMutableBufferPointer<UInt32>
    private let row: UnsafeMutablePointer<Float>
    private let p: UnsafeMutablePointer<Float>
    private let start: UnsafeMutablePointer<Float>
    private let attributes: UnsafeMutablePointer<Float>
    private let history: UnsafeMutablePointer<Float>
    /// An item's vector, or a row that its table does not hold as floats.
    private let item: UnsafeMutablePointer<Float>
    private let scratch: UnsafeMutablePointer<Float>
    /// Uniform, whatever the learner draws from: an answer knows no tables.
    private var draws: NegativeDraws
    /// Of items with attributes.
    private let itemSide: ItemSide
    /// State of the folded row: its linear weight as it is now.
    private let rowState: UnsafeMutablePointer<fk_row_state>
    /// δ^(M − 1): the weight of the oldest item of a full history.
    private let oldestWeight: Float
    /// What all scores of a pass have in common.
    private var constant: Float = 0

    /// - Parameter held: items that a user's history can hold.
    init?(model: Model, held: Int) {
        guard model.settings.refolding.after > 0 else { return nil }
        self.model = model
        width = model.width
        settings = model.settings.refolding
        self.held = .allocate(capacity: max(held, 1))
        func vector(_ count: Int) -> UnsafeMutablePointer<Float> { Parameters.floats(count) }
        row = vector(model.width)
        p = vector(model.width)
        start = vector(model.width)
        attributes = vector(model.width)
        history = vector(model.width)
        item = vector(model.width)
        scratch = vector(3 * model.width)
        draws = NegativeDraws(seed: model.settings.seed)
        itemSide = ItemSide(model: model)
        rowState = .allocate(capacity: 1)
        rowState.initialize(to: fk_row_state())
        oldestWeight = Float.power(model.settings.history.decay, max(model.settings.history.length - 1, 0))
    }

    deinit {
        held.deallocate()
        rowState.deallocate()
        for vector in [row, p, start, attributes, history, item, scratch] { vector.deallocate() }
    }

    /// Skips these ordinals from here on. A scorer does not: the rows of a hole are zero.
    func use(_ holes: HoleMap.View) { draws.use(holes) }

    /// Whether a user's row has slept past the threshold at `position`.
    @inline(__always)
    func isStale(stamp: UInt64, at position: UInt64) -> Bool {
        let now = model.halfLife.stamp(position)
        return stamp != 0 && now > stamp && now - stamp > settings.after
    }

    /// The row as it is after the pass; nil where nothing is held, where the row keeps no
    /// factors (`ModelSettings.Ftrl.sparseFactors`), or a value went bad.
    /// - Parameters:
    ///   - stamp: of the user's last event.
    ///   - now: stamp of the present: until then the stored rows fade.
    ///   - catalogue: number of items, from which negatives are drawn.
    /// - Returns: scratch, valid until the next call.
    func fold(user: UInt32, stamp: UInt64, now: UInt64, catalogue: UInt32, userItems: UserItems)
        -> (factors: UnsafeMutablePointer<Float>, state: UnsafeMutablePointer<fk_row_state>)?
    {
        let count = userItems.history(of: user, into: held), kernels = model.kernels
        guard count > 0 && catalogue > 0 && !model.users.isAsleep(user) else { return nil }
        kernels.copy(row, model.users.read(user, count: width, item, kernels), width)
        let factor = model.halfLife.factor(from: stamp, to: now)
        if factor != 1 { kernels.add(row, row, factor - 1, width) }
        rowState.pointee = fk_read_state(model.users.state(user))
        rowState.pointee.weight *= factor
        constant = model.bias + rowState.pointee.weight
        foldAttributes(of: user, now)
        let walk = min(count, settings.items)
        startHistory(before: walk - 1, count: count)
        let word = mix64(mix64(model.settings.seed ^ stamp) &+ UInt64(user))
        for place in stride(from: walk - 1, through: 0, by: -1) {
            p.update(from: row, count: width)
            kernels.add(p, attributes, 1, width)
            if model.histories != nil {
                kernels.add(p, history, model.historyScales[min(count - 1 - place, model.settings.history.length)], width)
            }
            start.update(from: p, count: width)
            if model.settings.unobserved == .regularized, let state = model.grams {
                stepRegularized(held[place], state, catalogue)
            } else {
                stepSampled(held[place], mix64(word &+ UInt64(place)), user, catalogue, userItems)
            }
            advanceHistory(past: place, count: count)
        }
        let size = kernels.dot(row, row, width), cap = model.settings.normCap
        guard size.isFinite else { return nil }
        if size > cap * cap { kernels.add(row, row, cap / size.squareRoot() - 1, width) }
        return (row, rowState)
    }

    private func stepSampled(_ taken: UInt32, _ word: UInt64, _ user: UInt32, _ catalogue: UInt32, _ userItems: UserItems) {
        let settings = model.settings
        var count = 1
        step(taken, label: 1)
        for draw in 0..<settings.negatives {
            let drawn = draws.item(word, draw, of: UInt64(catalogue))
            if drawn == taken || draws.holes.contains(drawn) || settings.verifiedNegatives && userItems.hasSeen(drawn, user: user) { continue }
            step(drawn, label: 0)
            count += 1
        }
        let kernels = model.kernels
        kernels.add(p, start, -1, width)
        kernels.add(row, row, -self.settings.rate * model.pace.l2.user * Float(count), width)
        kernels.add(row, p, 1, width)
    }

    @inline(__always)
    private func step(_ item: UInt32, label: Float) {
        let kernels = model.kernels
        var factors = model.items.read(item, count: width, self.item, kernels), weight = fk_read_state(model.items.state(item)).weight
        if model.attributes.items.has(item), let list = model.attributes.items[item] {
            itemSide.start(item, list)
            weight = itemSide.fold()
            factors = itemSide.z
        }
        let score = constant + weight + kernels.dot(p, factors, width)
        kernels.add(p, factors, -settings.rate * (fk_sigmoid(score) - label), width)
    }

    private func stepRegularized(_ taken: UInt32, _ state: GramState, _ catalogue: UInt32) {
        let kernels = model.kernels, rate = settings.rate
        ItemSide.vector(model, taken, into: item)
        kernels.solve(
            p, state.items, rate * model.settings.interaction.user / Float(catalogue), GramKeeper.steps, GramKeeper.enough, scratch, width)
        let e = (kernels.dot(p, item, width) - 1) / (1 + rate * kernels.dot(item, item, width))
        kernels.add(p, start, -1, width)
        kernels.add(row, row, -rate * model.pace.l2.user, width)
        kernels.add(row, p, 1, width)
        kernels.add(row, item, -rate * e, width)
    }

    private func foldAttributes(of user: UInt32, _ now: UInt64) {
        attributes.update(repeating: 0, count: width)
        guard model.attributes.users.has(user), let list = model.attributes.users[user] else { return }
        for index in 0..<list.count {
            let feature = list[index], rows = model.userAttributes
            let x = feature.weight * (rows.stamps.map { model.halfLife.factor(from: $0[feature.ordinal], to: now) } ?? 1)
            model.kernels.add(attributes, rows.read(feature.ordinal, count: width, item, model.kernels), x, width)
            constant += x * fk_read_state(rows.state(feature.ordinal)).weight
        }
    }

    /// Σ_j δ^j c of the items older than the one at `place`, newest first.
    private func startHistory(before place: Int, count: Int) {
        guard let table = model.histories else { return }
        history.update(repeating: 0, count: width)
        var weight: Float = 1
        for older in place + 1..<min(place + 1 + model.settings.history.length, count) {
            model.kernels.add(history, table.read(held[older], count: width, item, model.kernels), weight, width)
            weight *= model.settings.history.decay
        }
    }

    /// The same sum for the item after the one at `place`: that one comes in, the oldest goes out.
    private func advanceHistory(past place: Int, count: Int) {
        guard let table = model.histories else { return }
        let decay = model.settings.history.decay, length = model.settings.history.length, kernels = model.kernels
        if place + length < count {
            kernels.add(history, table.read(held[place + length], count: width, item, kernels), -oldestWeight, width)
        }
        kernels.add(history, history, decay - 1, width)
        kernels.add(history, table.read(held[place], count: width, item, kernels), 1, width)
    }
}
