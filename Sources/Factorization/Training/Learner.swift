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
    var stepper: RowStepper
    /// For items that have attributes.
    private let attributed: AttributedPass
    /// For a model without sampled negatives.
    private let samplingFree: SamplingFree?
    let side: UserSide
    /// Whether the user's row moves within a pass when other rows stand beside it.
    private let movesUser: Bool
    /// The event's item and its negatives.
    private let items: UnsafeMutablePointer<fk_item>
    private let ordinals: UnsafeMutablePointer<UInt32>
    /// The query as it moves through a pass, and the sum of error × item factors.
    private let moving: UnsafeMutablePointer<Float>
    private let gradient: UnsafeMutablePointer<Float>

    init(model: Model) {
        self.model = model
        prequential = Prequential(loss: model.settings.loss)
        settings = .allocate(capacity: 1)
        settings.initialize(to: model.kernelSettings)
        stepper = RowStepper(model, settings: settings)
        side = UserSide(model: model)
        attributed = AttributedPass(model: model, settings: settings)
        samplingFree = model.samplingFree.map { SamplingFree(model: model, state: $0) }
        movesUser = model.settings.kind == .mf && model.settings.optimizer == .sgd
        items = .allocate(capacity: model.settings.negatives + 2)
        items.initialize(repeating: fk_item(), count: model.settings.negatives + 2)
        ordinals = .allocate(capacity: model.settings.negatives + 1)
        moving = .allocate(capacity: model.width)
        gradient = .allocate(capacity: model.width)
    }

    deinit {
        settings.deallocate()
        items.deallocate()
        ordinals.deallocate()
        moving.deallocate()
        gradient.deallocate()
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
        if samplingFree != nil {
            return learnSamplingFree(
                record, label: label, weight: weight, queue: queue, firstFeature: firstFeature, userItems: userItems)
        }
        let user = record.pointee.user
        setItem(0, record.pointee.item, label: label, weight: weight)
        var count = 1
        if model.settings.negatives > 0 && label > 0 {
            count += drawNegatives(of: record, weight: weight, userItems: userItems)
        }
        var pass = fk_pass()
        stepper.clipped = 0
        if record.pointee.featureCount == 0 && model.histories == nil && !model.attributes.users.has(user) {
            stepAlone(user, &pass, count)
        } else {
            side.start(user: user, userItems: userItems)
            for index in 0..<Int(record.pointee.featureCount) { side.append(queue.feature(firstFeature &+ index)) }
            stepSum(&pass, count)
        }
        model.stepBias(error: pass.error_sum)
        prequential.record(items, count: count)
        if pass.clipped != 0 { clipped.add(Int(pass.clipped), ordering: .relaxed) }
        if pass.rejected != 0 { mend(record, rejected: Int(pass.rejected), count: count) }
    }

    /// Scores and learns one interaction of a model without sampled negatives. One draw from the catalogue is scored beside
    /// it, for the prequential comparison only.
    private func learnSamplingFree(
        _ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, queue: TrainerQueue, firstFeature: Int,
        userItems: UserItems
    ) {
        side.start(user: record.pointee.user, userItems: userItems)
        for index in 0..<Int(record.pointee.featureCount) { side.append(queue.feature(firstFeature &+ index)) }
        _ = side.fold()
        stepper.clipped = 0
        setItem(0, record.pointee.item, label: label, weight: weight)
        samplingFree.unsafelyUnwrapped.learn(record, label: label, weight: weight, side: side, stepper: &stepper, items: items)
        prequential.record(items, count: items[1].factors == nil ? 1 : 2)
        if stepper.clipped != 0 { clipped.add(Int(stepper.clipped), ordering: .relaxed) }
        if !items[0].score.isFinite { mend(record, rejected: 1, count: 1) }
    }

    @inline(__always)
    private func setItem(_ index: Int, _ ordinal: UInt32, label: Float, weight: Float) {
        let table = model.items
        ordinals[index] = ordinal
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

    /// The items' steps.
    @inline(__always)
    private func run(_ pass: inout fk_pass, _ count: Int) {
        if model.attributes.items.isEmpty || !model.takesItemAttributes {
            model.kernels.pass(&pass, settings, items, count, model.width)
        } else {
            attributed.run(&pass, items, ordinals, count: count)
        }
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
        run(&pass, count)
        var side = settings.pointee.query
        model.kernels.step(nil, nil, state, nil, nil, 1, 0, pass.error_sum, &side, settings, 0, &pass.clipped)
    }

    /// The user's side is a sum of rows. The query is folded once; what the pass says of it gathers and is handed to each
    /// row at the end.
    ///
    /// With `mf` under plain sgd the user's own row moves with each item as above, which is the same formula with fresher
    /// values; elsewhere the user's row waits like the others.
    private func stepSum(_ pass: inout fk_pass, _ count: Int) {
        let width = model.width
        pass.constant = side.fold()
        gradient.update(repeating: 0, count: width)
        pass.gradient = gradient
        if movesUser {
            moving.update(from: side.query, count: width)
            pass.query = moving
            pass.query_state = side.rows[0].state
        } else {
            pass.query = side.query
        }
        run(&pass, count)
        if movesUser { moveUser(&pass, count) }
        let first = movesUser ? 1 : 0
        switch model.settings.kind {
        case .mf: MatrixFactorization.backPropagate(side, gradient, error: pass.error_sum, from: first, &stepper)
        case .fm: FactorizationMachine.backPropagate(side, gradient, error: pass.error_sum, from: first, &stepper)
        }
        pass.clipped += stepper.clipped
    }

    /// Gives the user's row what the query has moved by, and its l2 and linear weight their steps.
    private func moveUser(_ pass: inout fk_pass, _ count: Int) {
        let row = side.rows[0].factors, width = model.width
        model.kernels.add(moving, side.query, -1, width)
        model.kernels.add(row, row, -settings.pointee.query.rate * settings.pointee.query.l2 * Float(count), width)
        model.kernels.add(row, moving, 1, width)
        var weights = settings.pointee.query
        model.kernels.step(nil, nil, side.rows[0].state, nil, nil, 1, 0, pass.error_sum, &weights, settings, 0, &pass.clipped)
    }

    /// A score was not finite, so some row of the event is bad: rows that hold such a value go back to their first values
    /// rather than spread it.
    @inline(never)
    private func mend(_ record: UnsafeMutablePointer<TrainingRecord>, rejected count: Int, count items: Int) {
        rejected.add(count, ordering: .relaxed)
        mend(model.users, record.pointee.user)
        for index in 0..<items {
            mend(model.items, ordinals[index])
            guard let list = model.attributes.items[ordinals[index]] else { continue }
            for place in 0..<list.count { mend(model.itemAttributes, list[place].ordinal) }
        }
        let stoodAlone = record.pointee.featureCount == 0 && model.histories == nil && !model.attributes.users.has(record.pointee.user)
        guard !stoodAlone || samplingFree != nil else { return }
        for index in 1..<side.rowCount {
            let row = side.rows[index]
            mend(model.table(row.group), row.ordinal)
        }
    }

    private func mend(_ table: FactorTable, _ ordinal: UInt32) {
        let row = table.factors(ordinal), state = fk_read_state(table.state(ordinal))
        let size = model.kernels.dot(row, row, table.width)
        if !(size.isFinite && state.weight.isFinite) { table.reset(ordinal) }
    }

    /// Puts a user's row back to its first values.
    func forget(user: UInt32) { model.users.reset(user) }
}
