import Factorization
import LinearAlgebra
import StreamTools
import Testing

@testable import Alternating

/// Alternating learners against normal equations written out.
@Suite("Alternating learners")
struct AlternatingTests {
    /// Users and items, some pairs of them, labels near a bilinear truth.
    private func data(seed: UInt64, clicks: Bool = false, weighted: Bool = false) -> Observations {
        var source = RandomSource(seed: seed)
        var features: [[Int]] = [[], []], labels: [Double] = [], weights: [Double] = []
        for user in 0..<9 {
            for item in 0..<7 where source.unit() < 0.7 {
                features[0].append(user)
                features[1].append(item)
                let score = Double((user * 5 + item * 3) % 7) / 3 - 1
                labels.append(clicks ? (source.unit() < 0.5 + score / 3 ? 1 : 0) : score + 0.3 * source.unit())
                weights.append(weighted ? 0.5 + source.unit() : 1)
            }
        }
        return Observations(sizes: [9, 7], features: features, labels: labels, weights: weights)
    }

    /// Solves A x = b by elimination, without LAPACK.
    private func eliminate(_ a: [[Double]], _ b: [Double]) -> [Double] {
        var a = a, b = b
        for pivot in b.indices {
            let row = (pivot..<b.count).max { a[$0][pivot].magnitude < a[$1][pivot].magnitude }!
            a.swapAt(pivot, row)
            b.swapAt(pivot, row)
            for other in b.indices where other != pivot {
                let factor = a[other][pivot] / a[pivot][pivot]
                for column in b.indices { a[other][column] -= factor * a[pivot][column] }
                b[other] -= factor * b[pivot]
            }
        }
        return b.indices.map { b[$0] / a[$0][$0] }
    }

    @Test("A block's normal equations are those of brute force")
    func normalEquations() throws {
        var source = RandomSource(seed: 3)
        let rows = (0..<20).map { _ in (0..<4).map { _ in source.unit() - 0.5 } }, targets = rows.map { _ in source.unit() }
        let weights = rows.map { _ in 0.5 + source.unit() }, ridge = [0.1, 0.2, 0.3, 0.4]
        var single = NormalEquations(order: 4), many = NormalEquations(order: 4)
        for (row, (target, weight)) in zip(rows, zip(targets, weights)) { single.add(row, weight: weight, target: weight * target) }
        many.add(rows: Matrix(rows), weights: weights, targets: zip(weights, targets).map { $0 * $1 })
        let a = (0..<4).map { r in
            (0..<4).map { c in rows.indices.reduce(r == c ? ridge[r] : 0) { $0 + weights[$1] * rows[$1][r] * rows[$1][c] } }
        }
        let b = (0..<4).map { r in rows.indices.reduce(0.0) { $0 + weights[$1] * targets[$1] * rows[$1][r] } }
        let expected = eliminate(a, b)
        for solved in [try single.solved(ridge: ridge), try many.solved(ridge: ridge)] {
            for (found, wanted) in zip(solved, expected) { #expect((found - wanted).magnitude < 1e-10) }
        }
    }

    @Test("A singular block is refused by name, not answered")
    func singular() {
        let equations = NormalEquations(order: 2)
        #expect(throws: LinearAlgebraError.self) { try equations.solved(ridge: [0, 0]) }
    }

    /// After a pass the last block solved is at its minimum: no small change of it lowers the objective. And no pass raises it.
    @Test("A pass of the machine lowers the objective and ends at the bias's minimum", arguments: [AlternatingLoss.squared, .logistic])
    func machine(_ loss: AlternatingLoss) throws {
        let data = data(seed: 5, clicks: loss == .logistic, weighted: true)
        var model = AlternatingMachine(sizes: data.sizes, settings: AlternatingSettings(rank: 2, loss: loss, factorRidge: 0.3, weightRidge: 0.2, seed: 2))
        var last = model.objective(data)
        for _ in 0..<12 {
            try model.pass(data)
            let now = model.objective(data)
            #expect(now <= last + 1e-9 * last)
            last = now
        }
        // At the end every coordinate is flat, seen from outside by differences of scores.
        for _ in 0..<400 { try model.pass(data) }
        #expect(gradient(of: model, data) < 1e-3)
    }

    /// The largest partial derivative of the machine's objective, from scores and residuals alone.
    private func gradient(of model: AlternatingMachine, _ data: Observations) -> Double {
        let rank = model.settings.rank
        var bias = 0.0, weights = model.weights.map { $0.map { model.settings.weightRidge * $0 } }
        var factors = model.factors.map { model.settings.factorRidge * $0 }
        for event in 0..<data.count {
            let cell = data.features.map { $0[event] }, score = model.score(cell)
            let pull = data.weights[event] * (model.settings.loss == .squared ? score - data.labels[event] : sigmoid(score) - data.labels[event])
            bias += pull
            for g in cell.indices {
                weights[g][cell[g]] += pull
                for k in 0..<rank { factors[g][cell[g], k] += pull * model.factors[1 - g][cell[1 - g], k] }
            }
        }
        return max(bias.magnitude, weights.joined().map(\.magnitude).max()!, factors.flatMap(\.values).map(\.magnitude).max()!)
    }

    private func sigmoid(_ x: Double) -> Double { 0.5 * (1 + tanh(x / 2)) }
    private func tanh(_ x: Double) -> Double {
        // (e^2x − 1)/(e^2x + 1), by repeated squaring of a short series.
        var power = 1.0, term = 1.0
        for n in 1...20 {
            term *= 2 * x / 1024 / Double(n)
            power += term
        }
        for _ in 0..<10 { power *= power }
        return (power - 1) / (power + 1)
    }

    @Test("Three groups: the pairs of the other two are in the offset")
    func threeGroups() throws {
        var source = RandomSource(seed: 9)
        let features = (0..<3).map { _ in (0..<60).map { _ in source.below(4) } }
        let truth = AlternatingMachine(sizes: [4, 4, 4], settings: AlternatingSettings(rank: 2, seed: 8))
        let labels = (0..<60).map { event in 0.5 + truth.score(features.map { $0[event] }) }
        let data = Observations(sizes: [4, 4, 4], features: features, labels: labels)
        var model = AlternatingMachine(
            sizes: [4, 4, 4], settings: AlternatingSettings(rank: 2, factorRidge: 1e-6, weightRidge: 1e-6, seed: 4))
        for _ in 0..<400 { try model.pass(data) }
        #expect(model.loss(data) < 1e-4)
    }

    @Test("A pass of the bilinear model: W, w_u, w_i and w0 solve the normal equations of all events", arguments: [1, 2])
    func bilinearGlobal(rank: Int) throws {
        let data = data(seed: 11, weighted: true)
        var model = AlternatingBilinear(
            users: 9, items: 7,
            settings: AlternatingSettings(rank: rank, factorRidge: 0.3, weightRidge: 0.2, matrixRidge: 0.4, seed: 2))
        try model.pass(data)
        let order = 1 + 2 * rank + rank * rank
        var a = [[Double]](repeating: [Double](repeating: 0, count: order), count: order), b = [Double](repeating: 0, count: order)
        for event in 0..<data.count {
            let p = model.users.row(data.features[0][event]), q = model.items.row(data.features[1][event])
            let z = [1] + p + q + p.flatMap { x in q.map { x * $0 } }
            for r in 0..<order {
                b[r] += data.weights[event] * data.labels[event] * z[r]
                for c in 0..<order { a[r][c] += data.weights[event] * z[r] * z[c] }
            }
        }
        for r in 1..<order { a[r][r] += r <= 2 * rank ? 0.2 : 0.4 }
        let expected = eliminate(a, b), found = [model.bias] + model.userWeight + model.itemWeight + model.matrix.values
        for (x, y) in zip(found, expected) { #expect((x - y).magnitude < 1e-6 * max(1, y.magnitude)) }
        // And the scores, three ways.
        let all = model.scores
        #expect((all[2, 3] - model.score(user: 2, item: 3)).magnitude < 1e-12)
    }

    @Test("No pass of the bilinear model raises the objective", arguments: [AlternatingLoss.squared, .logistic])
    func bilinearDescends(_ loss: AlternatingLoss) throws {
        let data = data(seed: 6, clicks: loss == .logistic)
        var model = AlternatingBilinear(users: 9, items: 7, settings: AlternatingSettings(rank: 2, loss: loss, factorRidge: 0.2, seed: 3))
        var last = model.objective(data)
        for _ in 0..<20 {
            try model.pass(data)
            #expect(model.objective(data) <= last * (1 + 1e-9))
            last = model.objective(data)
        }
    }

    @Test("Implicit: the Gram trick solves what all pairs together say")
    func implicit() throws {
        let data = data(seed: 7, weighted: true)
        let settings = AlternatingImplicit.Settings(rank: 3, unobservedWeight: 0.3, ridge: 0.05, ridgeExponent: 1, seed: 2)
        var model = AlternatingImplicit(users: 9, items: 7, settings: settings)
        var last = model.objective(data)
        for _ in 0..<5 {
            try model.pass(data)
            #expect(model.objective(data) <= last * (1 + 1e-12))
            last = model.objective(data)
        }
        // The items were solved last: one of them again, over every user.
        let item = 4, rank = 3
        var a = [[Double]](repeating: [Double](repeating: 0, count: rank), count: rank), b = [Double](repeating: 0, count: rank)
        var events = 0
        for user in 0..<9 {
            let p = model.users.row(user)
            for r in 0..<rank { for c in 0..<rank { a[r][c] += 0.3 * p[r] * p[c] } }
            for event in 0..<data.count where data.features[0][event] == user && data.features[1][event] == item {
                events += 1
                for r in 0..<rank {
                    b[r] += data.weights[event] * p[r]
                    for c in 0..<rank { a[r][c] += data.weights[event] * p[r] * p[c] }
                }
            }
        }
        for r in 0..<rank { a[r][r] += 0.05 * (Double(events) + 0.3 * 9) }
        for (x, y) in zip(model.items.row(item), eliminate(a, b)) { #expect((x - y).magnitude < 1e-9) }
    }

    /// Loss and objective of the same passes by plain normal equations in numpy, one `solve` a row, from the same first factors.
    /// Implicit: with every pair written out.
    @Test("The losses that plain normal equations reach", arguments: [
        (1, [46.643251767394084, 53.2342352420764, 60.83127744083597, 68.37416161745912, 337.6274844494882]),
        (5, [23.310609910918537, 32.302952417953854, 38.31445225220091, 46.34300270314428, 241.94649777662855]),
        (30, [20.697102100005853, 29.997617542112227, 31.54987084825651, 38.159985065578496, 240.2686662605029]),
    ])
    func reference(passes: Int, expected: [Double]) throws {
        let cells = (0..<1200).map { ($0 / 30, $0 % 30) }.filter { mix64(UInt64($0.0 * 1000 + $0.1)) % 100 < 40 }
        let data = Observations(
            sizes: [40, 30], features: [cells.map(\.0), cells.map(\.1)],
            labels: cells.map { Double(($0.0 * 7 + $0.1 * 11 + $0.0 * $0.1) % 13) / 6 - 1 })
        let settings = AlternatingSettings(rank: 3, factorRidge: 0.3, weightRidge: 0.2, matrixRidge: 0.4)
        var machine = AlternatingMachine(sizes: [40, 30], settings: settings)
        var bilinear = AlternatingBilinear(users: 40, items: 30, settings: settings)
        var implicit = AlternatingImplicit(
            users: 40, items: 30, settings: AlternatingImplicit.Settings(rank: 3, unobservedWeight: 0.3, ridge: 0.05))
        for _ in 0..<passes {
            try machine.pass(data)
            try bilinear.pass(data)
            try implicit.pass(data)
        }
        let found = [machine.loss(data), machine.objective(data), bilinear.loss(data), bilinear.objective(data), implicit.objective(data)]
        for (value, wanted) in zip(found, expected) { #expect((value / wanted - 1).magnitude < 1e-8) }
    }

    @Test("Equal seeds give equal factors, others others")
    func seeds() throws {
        let data = data(seed: 5)
        func learned(_ seed: UInt64) throws -> [Double] {
            var model = AlternatingBilinear(users: 9, items: 7, settings: AlternatingSettings(rank: 2, seed: seed))
            for _ in 0..<3 { try model.pass(data) }
            return model.scores.values
        }
        #expect(try learned(1) == learned(1))
        #expect(try learned(1) != learned(2))
    }
}
