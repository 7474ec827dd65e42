import CKernels
import Synchronization

/// A row that was computed elsewhere, and what the optimiser would have kept of the steps that led to it.
public struct SolvedRow: Sendable, Equatable {
    /// As long as the model's rank.
    public var factors: [Float]
    public var weight: Float
    /// Events that it was computed from: what a schedule and draws around a score take for the row's age.
    public var updates: UInt32
    /// AdaGrad: Σ of the mean squared gradient of the factors, and of the squared gradient of the weight.
    public var factorSquares: Float
    public var weightSquares: Float

    public init(factors: [Float], weight: Float = 0, updates: UInt32 = 0, factorSquares: Float = 0, weightSquares: Float = 0) {
        self.factors = factors
        self.weight = weight
        self.updates = updates
        self.factorSquares = factorSquares
        self.weightSquares = weightSquares
    }
}

/// Solutions in closed form, imported factors and passes over what was learned before: for engines without threads.
extension Engine {
    /// Writes a user's row.
    public func set(user: UInt32, _ row: SolvedRow, model number: Int = 0) { set(models[number].users, user, row, models[number]) }

    /// Writes an item's row.
    public func set(item: UInt32, _ row: SolvedRow, model number: Int = 0) { set(models[number].items, item, row, models[number]) }

    private func set(_ table: FactorTable, _ ordinal: UInt32, _ row: SolvedRow, _ model: Model) {
        precondition(row.factors.count == table.rank, "a row has \(table.rank) factors")
        fk_write_state(
            table.state(ordinal),
            fk_row_state(
                weight: row.weight, weight_accumulator: row.weightSquares, factor_accumulator: row.factorSquares, updates: row.updates))
        if let accumulators = table.accumulators(ordinal) {
            for place in 0..<table.rank { accumulators[place] = row.factorSquares }
        }
        table.write(ordinal, row.factors + [Float](repeating: 0, count: table.width - table.rank), count: table.width, word: 0, model.kernels)
    }

    /// Writes w0.
    public func set(bias: Float, squares: Float = 0, updates: UInt32 = 0, model number: Int = 0) {
        models[number].restoreGlobalState(bias: bias, accumulator: squares, updates: updates)
        for trainer in trainers where trainer.learners[number].takesRuns { trainer.learners[number].run.pointee.restore(models[number]) }
    }

    /// Writes the global parameters of a `bilinear` model: W row after row, w_u and w_i.
    public func set(matrix: [[Float]], userWeight: [Float], itemWeight: [Float], model number: Int = 0) {
        let model = models[number], width = model.width, rank = model.settings.rank
        guard let parameters = model.parameters, model.settings.kind == .bilinear else {
            preconditionFailure("only a bilinear model has a matrix")
        }
        precondition(matrix.count == rank && matrix.allSatisfy { $0.count == rank }, "W is rank × rank")
        for r in 0..<rank { for c in 0..<rank { parameters.floats(0)[r * width + c] = matrix[r][c] } }
        for (block, weights) in [(1, userWeight), (2, itemWeight)] { for k in 0..<rank { parameters.floats(block)[k] = weights[k] } }
    }

    /// Gives a user a row, where there is none, and counts an interaction.
    public func admit(user key: Key) -> UInt32 {
        let ordinal = sequencer.ordinal(of: key, in: .users)
        users.count(ordinal, by: shared.increment(at: sequencer.lastPosition))
        return ordinal
    }

    /// The same for an item.
    public func admit(item key: Key) -> UInt32 {
        let ordinal = sequencer.ordinal(of: key, in: .items)
        items.count(ordinal, by: shared.increment(at: sequencer.lastPosition))
        return ordinal
    }

    /// A model's global parameters beside w0, without padding: W row after row, w_u, w_i for `bilinear`; empty for kinds without.
    public func parameters(model number: Int) -> [[Float]] {
        let model = models[number]
        guard let parameters = model.parameters else { return [] }
        let rank = model.settings.rank
        return parameters.blocks.indices.map { block in
            let floats = parameters.floats(block), used = parameters.blocks[block].used
            return (0..<used).map { place in used == rank ? floats[place] : floats[place / rank * model.width + place % rank] }
        }
    }

    /// Has a model with the interaction regulariser take its rows as they are now: Gram matrices anew, every item settled here.
    /// - Parameter weights: how many events each user has, by ordinal.
    public func settle(weights: [Int], model number: Int = 0) {
        let model = models[number], width = model.width
        guard let grams = model.grams else { return }
        grams.begin(model, itemCount: items.count, position: max(1, sequencer.lastPosition))
        let all = Float(max(1, weights.reduce(0, +)))
        for user in 0..<UInt32(min(weights.count, users.count)) where weights[Int(user)] > 0 {
            model.users.withCopy(user, model.kernels) { row in
                model.kernels.rankOne(grams.queries, 1, row, Float(weights[Int(user)]) / all, width)
            }
        }
    }

    /// Forgets what users held and saw, and no row: the same events are to be learned once more, and their context is to be what
    /// it was the first time.
    public func beginEpoch() {
        for user in 0..<UInt32(users.count) { shared.userItems.clear(user) }
    }

    /// Prequential metrics of a model, to be put back later: what is learned again was known, and would flatter.
    public func heldMetrics(_ model: Int) -> HeldMetrics { HeldMetrics(states: trainers.map { $0.learners[model].prequential.state }) }
    public func restore(_ metrics: HeldMetrics, model: Int) {
        for (trainer, state) in zip(trainers, metrics.states) { trainer.learners[model].prequential.restore(state) }
    }
    /// Begins metrics anew.
    public func clearMetrics(_ model: Int) {
        for trainer in trainers { trainer.learners[model].prequential.restore(PrequentialState(trainers: trainers.count)) }
    }
}

/// Prequential metrics of a model at some moment.
public struct HeldMetrics: Sendable {
    let states: [PrequentialState]
}
