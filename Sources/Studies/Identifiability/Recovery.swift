import Alternating
import Factorization
import LinearAlgebra
import StreamTools

/// What was learned from a truth's labels, beside it.
struct Recovery {
    /// ‖ŝ − s‖ ÷ ‖s‖ over all cells.
    let error: Double
    let training: Double
    /// Largest principal angle between true and learned factors' spaces, by group, in degrees.
    let angles: [Double]
    /// ‖F̂ − F‖ ÷ ‖F‖ of all groups' factors as they come, and once both are brought to the same gauge.
    let rawError: Double
    let alignedError: Double

    /// Learns by alternation with a ridge that goes to nothing; the best of so many starts by training loss.
    init(_ truth: Truth, _ data: Observations, loss: AlternatingLoss, starts: Int, passes: Int = 300, seed: UInt64) throws(LinearAlgebraError) {
        var best: (training: Double, scores: [Double], factors: [Matrix], constant: Double)?
        for start in 0..<starts {
            let found = try Recovery.learn(truth, data, loss: loss, passes: passes, seed: seed &+ UInt64(start) &* 101)
            if best.map({ found.training < $0.training }) ?? true { best = found }
            // Labels without noise leave nothing.
            if best!.training < 1e-12 * Double(data.count) { break }
        }
        let found = best!
        training = found.training
        var squares = 0.0, size = 0.0
        for (a, b) in zip(found.scores, truth.scores) {
            squares += (a - b) * (a - b)
            size += b * b
        }
        error = (squares / size).squareRoot()
        let own = Recovery.stacked(found.factors), other = Recovery.stacked(truth.factors)
        rawError = ((own - other).squaredNorm / other.squaredNorm).squareRoot()
        let (learned, known) = try Recovery.gauged(truth, found)
        alignedError = try Gauge.procrustes(Recovery.stacked(learned), to: Recovery.stacked(known)).error
        var angles: [Double] = []
        for (a, b) in zip(learned, known) { angles.append(try Gauge.principalAngles(a, b)[0]) }
        self.angles = angles
    }

    private typealias Found = (training: Double, scores: [Double], factors: [Matrix], constant: Double)

    private static func learn(
        _ truth: Truth, _ data: Observations, loss: AlternatingLoss, passes: Int, seed: UInt64
    ) throws(LinearAlgebraError) -> Found {
        // Strong first, for a way round bad starts; the last is there only for features that too few cells name.
        // For 0/1 labels a prior weaker than the truth's own, without which rows of equal labels go to infinity.
        let last = loss == .squared ? 1e-6 : 0.1
        func ridge(_ pass: Int) -> Double { max(last, 1.0 * power(0.6, Double(pass))) }
        var settings = AlternatingSettings(rank: truth.rank, loss: loss, deviation: 1 / Double(truth.rank).squareRoot(), seed: seed)
        func set(_ pass: Int) {
            settings.factorRidge = ridge(pass)
            settings.weightRidge = min(ridge(pass), 0.1)
            settings.matrixRidge = settings.weightRidge
        }
        var previous = Double.infinity
        func isDone(_ pass: Int, _ loss: Double) -> Bool {
            defer { previous = loss }
            return ridge(pass) == last && pass > 60 && (loss < 1e-14 * Double(data.count) || previous - loss < 1e-7 * loss)
        }
        if truth.kind == .bilinear {
            var model = AlternatingBilinear(users: truth.sizes[0], items: truth.sizes[1], settings: settings)
            for pass in 0..<passes {
                set(pass)
                model.settings = settings
                try model.pass(data)
                if isDone(pass, model.loss(data)) { break }
            }
            let constant = try constant(bias: model.bias, user: model.userWeight, item: model.itemWeight, matrix: model.matrix)
            return (model.loss(data), model.scores.values, [model.users, model.items], constant)
        }
        var model = AlternatingMachine(sizes: truth.sizes, settings: settings)
        for pass in 0..<passes {
            set(pass)
            model.settings = settings
            try model.pass(data)
            if isDone(pass, model.loss(data)) { break }
        }
        return (model.loss(data), Truth.cells(truth.sizes).map { model.score($0) }, model.factors, 0)
    }

    /// The c of score = c + (p + a)ᵀ W (q + b): with W b = w_u and Wᵀ a = w_i it is w0 − ⟨w_i, b⟩.
    private static func constant(bias: Double, user: [Double], item: [Double], matrix: Matrix) throws(LinearAlgebraError) -> Double {
        let b = try matrix.solve(user)
        return bias - zip(item, b).reduce(0) { $0 + $1.0 * $1.1 }
    }

    /// Learned and true factors with all that leaves the scores unchanged taken out, but for one rotation.
    private static func gauged(_ truth: Truth, _ found: Found) throws(LinearAlgebraError) -> (learned: [Matrix], known: [Matrix]) {
        switch truth.kind {
        case .mf:
            // Translations go with the means, GL(k) with balancing.
            func gauged(_ factors: [Matrix]) throws(LinearAlgebraError) -> [Matrix] {
                let (left, right) = try Gauge.balanced(Gauge.centred(factors[0]).timesTransposed(Gauge.centred(factors[1])), rank: truth.rank)
                return [left, right]
            }
            return (try gauged(found.factors), try gauged(truth.factors))
        case .bilinear:
            // Affine maps of each side leave a constant and a matrix of rank k.
            func gauged(_ scores: [Double], _ constant: Double) throws(LinearAlgebraError) -> [Matrix] {
                var matrix = Matrix(rows: truth.sizes[0], columns: truth.sizes[1])
                matrix.values = scores.map { $0 - constant }
                let (left, right) = try Gauge.balanced(matrix, rank: truth.rank)
                return [left, right]
            }
            let known = truth.bilinear!
            let constant = try constant(bias: known.bias, user: known.user, item: known.item, matrix: known.matrix)
            return (try gauged(found.scores, found.constant), try gauged(truth.scores, constant))
        case .fm:
            // Three groups leave a rotation only, beside translations.
            return (found.factors.map(Gauge.centred), truth.factors.map(Gauge.centred))
        }
    }

    private static func stacked(_ factors: [Matrix]) -> Matrix { factors.dropFirst().reduce(factors[0]) { $0.stacked(on: $1) } }
}
