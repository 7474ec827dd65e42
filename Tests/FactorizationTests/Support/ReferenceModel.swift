import CKernels
import Foundation

@testable import Factorization

/// A row in double precision.
struct ReferenceRow {
    var v: [Double]
    var w = 0.0
    var factorAccumulator = 0.0
    var weightAccumulator = 0.0
    var accumulators: [Double]

    /// - Parameter withTail: whether `v` goes on with the row's tail.
    init(_ table: FactorTable, _ ordinal: UInt32, withTail: Bool = false) {
        let state = table.state(ordinal).pointee, held = table.accumulators(ordinal), row = table.factors(ordinal)
        let places = Array(0..<table.rank) + (withTail ? Array(table.width..<table.width + table.tail) : [])
        v = places.map { Double(row[$0]) }
        w = Double(state.weight)
        factorAccumulator = Double(state.factor_accumulator)
        weightAccumulator = Double(state.weight_accumulator)
        accumulators = places.map { index in held.map { Double($0[index]) } ?? 0 }
    }

    /// One step against given gradients, by the optimiser's formula.
    mutating func step(_ gradient: [Double], weightGradient: Double, rate: Float, weightRate: Float, _ optimizer: ModelSettings.Optimizer) {
        stepFactors(gradient, rate: rate, optimizer)
        stepWeight(weightGradient, rate: weightRate, optimizer)
    }

    mutating func stepFactors(_ gradient: [Double], rate: Float, _ optimizer: ModelSettings.Optimizer) {
        if optimizer == .adagrad { factorAccumulator += gradient.reduce(0) { $0 + $1 * $1 } / Double(v.count) }
        for index in v.indices {
            accumulators[index] += optimizer == .adagradCoordinate ? gradient[index] * gradient[index] : 0
            let scale =
                switch optimizer {
                case .sgd: 1.0
                case .adagrad: factorAccumulator.squareRoot() + 1e-12
                case .adagradCoordinate: accumulators[index].squareRoot() + 1e-12
                }
            v[index] -= Double(rate) * gradient[index] / scale
        }
    }

    mutating func stepWeight(_ gradient: Double, rate: Float, _ optimizer: ModelSettings.Optimizer) {
        if optimizer == .sgd { return w -= Double(rate) * gradient }
        weightAccumulator += gradient * gradient
        w -= Double(rate) * gradient / (weightAccumulator.squareRoot() + 1e-12)
    }
}

func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

/// One event of a model in double precision, written from the formulas: score by pairs, gradients, steps in sequence.
struct ReferenceEvent {
    let settings: ModelSettings
    /// The query side: the user's row first (x = 1), then context.
    var rows: [ReferenceRow]
    var x: [Double]
    /// Item rows by ordinal, and the pass over them.
    var items: [UInt32: ReferenceRow]
    var pass: [(item: UInt32, label: Double)]
    var weight: Double
    var bias: Double
    var biasAccumulator: Double

    init(_ model: Model, user: UInt32, context: [(UInt32, Float)], pass: [(item: UInt32, label: Double)], weight: Float = 1) {
        settings = model.settings
        rows = [ReferenceRow(model.users, user)] + context.map { ReferenceRow(model.contexts, $0.0) }
        x = [1] + context.map { Double($0.1) }
        items = Dictionary(pass.map { ($0.item, ReferenceRow(model.items, $0.item)) }, uniquingKeysWith: { a, _ in a })
        self.pass = pass
        self.weight = Double(weight)
        bias = Double(model.globalState.bias)
        biasAccumulator = Double(model.globalState.accumulator)
    }

    /// The score by its definition: all pairs for `fm`, pairs across the sides for `mf`.
    func score(_ item: UInt32) -> Double {
        let q = items[item]!
        var sum = bias + q.w
        for a in rows.indices {
            sum += x[a] * rows[a].w + x[a] * dot(rows[a].v, q.v)
            if settings.kind == .fm {
                for b in rows.indices where b > a { sum += x[a] * x[b] * dot(rows[a].v, rows[b].v) }
            }
        }
        return sum
    }

    func loss(score s: Double, label y: Double) -> Double {
        settings.loss == .squared ? (s - y) * (s - y) / 2 : log(1 + exp(s)) - y * s
    }

    /// dl/ds times the event's weight.
    func error(score s: Double, label y: Double) -> Double {
        weight * (settings.loss == .squared ? s - y : 1 / (1 + exp(-s)) - y)
    }

    /// Regularised loss of the first item alone: what one step without negatives descends on.
    var objective: Double {
        func penalty(_ row: ReferenceRow, _ l2: Float) -> Double {
            Double(l2) / 2 * dot(row.v, row.v) + Double(settings.l2.weight) / 2 * row.w * row.w
        }
        var sum = weight * loss(score: score(pass[0].item), label: pass[0].label) + penalty(items[pass[0].item]!, settings.l2.item)
        for (index, row) in rows.enumerated() { sum += penalty(row, index == 0 ? settings.l2.user : settings.l2.context) }
        return sum
    }

    /// Gradient of factors and weight of query row `a`, its weight times `errorSum` and factors along Σ e q.
    func queryGradient(_ a: Int, errorTimesItems g: [Double], errorSum: Double) -> (v: [Double], w: Double) {
        let l2 = Double(a == 0 ? settings.l2.user : settings.l2.context)
        let v = g.indices.map { f in
            var pairs = 0.0
            if settings.kind == .fm { for b in rows.indices where b != a { pairs += x[b] * rows[b].v[f] } }
            return x[a] * (g[f] + errorSum * pairs) + l2 * rows[a].v[f]
        }
        return (v, x[a] * errorSum + Double(settings.l2.weight) * rows[a].w)
    }

    func itemGradient(_ item: UInt32, error: Double) -> (v: [Double], w: Double) {
        let q = items[item]!
        let v = q.v.indices.map { f in
            error * rows.indices.reduce(0) { $0 + x[$1] * rows[$1].v[f] } + Double(settings.l2.item) * q.v[f]
        }
        return (v, error + Double(settings.l2.weight) * q.w)
    }

    /// The pass: each item scored and stepped after the last one; a user without context moves with each item, a sum of
    /// rows stays fixed and its rows step at the end.
    mutating func step() {
        let alone = rows.count == 1, optimizer = settings.optimizer
        // Under `mf` with sgd the user's row moves with each item also beside other rows; its l2 then acts on the value from
        // before the pass, once for each item.
        let moves = !alone && settings.kind == .mf && optimizer == .sgd, first = rows[0].v
        var g = rows[0].v.map { _ in 0.0 }
        var errorSum = 0.0
        for (item, label) in pass {
            let e = error(score: score(item), label: label)
            let q = items[item]!
            let gradient = itemGradient(item, error: e)
            let own = alone ? queryGradient(0, errorTimesItems: q.v.map { e * $0 }, errorSum: e).v : []
            items[item]!.step(gradient.v, weightGradient: gradient.w, rate: settings.rates.item, weightRate: settings.rates.weight, optimizer)
            if alone { rows[0].stepFactors(own, rate: settings.rates.user, optimizer) }
            if moves { rows[0].stepFactors(q.v.map { e * $0 }, rate: settings.rates.user, optimizer) }
            for f in g.indices { g[f] += e * q.v[f] }
            errorSum += e
        }
        let gradients = rows.indices.map { queryGradient($0, errorTimesItems: g, errorSum: errorSum) }
        for a in rows.indices {
            if moves && a == 0 {
                let shrink = Double(settings.rates.user * settings.l2.user) * Double(pass.count)
                for f in first.indices { rows[0].v[f] -= shrink * first[f] }
            } else if !alone {
                rows[a].stepFactors(gradients[a].v, rate: a == 0 ? settings.rates.user : settings.rates.context, optimizer)
            }
            rows[a].stepWeight(gradients[a].w, rate: settings.rates.weight, optimizer)
        }
        biasAccumulator += optimizer == .sgd ? 0 : errorSum * errorSum
        bias -= Double(settings.globalRate) * errorSum / (optimizer == .sgd ? 1 : biasAccumulator.squareRoot() + 1e-12)
    }
}
