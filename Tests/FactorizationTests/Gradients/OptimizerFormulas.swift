import CKernels
import Foundation

@testable import Factorization

/// An optimiser with its options.
struct OptimizerCase: CustomStringConvertible, Sendable {
    var description: String
    var optimizer: ModelSettings.Optimizer
    var steps = ModelSettings.Steps()

    static let ftrl = ModelSettings.Ftrl(alpha: 0.3, beta: 0.7, l1: 0.8, l2: 0.2)
    static let sparse = ModelSettings.Ftrl(alpha: 0.3, beta: 0.7, l1: 0.8, l2: 0.2, sparseFactors: true)
    static let all = [
        OptimizerCase(description: "sgd", optimizer: .sgd),
        OptimizerCase(description: "sgd inverse-time", optimizer: .sgd, steps: .init(horizon: 3)),
        OptimizerCase(description: "adagrad", optimizer: .adagrad),
        OptimizerCase(description: "adagrad half-life", optimizer: .adagrad, steps: .init(halfLife: 2.5)),
        OptimizerCase(description: "coordinate", optimizer: .adagradCoordinate),
        OptimizerCase(description: "coordinate half-life", optimizer: .adagradCoordinate, steps: .init(halfLife: 2.5)),
        OptimizerCase(description: "sgd ftrl", optimizer: .sgd, steps: .init(ftrl: ftrl)),
        OptimizerCase(description: "sgd inverse-time ftrl", optimizer: .sgd, steps: .init(horizon: 3, ftrl: ftrl)),
        OptimizerCase(description: "adagrad half-life ftrl", optimizer: .adagrad, steps: .init(halfLife: 2.5, ftrl: ftrl)),
        OptimizerCase(description: "coordinate ftrl sparse", optimizer: .adagradCoordinate, steps: .init(ftrl: sparse)),
        OptimizerCase(description: "sgd ftrl sparse", optimizer: .sgd, steps: .init(ftrl: sparse)),
        OptimizerCase(description: "adagrad half-life ftrl sparse", optimizer: .adagrad, steps: .init(halfLife: 2.5, ftrl: sparse)),
    ]

    func apply(to settings: inout ModelSettings) {
        settings.optimizer = optimizer
        settings.steps = steps
    }
}

/// A row with all of its optimiser's state in double, and the optimisers' formulas.
struct OptimizedRow {
    var v: [Double]
    var w = 0.0
    var factorAccumulator: Double
    var accumulators: [Double]
    var weightAccumulator: Double
    /// ftrl's; nil where another optimiser moves the weight.
    var z: Double?
    var updates: Double
    /// Whether the row has a linear weight; what the state holds of one is of no meaning otherwise.
    var hasWeight = true
    /// Factors that a sparse row starts with.
    let first: [Double]

    init(_ table: FactorTable, _ ordinal: UInt32, hasWeight: Bool = true) {
        self.hasWeight = hasWeight
        let row = ReferenceRow(table, ordinal), state = table.state(ordinal).pointee
        (v, w, accumulators) = (row.v, row.w, row.accumulators)
        factorAccumulator = row.factorAccumulator
        weightAccumulator = row.weightAccumulator
        z = table.linear(ordinal).z.map { Double($0.pointee) }
        updates = Double(state.updates)
        var first = [Float](repeating: 0, count: table.width)
        fk_first_factors(&first, table.rank, table.width, table.rows.firstSeed(ordinal), table.deviation)
        self.first = first.prefix(table.rank).map(Double.init)
    }

    init(_ parameters: Parameters, _ index: Int, rank: Int) {
        let row = ReferenceRow(parameters, index, rank: rank)
        (v, accumulators, factorAccumulator) = (row.v, row.accumulators, row.factorAccumulator)
        weightAccumulator = 0
        updates = Double(parameters.state(index).pointee.updates)
        first = []
    }

    /// One step. `weight` is the gradient of the loss by the weight, nil where the row has none; l2 is added here.
    mutating func step(
        _ gradient: [Double], weight: Double?, rate: Float, l2: Float, _ settings: ModelSettings
    ) {
        let steps = settings.steps, isSparse = z != nil && steps.ftrl!.sparseFactors, before = w
        if !(isSparse && w == 0) {
            stepFactors(zip(gradient, v).map { $0 + Double(l2) * $1 }, rate: Double(rate), settings.optimizer, steps)
        }
        if let weight {
            if z != nil { stepFtrl(weight, steps.ftrl!) } else { stepWeight(weight + Double(settings.l2.weight) * w, settings) }
        }
        if isSparse && (before == 0) != (w == 0) {
            v = before == 0 ? first : first.map { _ in 0 }
            factorAccumulator = 0
            accumulators = accumulators.map { _ in 0 }
        }
        updates += 1
    }

    /// η/(1 + u/h); G ← G 2^(-1/h) + g², η/√G.
    private mutating func stepFactors(_ g: [Double], rate: Double, _ optimizer: ModelSettings.Optimizer, _ steps: ModelSettings.Steps) {
        let keep = steps.halfLife > 0 ? pow(2, -1 / Double(steps.halfLife)) : 1
        switch optimizer {
        case .sgd:
            let rate = steps.horizon > 0 ? rate / (1 + updates / Double(steps.horizon)) : rate
            for f in v.indices { v[f] -= rate * g[f] }
        case .adagrad:
            factorAccumulator = keep * factorAccumulator + dot(g, g) / Double(g.count)
            for f in v.indices { v[f] -= rate * g[f] / (factorAccumulator.squareRoot() + 1e-12) }
        case .adagradCoordinate:
            for f in v.indices {
                accumulators[f] = keep * accumulators[f] + g[f] * g[f]
                v[f] -= rate * g[f] / (accumulators[f].squareRoot() + 1e-12)
            }
        }
    }

    private mutating func stepWeight(_ g: Double, _ settings: ModelSettings) {
        let steps = settings.steps, rate = Double(settings.rates.weight)
        if settings.optimizer == .sgd { return w -= rate * g / (steps.horizon > 0 ? 1 + updates / Double(steps.horizon) : 1) }
        weightAccumulator = (steps.halfLife > 0 ? pow(2, -1 / Double(steps.halfLife)) : 1) * weightAccumulator + g * g
        w -= rate * g / (weightAccumulator.squareRoot() + 1e-12)
    }

    /// McMahan et al. 2013, algorithm 1, as it is printed.
    private mutating func stepFtrl(_ g: Double, _ ftrl: ModelSettings.Ftrl) {
        let alpha = Double(ftrl.alpha), n = weightAccumulator
        let sigma = ((n + g * g).squareRoot() - n.squareRoot()) / alpha
        let sum = z! + g - sigma * w
        weightAccumulator = n + g * g
        z = sum
        let scale = (Double(ftrl.beta) + weightAccumulator.squareRoot()) / alpha + Double(ftrl.l2)
        w = abs(sum) <= Double(ftrl.l1) ? 0 : -(sum - (sum < 0 ? -1 : 1) * Double(ftrl.l1)) / scale
    }

    /// Numbers that a step may have moved, with the size that rounding is measured by.
    var numbers: [Double] { v + accumulators + [w, factorAccumulator, hasWeight ? weightAccumulator : 0, z ?? 0] }

    /// Where `self` is not what `want` says, `before` being the row before its step: 1e-4 of the step, and rounding.
    func differences(_ want: OptimizedRow, before: OptimizedRow) -> [Int] {
        let step = zip(want.numbers, before.numbers).map { abs($0 - $1) }
        let factors = step.prefix(v.count).max() ?? 0
        return numbers.indices.filter { i in
            let allowed = 1e-4 * (i < v.count ? factors : step[i]) + 4e-7 * (abs(want.numbers[i]) + 0.2)
            return !(abs(numbers[i] - want.numbers[i]) <= allowed)
        } + (updates == want.updates ? [] : [-1])
    }
}
