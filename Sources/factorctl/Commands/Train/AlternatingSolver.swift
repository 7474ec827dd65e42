import Alternating
import ArgumentParser
import Factorization
import Glibc
import LinearAlgebra

/// The closed form that fits a model, and its way into an engine's rows.
struct AlternatingSolver {
    private enum Learner {
        case machine(AlternatingMachine)
        case bilinear(AlternatingBilinear)
        case implicit(AlternatingImplicit)
    }
    private var learner: Learner
    private let model: ModelSettings

    init(_ model: ModelSettings, _ data: Observations, ridge: Double?, unobserved: Double) throws {
        self.model = model
        guard data.count > 0 else { throw ValidationError("there is no event to learn from") }
        if model.unobserved == .regularized {
            learner = .implicit(
                AlternatingImplicit(
                    users: data.sizes[0], items: data.sizes[1],
                    settings: .init(rank: model.rank, unobservedWeight: unobserved, ridge: ridge ?? 0.003, seed: model.seed)))
            return
        }
        if Set(data.labels).count < 2 {
            throw ValidationError("all labels are \(data.labels[0]): nothing speaks against an event; --set model.unobserved=regularized has every pair count")
        }
        if model.loss == .logistic, !data.labels.allSatisfy({ (0...1).contains($0) }) {
            throw ValidationError("labels of logistic loss are 0 to 1; for ratings set model.loss=squared and events.TYPE.label=value")
        }
        let strength = ridge ?? 5
        let settings = AlternatingSettings(
            rank: model.rank, loss: model.loss == .squared ? .squared : .logistic, factorRidge: strength, weightRidge: strength,
            matrixRidge: strength, seed: model.seed)
        learner = model.kind == .bilinear
            ? .bilinear(AlternatingBilinear(users: data.sizes[0], items: data.sizes[1], settings: settings))
            : .machine(AlternatingMachine(sizes: data.sizes, settings: settings))
    }

    mutating func pass(_ data: Observations) throws(LinearAlgebraError) {
        switch learner {
        case .machine(var machine):
            try machine.pass(data)
            learner = .machine(machine)
        case .bilinear(var bilinear):
            try bilinear.pass(data)
            learner = .bilinear(bilinear)
        case .implicit(var implicit):
            try implicit.pass(data)
            learner = .implicit(implicit)
        }
    }

    func objective(_ data: Observations) -> Double {
        switch learner {
        case .machine(let machine): machine.objective(data)
        case .bilinear(let bilinear): bilinear.objective(data)
        case .implicit(let implicit): implicit.objective(data)
        }
    }

    /// How near the scores are to the labels.
    func fit(_ data: Observations) -> (metric: String, value: Double) {
        let all = data.weights.reduce(0, +)
        switch learner {
        case .machine(let machine): return fit(machine.loss(data) / all)
        case .bilinear(let bilinear): return fit(bilinear.loss(data) / all)
        case .implicit(let implicit):
            let sum = (0..<data.count).reduce(0.0) { sum, event in
                let error = implicit.scores(user: data.features[0][event], items: [data.features[1][event]])[0] - 1
                return sum + data.weights[event] * error * error
            }
            return ("rmse", (sum / all).squareRoot())
        }
    }

    private func fit(_ loss: Double) -> (metric: String, value: Double) {
        model.loss == .squared ? ("rmse", (2 * loss).squareRoot()) : ("log_loss", loss)
    }

    // MARK: Into an engine

    /// Writes all rows into the engine whose ordinals the events have, with what the optimiser would have kept of as many steps.
    func write(to engine: Engine, _ data: Observations) {
        let scores = score(data)
        let sides: [(Matrix, [Double])]
        switch learner {
        case .machine(let machine):
            engine.set(bias: Float(machine.bias), updates: UInt32(clamping: data.count))
            sides = [0, 1].map { (machine.factors[$0], machine.weights[$0]) }
        case .bilinear(let bilinear):
            engine.set(bias: Float(bilinear.bias), updates: UInt32(clamping: data.count))
            engine.set(
                matrix: (0..<bilinear.matrix.rows).map { bilinear.matrix.row($0).map { Float($0) } },
                userWeight: bilinear.userWeight.map { Float($0) }, itemWeight: bilinear.itemWeight.map { Float($0) })
            sides = [(bilinear.users, []), (bilinear.items, [])]
        case .implicit(let implicit): sides = [(implicit.users, []), (implicit.items, [])]
        }
        for side in 0...1 {
            let traces = Traces(side, data, scores, others: sides[1 - side].0)
            for feature in 0..<data.sizes[side] {
                let row = SolvedRow(
                    factors: sides[side].0.row(feature).map { Float($0) }, weight: sides[side].1.isEmpty ? 0 : Float(sides[side].1[feature]),
                    updates: UInt32(clamping: traces.counts[feature]), factorSquares: Float(traces.factors[feature]),
                    weightSquares: Float(traces.weights[feature]))
                if side == 0 { engine.set(user: UInt32(feature), row) } else { engine.set(item: UInt32(feature), row) }
            }
            if side == 0 { continue }
            engine.settle(weights: Traces(0, data, scores, others: sides[1].0).counts)
        }
    }

    private func score(_ data: Observations) -> [Double] {
        switch learner {
        case .machine(let machine): (0..<data.count).map { event in machine.score(data.features.map { $0[event] }) }
        case .bilinear(let bilinear): (0..<data.count).map { bilinear.score(user: data.features[0][$0], item: data.features[1][$0]) }
        case .implicit(let implicit): (0..<data.count).map { implicit.scores(user: data.features[0][$0], items: [data.features[1][$0]])[0] }
        }
    }

    /// By feature of a side: events, and the squared gradients that their last steps would have had.
    private struct Traces {
        var counts: [Int]
        var factors: [Double]
        var weights: [Double]

        init(_ side: Int, _ data: Observations, _ scores: [Double], others: Matrix) {
            counts = [Int](repeating: 0, count: data.sizes[side])
            factors = [Double](repeating: 0, count: data.sizes[side])
            weights = factors
            let norms = (0..<others.rows).map { row in others.row(row).reduce(0) { $0 + $1 * $1 } / Double(max(others.columns, 1)) }
            for event in 0..<data.count {
                let feature = data.features[side][event], error = scores[event] - data.labels[event]
                counts[feature] += 1
                weights[feature] += error * error
                factors[feature] += error * error * norms[data.features[1 - side][event]]
            }
        }
    }
}
