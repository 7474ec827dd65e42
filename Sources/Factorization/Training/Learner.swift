import CKernels
import Synchronization

/// One model's learning on one trainer's thread: draws negatives, scores, steps rows, keeps prequential metrics.
///
/// Thread safety: one trainer; the counters and `prequential` can be read from anywhere.
///
/// What every event needs lies here as plain words (rows, kernels, numbers), so that a step counts no references.
final class Learner {
    let model: Model
    let kernels: Kernels
    let userRows: FactorRows
    let itemRows: FactorRows
    /// Rows of items as history; nil where that is not context.
    let historyRows: FactorRows?
    /// Records ahead at which these are asked for.
    let historyDistance: Int
    let negatives: Int
    let verifiesNegatives: Bool
    var draws: NegativeDraws
    let width: Int
    /// Whether the user's row alone is the query of an event without context.
    let userRowIsQuery: Bool
    let isPairwise: Bool
    /// Of the loss.
    let labels: ClosedRange<Float>
    let isSamplingFree: Bool
    /// Whether the interaction regulariser stands beside sampled negatives.
    let isInteracting: Bool
    /// How many have attributes, of either side; the lists' own counts.
    let usersWithAttributes: UnsafeMutablePointer<Atomic<Int>>
    let itemsWithAttributes: UnsafeMutablePointer<Atomic<Int>>
    let prequential: Prequential
    /// Errors and norms cut by their caps; items whose score was not finite. Written by the trainer, read by anyone.
    let clipped = Atomic<Int>(0)
    let rejected = Atomic<Int>(0)
    /// Rows stepped: the event's item and negatives, and the rows of the user's side. Written by the trainer, read by anyone.
    let rowUpdates = Atomic<Int>(0)

    /// Of items, then the stepper's.
    let settings: UnsafeMutablePointer<fk_settings>
    var stepper: RowStepper
    /// For items that have attributes.
    let attributed: AttributedPass
    /// For a model without sampled negatives.
    let samplingFree: SamplingFree?
    /// For a model with the interaction regulariser beside them.
    let interaction: InteractionRegularizer?
    let side: UserSide
    /// Where the rows of an event lie as floats while the tables hold them otherwise; nil where they hold floats.
    let bench: RowBench?
    let isHalf: Bool
    /// For users whose row has slept; nil where that is not to last.
    let refolding: Refolding?
    /// Re-solves rows of users; nil where that is off.
    let refinement: FoldIn?
    /// Rows of users re-solved.
    let refined = Atomic<Int>(0)
    /// Whether users' rows bear stamps, and whether rows fade.
    let stampsUsers: Bool
    let fades: Bool
    /// What the sweep visits.
    let sweptTables: [FactorTable]
    /// Rows of users folded anew, lastingly.
    let refolded = Atomic<Int>(0)
    /// Whether the user's row moves within a pass when other rows stand beside it.
    let movesUser: Bool
    /// Events that are learned together.
    let takesRuns: Bool
    /// Behind a pointer, so that an access needs no check of exclusivity.
    let run: UnsafeMutablePointer<EventRun>
    /// For several trainers that learn in runs.
    let hotRows: HotRows?
    /// What retrieval scans of the items' rows; without reference counting, which all trainers would do in one line.
    let itemCopy: Unmanaged<RowCopy>?
    /// The item and the negatives of an event that is learned by itself.
    let items: UnsafeMutablePointer<fk_item>
    let ordinals: UnsafeMutablePointer<UInt32>
    /// Items whose rows were written by events learned one by one.
    let touched: TouchedRows?
    /// The query as it moves through a pass, and the sum of error × item factors.
    let moving: UnsafeMutablePointer<Float>
    let gradient: UnsafeMutablePointer<Float>

    /// - Parameters:
    ///   - held: items that a user's history can hold.
    ///   - replays: whether past interactions are learned between those of the stream.
    ///   - trainers: of the engine.
    init(model: Model, held: Int, replays: Bool, trainers: Int = 1) {
        self.model = model
        kernels = model.kernels
        userRows = model.users.rows
        itemRows = model.items.rows
        historyRows = model.histories?.rows
        historyDistance = Learner.historyDistance(model)
        negatives = model.settings.negatives
        verifiesNegatives = model.settings.verifiedNegatives
        draws = NegativeDraws(seed: model.settings.seed)
        width = model.width
        userRowIsQuery = model.layout.userRowIsQuery && model.histories == nil
        isPairwise = model.settings.loss.isPairwise
        labels = model.settings.loss.labels
        isSamplingFree = model.settings.unobserved == .regularized
        isInteracting = !isSamplingFree && model.grams != nil
        usersWithAttributes = model.attributes.users.holders
        itemsWithAttributes = model.attributes.items.holders
        prequential = Prequential(loss: model.settings.loss, kernels: model.kernels, trainers: trainers)
        settings = .allocate(capacity: 3)
        settings.initialize(to: model.kernelSettings)
        stepper = RowStepper(model, settings: settings + 1)
        bench = RowBench(model)
        isHalf = bench != nil
        side = UserSide(model: model, bench: bench)
        attributed = AttributedPass(model: model, settings: settings, parameterGradient: side.parameterGradient, bench: bench)
        samplingFree = isSamplingFree ? SamplingFree(model: model, state: model.grams!) : nil
        interaction = isInteracting ? InteractionRegularizer(model: model, state: model.grams!) : nil
        refolding = model.settings.refolding.isLasting ? Refolding(model: model, held: held) : nil
        refinement = model.settings.isRefined && held > 0 ? FoldIn(model: model, refining: model.settings.refinement) : nil
        stampsUsers = model.users.stamps != nil
        fades = model.settings.halfLife > 0
        // Where there are Gram matrices, items are visited by the sweep of those.
        sweptTables = ([model.grams == nil ? model.items : nil, model.histories, model.itemAttributes]).compactMap(\.self)
        movesUser = model.settings.kind == .mf && model.settings.optimizer == .sgd
        precondition(EventRun.sharesLayout, "a structure lies otherwise in memory than fk_run.h says")
        takesRuns = Learner.takesRuns(model) && !replays
        run = .allocate(capacity: 1)
        run.initialize(to: EventRun(width: model.width, isSingle: model.settings.negatives == 0, trainers: trainers))
        run.pointee.restore(model)
        itemCopy = model.items.copy.map { .passUnretained($0) }
        hotRows = takesRuns && trainers > 1 ? HotRows(model, trainers: trainers) : nil
        items = .allocate(capacity: model.settings.negatives + 2)
        items.initialize(repeating: fk_item(), count: model.settings.negatives + 2)
        ordinals = .allocate(capacity: model.settings.negatives + 1)
        touched = model.items.copy.map(TouchedRows.init)
        moving = .allocate(capacity: model.width)
        gradient = .allocate(capacity: model.layout.queryWidth)
    }

    /// Steps as the model says now. While the trainer is idle.
    func adoptPace() {
        settings.pointee = model.kernelSettings
        stepper = RowStepper(model, settings: settings + 1)
        attributed.adoptPace()
        hotRows?.adoptPace(model)
    }

    deinit {
        settings.deallocate()
        run.pointee.deallocate()
        run.deallocate()
        items.deallocate()
        ordinals.deallocate()
        moving.deallocate()
        gradient.deallocate()
    }

    /// Scores and learns one interaction.
    /// - Parameters:
    ///   - label: what the score is to become, limited to the loss's labels.
    ///   - weight: importance, the event type's times the record's.
    ///   - firstFeature: where the record's features start in `queue`.
    ///   - replay: the word of draws of a past interaction that is learned again; nil for an event of the stream.
    @inline(__always)
    func learn(
        _ record: UnsafeMutablePointer<TrainingRecord>, label: Float, weight: Float, queue: TrainerQueue.View, firstFeature: Int,
        userItems: UserItems, replay: UInt64? = nil
    ) {
        let label = labels.nearest(to: label)
        if isSamplingFree {
            guard replay == nil else { return }
            return learnSamplingFree(
                record, label: label, weight: weight, queue: queue, firstFeature: firstFeature, userItems: userItems)
        }
        let user = record.pointee.user
        setItem(0, record.pointee.item, label: label, weight: weight)
        var count = 1
        if negatives > 0 && label > 0 {
            let word = replay ?? draws.word(at: record.pointee.position)
            count += drawNegatives(of: record, word, weight: weight, userItems: userItems)
        }
        // A pairwise loss has nothing to say of an item without a negative beside it.
        if isPairwise && count == 1 { return }
        if fades { wakeItems(record.pointee.position, count: count) }
        if stampsUsers { wakeUser(record, userItems: userItems) }
        if isHalf { layOut(count) }
        var pass = fk_pass()
        stepper.clipped = 0
        pass.catalogue = record.pointee.catalogue
        if isInteracting { interaction.unsafelyUnwrapped.begin(record, ordinals, count: count) }
        let standsAlone = record.pointee.featureCount == 0 && userRowIsQuery && !hasAttributes(user)
        if standsAlone {
            stepAlone(user, &pass, count)
        } else {
            side.start(user: user, userItems: userItems)
            for index in 0..<record.pointee.featureCount { side.append(queue.feature(firstFeature &+ index)) }
            if replay != nil { side.leaveOut(history: record.pointee.item) }
            if fades { wakeSide(record.pointee.position) }
            stepSum(user, &pass, count)
        }
        if isHalf { putBack(record, replay: replay) }
        countRows(count &+ (standsAlone ? 1 : side.rowCount))
        model.stepBias(error: pass.error_sum)
        if replay == nil { prequential.record(items, count: count, position: record.pointee.position) }
        if pass.clipped != 0 { clipped.add(Int(pass.clipped), ordering: .relaxed) }
        if pass.rejected != 0 { mend(record, rejected: Int(pass.rejected), count: count) }
        if isInteracting { interaction.unsafelyUnwrapped.finish(record, ordinals, count: count) }
        touched?.append(ordinals, count: count)
    }

    /// Only the trainer adds, so no read-modify-write is needed.
    @inline(__always)
    func countRows(_ count: Int) { rowUpdates.store(rowUpdates.load(ordering: .relaxed) &+ count, ordering: .relaxed) }

    @inline(__always)
    func setItem(_ index: Int, _ ordinal: UInt32, label: Float, weight: Float) {
        ordinals[index] = ordinal
        items[index] = fk_item(
            factors: itemRows.place(ordinal), accumulators: itemRows.accumulators(ordinal), state: itemRows.state(ordinal),
            linear: itemRows.linear(ordinal), label: label, weight: weight, score: 0)
    }

    /// The items' steps by the model's loss.
    /// - Parameter describesItems: whether any item may have attributes.
    @inline(__always)
    func run(_ pass: inout fk_pass, _ count: Int, describesItems: Bool) {
        if describesItems {
            if isPairwise {
                attributed.runPairs(&pass, items, ordinals, count: count)
            } else {
                attributed.run(&pass, items, ordinals, count: count)
            }
        } else if isPairwise {
            kernels.pairs(&pass, settings, items, count, width)
        } else {
            kernels.pass(&pass, settings, items, count, width)
        }
    }

    /// Whether attributes stand beside the user's row.
    @inline(__always)
    func hasAttributes(_ user: UInt32) -> Bool {
        usersWithAttributes.pointee.load(ordering: .relaxed) != 0 && model.attributes.users.has(user)
    }

    /// The user's side is the user's row alone: the row itself is the query and moves with each item.
    @inline(__always)
    func stepAlone(_ user: UInt32, _ pass: inout fk_pass, _ count: Int) {
        let state = userRows.state(user)
        if isInteracting { regularizeAlone(user, &pass) }
        pass.query = queryRow(user)
        pass.query_accumulators = userRows.accumulators(user)
        pass.query_state = state
        pass.query_l2 = settings.pointee.query.l2
        pass.constant = model.bias + fk_read_state(state).weight
        run(&pass, count, describesItems: itemsWithAttributes.pointee.load(ordering: .relaxed) != 0)
        if isPairwise && pass.pairs == 0 { return }
        var side = settings.pointee.query
        kernels.step(
            pass.query, pass.query_accumulators, state, userRows.linear(user), nil, nil, 1, 0, pass.error_sum, &side, settings, 0,
            &pass.clipped)
    }

    /// The user's side is a sum of rows. The query is folded once; what the pass says of it gathers and is handed to each
    /// row at the end.
    ///
    /// With `mf` under plain sgd the user's own row moves with each item as above, which is the same formula with fresher
    /// values; elsewhere the user's row waits like the others.
    func stepSum(_ user: UInt32, _ pass: inout fk_pass, _ count: Int) {
        pass.constant = side.fold()
        gradient.update(repeating: 0, count: side.meetsAttributes ? model.layout.queryWidth : width)
        if let parameters = model.parameters { side.parameterGradient.update(repeating: 0, count: parameters.count) }
        if isInteracting { regularizeSum(catalogue: pass.catalogue) }
        pass.gradient = gradient
        if movesUser {
            moving.update(from: side.query, count: width)
            // A sparse row without factors moves neither here nor in the pass.
            if isInteracting && !model.users.isAsleep(user) { kernels.add(moving, gradient, -settings.pointee.query.rate, width) }
            pass.query = moving
            pass.query_state = side.rows[0].state
        } else {
            pass.query = side.query
        }
        run(&pass, count, describesItems: side.meetsAttributes)
        if isPairwise && pass.pairs == 0 && !isInteracting { return }
        // No item was stepped: a row of the side is bad and must not reach the others.
        if pass.rejected != 0 && pass.error_square_sum == 0 { return }
        if movesUser { moveUser(&pass, isPairwise ? Int(pass.pairs) : count) }
        let first = movesUser ? 1 : 0
        Kinds.backPropagate(side, gradient, error: pass.error_sum, from: first, &stepper)
        pass.clipped += stepper.clipped
    }
}
