import Alternating
import FactordServer
import Factorization
import LinearAlgebra
import LinuxSystem
import StreamTools

/// Stochastic gradient against alternation on the bilinear model.
struct AlternatingStudy {
    var settings: StudySettings
    var users: Int
    var items: Int
    var events: Int
    var rank: Int
    var passes: Int

    init(_ settings: StudySettings) {
        self.settings = settings
        (users, items, events) = settings.isQuick ? (60, 40, 1200) : (1500, 800, 90_000)
        rank = settings.isQuick ? 2 : 8
        passes = settings.isQuick ? 3 : 25
    }

    /// Losses after each pass, and the seconds of processor time until then: what a thread takes that has the machine to itself.
    struct Curve {
        var name: String
        var training: [Double] = []
        var heldOut: [Double] = []
        var seconds: [Double] = []
        /// Seconds and passes until a held-out loss is reached.
        func reaching(_ loss: Double) -> (seconds: Double, passes: Int)? {
            heldOut.firstIndex { $0 <= loss }.map { (seconds[$0], $0 + 1) }
        }
    }

    func run() throws(LinearAlgebraError) -> StudyReport {
        var report = StudyReport(
            name: "alternating", title: "Alternating: stochastic gradient against alternating least squares on the bilinear model",
            question: """
                With all else fixed, V^u, V^i and (W, w_u, w_i) are each a ridge regression (squared loss) or a logistic regression with offset \
                (IRLS). Is solving them in turn better than stochastic gradient steps, by pass and by time?
                """,
            origin: "The project's notes on the bilinear model; Hu, Koren and Volinsky (2008) for alternation; Rendle et al. (2022) for tuned baselines.")
        for loss in [AlternatingLoss.squared, .logistic] { try compare(loss, &report) }
        return report
    }

    private func data(_ loss: AlternatingLoss) -> (training: Observations, heldOut: Observations) {
        let truth = Truth(.bilinear, sizes: [users, items], rank: rank, size: loss == .squared ? 1 : 2, seed: settings.seed &+ 3)
        let labels: Truth.Labels = loss == .squared ? .scores(noise: 0.5) : .clicks
        let all = truth.observed(events, labels, seed: settings.seed &+ 4), cut = events * 9 / 10
        func part(_ range: Range<Int>) -> Observations {
            Observations(sizes: all.sizes, features: all.features.map { Array($0[range]) }, labels: Array(all.labels[range]))
        }
        return (part(0..<cut), part(cut..<events))
    }

    private func compare(_ loss: AlternatingLoss, _ report: inout StudyReport) throws(LinearAlgebraError) {
        let (training, heldOut) = data(loss)
        var curves: [Curve] = []
        for rate: Float in settings.isQuick ? [0.1] : [0.05, 0.1, 0.2] { curves.append(descend(loss, .adagrad, rate, training, heldOut)) }
        for rate: Float in settings.isQuick ? [] : [0.02, 0.05] { curves.append(descend(loss, .sgd, rate, training, heldOut)) }
        for ridge in settings.isQuick ? [1.0] : loss == .squared ? [1.0, 3, 6] : [4.0, 8, 16] {
            curves.append(try alternate(loss, ridge, training, heldOut))
        }
        let unit = loss == .squared ? "mean squared error" : "log loss"
        var table = StudyTable(
            """
            \(loss == .squared ? "Squared" : "Logistic") loss, rank \(rank), \(Quantity.grouped(training.count)) events of \(users) users × \(items) items: \
            \(unit), and what it took
            """,
            ["learner", "after pass 1", "after the last", "held out, pass 1", "held out, best", "at pass", "seconds until then", "seconds a pass"])
        for curve in curves {
            let best = curve.heldOut.min()!, at = curve.heldOut.firstIndex(of: best)!
            table.add([
                .text(curve.name), .fixed(curve.training[0], 4), .fixed(curve.training.last!, 4), .fixed(curve.heldOut[0], 4), .fixed(best, 4),
                .whole(at + 1), .fixed(curve.seconds[at], 2), .fixed(curve.seconds.last! / Double(curve.seconds.count), 3),
            ])
        }
        report.parts.append(.table(table))
        let title = loss == .squared ? "Squared loss" : "Logistic loss"
        func lines(_ x: (Curve, Int) -> Double) -> [LinePlot.Line] {
            curves.map { curve in .init(curve.name, curve.heldOut.indices.map { (x(curve, $0), curve.heldOut[$0]) }) }
        }
        report.parts += [
            .plot(LinePlot("\(title): held-out loss by pass", x: ("pass", .linear), y: (unit, .logarithmic), lines { Double($1 + 1) })),
            .plot(LinePlot("\(title): held-out loss by time", x: ("seconds on one thread", .logarithmic), y: (unit, .logarithmic), lines { $0.seconds[$1] })),
        ]
        report.answer.append(answer(loss, curves))
    }

    private func answer(_ loss: AlternatingLoss, _ curves: [Curve]) -> String {
        func best(_ isAlternating: Bool) -> Curve {
            curves.filter { $0.name.hasPrefix("ALS") == isAlternating }.min { $0.heldOut.min()! < $1.heldOut.min()! }!
        }
        let gradient = best(false), alternating = best(true)
        let common = max(gradient.heldOut.min()!, alternating.heldOut.min()!) * 1.01
        let g = gradient.reaching(common)!, a = alternating.reaching(common)!
        let name = loss == .squared ? "Squared loss" : "Logistic loss (IRLS)"
        return """
            \(name): alternation (\(alternating.name)) reaches a held-out loss of \(Quantity.fixed(alternating.heldOut.min()!, 4)), \
            stochastic gradient (\(gradient.name)) \(Quantity.fixed(gradient.heldOut.min()!, 4)). To come within 1 % of the worse of the two, alternation takes \
            until pass \(a.passes) and \(Quantity.fixed(a.seconds, 2)) s, stochastic gradient until pass \(g.passes) and \(Quantity.fixed(g.seconds, 2)) s: by pass \
            \(a.passes < g.passes ? "alternation" : a.passes > g.passes ? "gradient" : "neither") is ahead, by time on one thread \
            \(a.seconds < g.seconds ? "alternation" : "gradient").
            """
    }

    /// The daemon's engine, with its own L2.
    private func descend(
        _ loss: AlternatingLoss, _ optimizer: ModelSettings.Optimizer, _ rate: Float, _ training: Observations, _ heldOut: Observations
    ) -> Curve {
        var model = Configuration.Model(loss: loss == .squared ? .squared : .logistic, rank: rank, kind: .bilinear, historyLength: 0)
        model.optimizer = Configuration.Optimizer(kind: optimizer, rate: rate)
        model.negatives.count = 0
        model.initialDeviation = 1 / Float(rank).squareRoot()
        let run = EngineRun(training, model: model, seed: settings.seed)
        var curve = Curve(name: "\(optimizer.rawValue), rate \(rate)")
        for _ in 0..<passes {
            run.pass()
            let scores = run.scores
            curve.training.append(training.meanLoss(scores, loss))
            curve.heldOut.append(heldOut.meanLoss(scores, loss))
            curve.seconds.append(run.seconds)
        }
        return curve
    }

    private func alternate(
        _ loss: AlternatingLoss, _ ridge: Double, _ training: Observations, _ heldOut: Observations
    ) throws(LinearAlgebraError) -> Curve {
        var model = AlternatingBilinear(
            users: users, items: items,
            settings: AlternatingSettings(rank: rank, loss: loss, factorRidge: ridge, weightRidge: 0.1, matrixRidge: 0.1, seed: settings.seed))
        var curve = Curve(name: "ALS, λ = \(ridge)"), seconds = 0.0
        for _ in 0..<passes {
            let start = ProcessorClock.threadNanoseconds
            try model.pass(training)
            seconds += Double(ProcessorClock.threadNanoseconds - start) / 1e9
            let scores = model.scores
            curve.training.append(training.meanLoss(scores, loss))
            curve.heldOut.append(heldOut.meanLoss(scores, loss))
            curve.seconds.append(seconds)
        }
        return curve
    }
}
