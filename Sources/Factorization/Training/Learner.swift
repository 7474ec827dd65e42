import CKernels
import Synchronization

/// One model's learning on one trainer's thread: draws negatives, scores, steps rows, keeps prequential metrics.
///
/// Thread safety: one trainer; the counters and `prequential` can be read from anywhere.
final class Learner {
    let model: Model
    let prequential: Prequential
    /// Errors and norms cut by their caps; items whose score was not finite. Written by the trainer, read by anyone.
    let clipped = Atomic<Int>(0)
    let rejected = Atomic<Int>(0)

    private let settings: UnsafeMutablePointer<fk_settings>
    private var contextSide: fk_side
    private let items: UnsafeMutablePointer<fk_item>
    private let query: UnsafeMutablePointer<Float>
    private let gradient: UnsafeMutablePointer<Float>
    /// Context features of the event at hand.
    private let features: UnsafeMutablePointer<ResolvedFeature>
    private static let featureLimit = Sequencer.featureLimit

    init(model: Model) {
        self.model = model
        prequential = Prequential(loss: model.settings.loss)
        settings = .allocate(capacity: 1)
        settings.initialize(to: model.kernelSettings)
        contextSide = settings.pointee.query
        contextSide.rate = model.settings.rates.context
        contextSide.l2 = model.settings.l2.context
        items = .allocate(capacity: model.settings.negatives + 1)
        items.initialize(repeating: fk_item(), count: model.settings.negatives + 1)
        query = .allocate(capacity: model.width)
        gradient = .allocate(capacity: model.width)
        features = .allocate(capacity: Learner.featureLimit)
    }

    deinit {
        settings.deallocate()
        items.deallocate()
        query.deallocate()
        gradient.deallocate()
        features.deallocate()
    }

    /// Scores and learns one interaction.
    /// - Parameters:
    ///   - label: what the score is to become.
    ///   - weight: importance, the event type's times the record's.
    ///   - firstFeature: where the record's features start in `queue`.
    @inline(__always)
    func learn(
        _ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, queue: TrainerQueue, firstFeature: Int,
        userItems: UserItems
    ) {
        let user = record.pointee.user
        setItem(0, record.pointee.item, label: label, weight: weight)
        var count = 1
        if model.settings.negatives > 0 && label > 0 {
            count += drawNegatives(of: record, weight: weight, userItems: userItems)
        }
        var pass = fk_pass()
        let featureCount = min(Int(record.pointee.featureCount), Learner.featureLimit)
        if featureCount == 0 {
            stepAlone(user, &pass, count)
        } else {
            for index in 0..<featureCount { (features + index).initialize(to: queue.feature(firstFeature + index)) }
            stepSum(user, UnsafeBufferPointer(start: features, count: featureCount), &pass, count)
        }
        model.stepBias(error: pass.error_sum)
        prequential.record(items, count: count)
        if pass.clipped != 0 { clipped.add(Int(pass.clipped), ordering: .relaxed) }
        if pass.rejected != 0 { mend(record, rejected: Int(pass.rejected), count: count) }
    }

    @inline(__always)
    private func setItem(_ index: Int, _ ordinal: UInt32, label: Float, weight: Float) {
        let table = model.items
        items[index] = fk_item(
            factors: table.factors(ordinal), accumulators: table.accumulators(ordinal), state: table.state(ordinal),
            label: label, weight: weight, score: 0)
    }

    /// Draws uniformly from the catalogue as it was at the event's position: a function of seed, position and catalogue,
    /// so that a replay draws the same. A draw that hits the event's item, or (verified) one that the user has seen, is
    /// skipped. Answers how many remain.
    @inline(__always)
    private func drawNegatives(of record: UnsafeMutablePointer<TrainingRecord>, weight: Float, userItems: UserItems) -> Int {
        let catalogue = UInt64(record.pointee.catalogue)
        let base = mix64(model.settings.seed ^ record.pointee.position)
        var drawn = 0
        for draw in 0..<model.settings.negatives {
            let word = mix64(base &+ UInt64(draw)) >> 32
            let ordinal = UInt32(truncatingIfNeeded: (word &* catalogue) >> 32)
            if ordinal == record.pointee.item { continue }
            if model.settings.verifiedNegatives && userItems.hasSeen(ordinal, user: record.pointee.user) { continue }
            drawn += 1
            setItem(drawn, ordinal, label: 0, weight: weight)
        }
        return drawn
    }

    /// The user's side is the user's row alone (both kinds agree then): the row itself is the query and moves with each item.
    @inline(__always)
    private func stepAlone(_ user: UInt32, _ pass: inout fk_pass, _ count: Int) {
        let table = model.users
        let row = table.factors(user), state = table.state(user)
        pass.query = row
        pass.query_accumulators = table.accumulators(user)
        pass.query_state = state
        pass.query_l2 = settings.pointee.query.l2
        pass.constant = model.bias + fk_read_state(state).weight
        model.kernels.pass(&pass, settings, items, count, model.width)
        var side = settings.pointee.query
        model.kernels.step(nil, nil, state, nil, nil, 1, 0, pass.error_sum, &side, settings, 0, &pass.clipped)
    }

    /// The user's side is a sum of rows: the query is folded, stays fixed over the items, and the gradient that gathered
    /// is handed to each row. For `fm` the side's own pairs add Σe · x (p − x v).
    private func stepSum(
        _ user: UInt32, _ features: UnsafeBufferPointer<ResolvedFeature>, _ pass: inout fk_pass, _ count: Int
    ) {
        let width = model.width
        let fold = Fold(model, user: user, features: features, into: query)
        gradient.update(repeating: 0, count: width)
        pass.query = query
        pass.query_state = nil
        pass.gradient = gradient
        pass.constant = fold.constant
        model.kernels.pass(&pass, settings, items, count, width)
        guard pass.error_square_sum.isFinite else { return }
        let pair: Float = model.settings.kind == .fm ? pass.error_sum : 0
        var side = settings.pointee.query
        model.kernels.step(
            model.users.factors(user), model.users.accumulators(user), model.users.state(user), gradient, query, 1, pair,
            pass.error_sum, &side, settings, width, &pass.clipped)
        for feature in features {
            model.kernels.step(
                model.contexts.factors(feature.ordinal), model.contexts.accumulators(feature.ordinal),
                model.contexts.state(feature.ordinal), gradient, query, feature.weight, pair, pass.error_sum, &contextSide,
                settings, width, &pass.clipped)
        }
    }

    /// A score was not finite, so some row of the event is bad: rows that hold such a value go back to their first values
    /// rather than spread it.
    @inline(never)
    private func mend(_ record: UnsafeMutablePointer<TrainingRecord>, rejected count: Int, count items: Int) {
        rejected.add(count, ordering: .relaxed)
        func mend(_ table: FactorTable, _ ordinal: UInt32) {
            let row = table.factors(ordinal), state = fk_read_state(table.state(ordinal))
            let size = model.kernels.dot(row, row, table.width)
            if !(size.isFinite && state.weight.isFinite) { table.reset(ordinal) }
        }
        mend(model.users, record.pointee.user)
        mend(model.items, record.pointee.item)
        for index in 0..<min(Int(record.pointee.featureCount), Learner.featureLimit) {
            mend(model.contexts, features[index].ordinal)
        }
    }

    /// Puts a user's row back to its first values.
    func forget(user: UInt32) { model.users.reset(user) }
}
