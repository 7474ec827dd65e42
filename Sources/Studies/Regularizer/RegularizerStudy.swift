import Alternating
import FactordServer
import Factorization
import LinearAlgebra
import StreamTools

/// L2 against the regulariser of all interactions.
struct RegularizerStudy {
    var settings: StudySettings
    var users: Int
    var items: Int
    var passes: Int
    /// Length of the stream of implicit feedback.
    var events: Int

    init(_ settings: StudySettings) {
        self.settings = settings
        users = settings.isQuick ? 60 : 400
        items = settings.isQuick ? 40 : 250
        passes = settings.isQuick ? 4 : 40
        events = settings.isQuick ? 3000 : 120_000
    }

    func run() throws(StudyError) -> StudyReport {
        var report = StudyReport(
            name: "regularizer", title: "Regulariser: penalise the factors, or the interactions that they make?",
            question: """
                The interaction regulariser γ Σ ⟨V_i, V_j⟩² over all user × item pairs asks for small interactions rather than small factors. At \
                equal training loss, does it generalise better than L2? And can it stand for sampled negatives on implicit feedback?
                """,
            origin: "The project's notes on regularisation; Srebro (2004) for L2; Chen et al. (WWW 2020), Krichene et al. (ICLR 2019) for all pairs.")
        let found = try algebra { () throws(LinearAlgebraError) in try ratings(&report) }
        let implicit: [(name: String, rate: Double)]
        do throws(StreamToolsError) { implicit = try unobserved(&report) } catch { throw .stream(error) }
        report.answer = answer(found.l2, found.interaction, implicit)
        return report
    }

    /// One strength of one regulariser, learned to the end.
    struct Point {
        var strength: Double
        var training: Double
        var heldOut: Double
        /// Of the interactions, double-centred scores.
        var spectrum: [Double]
        var norm: Double { spectrum.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        var nuclear: Double { spectrum.reduce(0, +) }
        /// e^entropy of the spectrum's shares (Roy and Vetterli 2007).
        var effectiveRank: Double {
            let sum = spectrum.reduce(0, +)
            return power(2.718281828459045, -spectrum.reduce(0) { $1 > 0 ? $0 + $1 / sum * logarithm($1 / sum) : $0 })
        }
    }

    struct Sweep {
        var points: [Point]
        var best: Point { points.min { $0.heldOut < $1.heldOut }! }

        /// Held-out loss at a training loss, between the points on both sides of it.
        func heldOut(at training: Double) -> Double? {
            let sorted = points.sorted { $0.training < $1.training }
            for (low, high) in zip(sorted, sorted.dropFirst()) where low.training <= training && training <= high.training {
                let part = high.training > low.training ? (training - low.training) / (high.training - low.training) : 0
                return low.heldOut + part * (high.heldOut - low.heldOut)
            }
            return nil
        }
    }

    // MARK: Ratings

    /// Biases, a true rank of 4, noise of 0.5; items and users of uneven frequency.
    private func data() -> (training: Observations, heldOut: Observations) {
        var source = RandomSource(seed: settings.seed &+ 31)
        let rank = 4, p = source.gaussian(rows: users, columns: rank, deviation: 0.7), q = source.gaussian(rows: items, columns: rank, deviation: 0.7)
        let lenient = source.gaussian(rows: users, columns: 1, deviation: 0.4), good = source.gaussian(rows: items, columns: 1, deviation: 0.4)
        let product = p.timesTransposed(q)
        var features: [[[Int]]] = [[[], []], [[], []]], labels: [[Double]] = [[], []]
        for user in 0..<users {
            for item in 0..<items {
                // Popular items have low numbers and active users too; the held-out pairs come alike.
                let chance = 0.5 * power(Double(1 + item) / Double(items), -0.5) * power(Double(1 + user) / Double(users), -0.3) * 0.14
                let draw = source.unit()
                guard draw < 2 * chance else { continue }
                let side = draw < chance * 1.4 ? 0 : 1
                features[side][0].append(user)
                features[side][1].append(item)
                labels[side].append(3.5 + lenient[user, 0] + good[item, 0] + product[user, item] + 0.5 * source.gaussian())
            }
        }
        return (
            Observations(sizes: [users, items], features: features[0], labels: labels[0]),
            Observations(sizes: [users, items], features: features[1], labels: labels[1])
        )
    }

    private func ratings(_ report: inout StudyReport) throws(LinearAlgebraError) -> (l2: Sweep, interaction: Sweep) {
        let (training, heldOut) = data()
        var l2 = Sweep(points: []), interaction = Sweep(points: [])
        for strength in settings.isQuick ? [0.01, 0.1] : [0.001, 0.003, 0.01, 0.02, 0.04, 0.08, 0.16, 0.3] {
            l2.points.append(try point(strength, training, heldOut) { model in
                model.regularization.user = Float(strength)
                model.regularization.item = Float(strength)
            })
        }
        for strength in settings.isQuick ? [0.1, 1] : [0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 1.6] {
            interaction.points.append(try point(strength, training, heldOut) { model in
                model.regularization.user = 0
                model.regularization.item = 0
                model.regularization.interactionUser = Float(strength)
                model.regularization.interactionItem = Float(strength)
            })
        }
        var table = StudyTable(
            """
            mf of rank 16 by the daemon's engine, \(Quantity.grouped(training.count)) ratings of \(users) users × \(items) items in \(passes) passes, \
            \(Quantity.grouped(heldOut.count)) held out; noise alone is an RMSE of 0.5
            """,
            ["regulariser", "strength", "training RMSE", "held-out RMSE", "‖interactions‖", "nuclear norm", "effective rank"])
        for (name, sweep) in [("L2", l2), ("interaction", interaction)] {
            for point in sweep.points {
                table.add([
                    .text(name), .number(point.strength), .fixed(point.training, 4), .fixed(point.heldOut, 4), .number(point.norm),
                    .number(point.nuclear), .fixed(point.effectiveRank, 1),
                ])
            }
        }
        func curve(_ name: String, _ sweep: Sweep) -> LinePlot.Line {
            .init(name, sweep.points.map { ($0.training, $0.heldOut) }.sorted { $0.0 < $1.0 })
        }
        func spectrum(_ name: String, _ point: Point) -> LinePlot.Line {
            .init(name, point.spectrum.prefix(16).enumerated().map { (Double($0.offset + 1), $0.element) })
        }
        report.parts += [
            .table(table),
            .plot(
                LinePlot(
                    "Held-out loss at equal training loss", x: ("training RMSE", .linear), y: ("held-out RMSE", .linear),
                    [curve("L2", l2), curve("interaction regulariser", interaction)])),
            .plot(
                LinePlot(
                    "Spectra of the learned interactions, each at its best strength", x: ("number", .linear), y: ("singular value", .logarithmic),
                    [spectrum("L2", l2.best), spectrum("interaction regulariser", interaction.best)])),
        ]
        return (l2, interaction)
    }

    private func point(
        _ strength: Double, _ training: Observations, _ heldOut: Observations, _ change: (inout Configuration.Model) -> Void
    ) throws(LinearAlgebraError) -> Point {
        var model = Configuration.Model(loss: .squared, rank: 16)
        change(&model)
        let run = EngineRun(training, model: model, seed: settings.seed)
        for _ in 0..<passes { run.pass() }
        let scores = run.scores
        let interactions = Gauge.centred(Gauge.centred(scores).transposed)
        return Point(
            strength: strength, training: training.meanLoss(scores, .squared).squareRoot(), heldOut: heldOut.meanLoss(scores, .squared).squareRoot(),
            spectrum: try interactions.singular().values)
    }

    // MARK: Implicit feedback

    private func unobserved(_ report: inout StudyReport) throws(StreamToolsError) -> [(name: String, rate: Double)] {
        var table = StudyTable(
            "A stream of \(Quantity.grouped(events)) simulated clicks, learned once: true probability that the next item is among ten recommended",
            ["what stands for the unobserved", "HR@10", "of the possible", "row updates an event"])
        var simulation = SimulationSettings(seed: settings.seed, users: users, items: 2 * items, topics: 8)
        simulation.popularityExponent = 0.8
        var results: [(name: String, rate: Double)] = []
        for (name, model) in RegularizerStudy.implicitModels {
            let (quality, updates) = try implicit(model, simulation)
            results.append((name, quality.hitRate))
            table.add([.text(name), .fixed(quality.hitRate, 4), .text(Quantity.fixed(quality.attainment * 100, 1) + " %"), .fixed(updates, 1)])
        }
        report.parts.append(.table(table))
        return results
    }

    /// Without history as context, which would help all alike.
    private static var implicitModels: [(String, Configuration.Model)] {
        func sampled(_ count: Int, interaction: Float = 0) -> Configuration.Model {
            var model = Configuration.Model(rank: 16, historyLength: 0)
            model.negatives.count = count
            // By themselves, so that nothing but draws or the regulariser holds scores down.
            model.regularization.interactionUser = interaction
            model.regularization.interactionItem = interaction
            return model
        }
        return [
            ("8 sampled negatives, L2", sampled(8)), ("2 sampled negatives, L2", sampled(2)),
            ("2 sampled negatives, L2 and interaction 0.3", sampled(2, interaction: 0.3)),
            ("no negatives, the interaction regulariser", Configuration.Model(rank: 16, unobserved: .regularized, historyLength: 0)),
        ]
    }

    private func implicit(_ model: Configuration.Model, _ settings: SimulationSettings) throws(StreamToolsError) -> (RankingQuality, Double) {
        var configuration = Configuration(), truth = try Simulation(settings)
        configuration.models = [model]
        var engineSettings = configuration.engineSettings
        engineSettings.trainers = 1
        let engine = Engine(settings: engineSettings), feed = OfflineFeed(engine)
        for index in 0..<events {
            feed.append(truth.datasetEvent(truth.next()))
            if index % 4096 == 0 { try Interruption.check() }
        }
        feed.flush()
        return (engine.quality(against: truth, users: min(300, users), seed: self.settings.seed), Double(engine.rowUpdates(0)) / Double(events))
    }

    private func answer(_ l2: Sweep, _ interaction: Sweep, _ implicit: [(name: String, rate: Double)]) -> [String] {
        var comparisons: [Double] = []
        for point in interaction.points {
            if let other = l2.heldOut(at: point.training) { comparisons.append(point.heldOut - other) }
        }
        let wins = comparisons.count { $0 < 0 }, gap = l2.best.heldOut - interaction.best.heldOut
        func rmse(_ value: Double) -> String { Quantity.fixed(value, 4) }
        let sampled = implicit.first!, free = implicit.last!
        return [
            """
            At equal training loss the interaction regulariser has the lower held-out RMSE at \(wins) of \(comparisons.count) strengths where both curves \
            can be compared. Each at its best strength: \(rmse(l2.best.heldOut)) for L2, \(rmse(interaction.best.heldOut)) for interactions, a \
            difference of \(rmse(gap.magnitude)) in favour of \(gap > 0 ? "the interaction regulariser" : "L2").
            """,
            """
            They shape spectra differently: Σ ⟨p, q⟩² is the squared norm of the interactions and shrinks every singular value in proportion, \
            L2 on the factors is their sum and takes the same amount off each, so it cuts small ones to nothing: effective rank \
            \(Quantity.fixed(l2.best.effectiveRank, 1)) for L2 and \(Quantity.fixed(interaction.best.effectiveRank, 1)) for interactions, at their best.
            """,
            """
            On implicit feedback the regulariser can stand for all negatives: HR@10 is \(rmse(free.rate)) without a single draw, against \
            \(rmse(sampled.rate)) with eight sampled negatives an event.
            """,
        ]
    }
}

extension Engine {
    /// Lists of ten for users drawn by the seed, judged by the truth.
    func quality(against truth: Simulation, users: Int, seed: UInt64) -> RankingQuality {
        let scorer = Scorer(engine: self), hashing = hashing
        var quality = RankingQuality(), source = RandomSource(seed: seed &+ 1)
        for _ in 0..<users {
            let user = source.below(truth.settings.users)
            let found = scorer.reading {
                self.users.find(Key(integer: Int64(user) + 1, hashing: hashing))
            }
            let best = scorer.recommend(RecommendQuery(user: found, count: 10, excludesSeen: false)).items
            let items = best.map { Int(Int64(bitPattern: self.items.key($0.item, hashing: hashing).payload)) - 1 }
            quality.add(items, user: user, count: 10, truth: truth)
        }
        return quality
    }
}
