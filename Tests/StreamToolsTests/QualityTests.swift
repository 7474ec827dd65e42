import Factorization
import Testing

@testable import StreamTools

/// Figures of predictions and ranks against known cases, and what stands on them.
@Suite("Quality of predictions")
struct QualityTests {
    private func close(_ a: Double?, _ b: Double, _ within: Double = 1e-6) -> Bool { a.map { abs($0 - b) <= within } ?? false }

    @Test("Squared loss: RMSE and MAE, predictions limited to the labels before")
    func squared() {
        var metrics = PredictionMetrics(loss: .squared)
        metrics.add(score: 4, label: 3, negatives: [], range: nil)
        metrics.add(score: 9, label: 3, negatives: [], range: 1...5)
        metrics.add(score: .nan, label: 3, negatives: [], range: 1...5)
        #expect(metrics.events == 2 && close(metrics["rmse"], (5.0 / 2).squareRoot()) && close(metrics["mae"], 1.5) && metrics["auc"] == nil)
    }

    @Test("Logistic loss: log loss with negatives, AUC with ties, calibration and its distance by bins")
    func logistic() {
        var metrics = PredictionMetrics(loss: .logistic)
        // Probabilities 0.5 for the event and a negative, one half of a comparison won.
        metrics.add(score: 0, label: 1, negatives: [0], range: nil)
        #expect(close(metrics["log_loss"], 0.6931472) && metrics["auc"] == 0.5 && close(metrics["calibration"], 1) && close(metrics["calibration_error"], 0))
        metrics.add(score: 20, label: 1, negatives: [-20, 30], range: nil)
        // ln(1 + e³⁰) of the worst, over three items.
        #expect(close(metrics["log_loss"], (0.6931472 + 10) / 2, 1e-4) && close(metrics["auc"], 0.5))
        #expect(close(metrics["calibration"], 3.0 / 2, 1e-4) && close(metrics["calibration_error"], 1.0 / 5, 1e-4))
    }

    @Test("Labels of both kinds without negatives: the area under the ROC curve")
    func roc() {
        var metrics = PredictionMetrics(loss: .logistic), random = RandomSource(seed: 2)
        var scored: [(score: Float, label: Float)] = []
        for _ in 0..<400 {
            let label: Float = random.unit() < 0.3 ? 1 : 0
            scored.append((Float(random.unit() * 4 - 2) + label, label))
        }
        var wins = 0.0, pairs = 0.0
        for high in scored where high.label == 1 {
            for low in scored where low.label == 0 {
                pairs += 1
                wins += low.score < high.score ? 1 : low.score == high.score ? 0.5 : 0
            }
        }
        for (score, label) in scored { metrics.add(score: score, label: label, negatives: [], range: nil) }
        // Bins are a hundredth wide.
        #expect(close(metrics["auc"], wins / pairs, 0.005))
        var halves = (PredictionMetrics(loss: .logistic), PredictionMetrics(loss: .logistic))
        for (index, (score, label)) in scored.enumerated() {
            if index % 2 == 0 { halves.0.add(score: score, label: label, negatives: [], range: nil) } else { halves.1.add(score: score, label: label, negatives: [], range: nil) }
        }
        for (name, value) in metrics.figures { #expect(close((halves.0 + halves.1)[name], value), "\(name)") }
    }

    @Test("Pairwise losses: only events with something to compare with count")
    func pairwise() {
        var bpr = PredictionMetrics(loss: .bpr), warp = PredictionMetrics(loss: .warp)
        for negatives in [[], [1, -3]] as [[Float]] {
            bpr.add(score: 1, label: 1, negatives: negatives[...], range: nil)
            warp.add(score: 1, label: 1, negatives: negatives[...], range: nil)
        }
        #expect(bpr.events == 1 && close(bpr["pair_loss"], (0.6931472 + 0.01814993) / 2) && bpr["auc"] == 0.75)
        #expect(warp.events == 1 && warp["hinge"] == 1 && warp["auc"] == 0.5)
    }

    @Test("Ranks: hits, gains and reciprocal ranks")
    func ranks() {
        var ranking = RankingMetrics()
        for rank in [0, 1, nil, nil] as [Int?] { ranking.add(rank: rank) }
        #expect(ranking.cases == 4 && ranking.hitRate == 0.5 && close(ranking.gain, (1 + 0.6309298) / 4) && ranking.reciprocalRank == 1.5 / 4)
    }

    private func settings(rate: Float, _ loss: ModelSettings.Loss = .squared) -> EngineSettings {
        EngineSettings(models: [ModelSettings(
            rank: 4, loss: loss, optimizer: .sgd, rates: .init(user: rate, item: rate, context: rate, weight: rate), globalRate: rate,
            negatives: loss == .squared ? 0 : 3)])
    }

    /// A rating is a user's and an item's part.
    private var ratings: [DatasetEvent] {
        var random = RandomSource(seed: 5)
        return (0..<6000).map { _ in
            let user = random.below(30), item = random.below(20)
            return DatasetEvent(user: .integer(Int64(user)), item: .integer(Int64(item)), type: item < 5 ? "a" : "b", value: Float(user % 3) + Float(item % 4))
        }
    }

    @Test("By type and by part of the stream the events are the same, and their sums those of all")
    func parts() throws {
        let result = try #require(PrequentialEvaluation(events: ratings).run(settings(rate: 0.05)).first), quality = try #require(result.quality)
        #expect(quality.types.keys.sorted() == ["a", "b"] && quality.parts.count == 20 && quality.parts.allSatisfy { $0.predictions.events == 300 })
        #expect(close(quality.all.predictions["rmse"], try #require(result.report).value, 1e-9))
        #expect(close(quality.all.predictions["mae"], try #require(result.report?["mae"]).value, 1e-9))
        let first = try #require(quality.parts.first?.predictions["rmse"]), last = try #require(quality.parts.last?.predictions["rmse"])
        #expect(last < 0.5 * first)
        // Side by side, in one pass, is one after the other.
        let both = PrequentialEvaluation(events: ratings).run([settings(rate: 0.05), settings(rate: 0.2)])
        #expect(both[0][0].report == result.report && both[1][0].report != result.report)
    }

    @Test("Events held out are predicted and not learned; the first share can go without judgement")
    func heldOut() throws {
        var evaluation = PrequentialEvaluation(events: ratings)
        evaluation.heldOut = 0.25
        let held = try #require(evaluation.run(settings(rate: 0.05)).first)
        #expect(held.quality?.all.predictions.events == 1500 && held.report?.events == 4500)
        // What was known when the learning ended is what is predicted, whatever came since.
        let engine = Engine(settings: settings(rate: 0.05)), feed = OfflineFeed(engine)
        for event in ratings.prefix(4500) { feed.append(event) }
        feed.flush()
        var sum = 0.0
        let scorer = Scorer(engine: engine)
        for event in ratings.suffix(1500) {
            let score = scorer.score(user: engine.user(event.user), items: [engine.item(event.item)])[0]
            let error = Double(min(max(score, 0), 5) - event.value!)
            sum += error * error
        }
        #expect(close(held.quality?.all.predictions["rmse"], (sum / 1500).squareRoot(), 1e-6))
        evaluation.heldOut = 0
        evaluation.unjudged = 0.5
        let late = try #require(evaluation.run(settings(rate: 0.05)).first)
        #expect(late.quality?.all.predictions.events == 3000 && late.report?.events == 6000)
    }

    @Test("Among drawn items a random rank hits one time in ten; a taste that is learned, nearly always")
    func sampled() throws {
        var random = RandomSource(seed: 6)
        let noise = (0..<4000).map { _ in DatasetEvent(user: .integer(Int64(random.below(400))), item: .integer(Int64(random.below(300)))) }
        let ranking = PrequentialEvaluation.Ranking(depth: 10, every: 2, others: 99)
        let idle = PrequentialEvaluation(records: noise.map(DatasetRecord.event), ranking: ranking).run(settings(rate: 0, .logistic))[0]
        let quality = try #require(idle.quality)
        #expect(quality.all.ranking.cases == 2000 && abs(quality.all.ranking.hitRate - 0.1) < 0.035 && quality.coverage == nil)
        // Users of ten groups, each with items of its own.
        let tastes = (0..<12_000).map { _ in
            let user = random.below(200)
            return DatasetEvent(user: .integer(Int64(user)), item: .integer(Int64(user % 10 * 30 + random.below(30))))
        }
        let taught = PrequentialEvaluation(records: tastes.map(DatasetRecord.event), ranking: ranking).run(settings(rate: 0.3, .logistic))[0]
        #expect(try #require(taught.quality?.parts.last).ranking.hitRate > 0.7)
    }

    @Test("Successive halving chooses the rate that learns, and lets the better half go on")
    func halving() throws {
        let rates: [Float] = [0, 0.0001, 0.001, 0.05, 5, 0.0003, 0.002, 0.00002, 0.01]
        var evaluation = PrequentialEvaluation(events: ratings)
        evaluation.ranking = nil
        let halving = SuccessiveHalving(evaluation, by: .rmse)
        let rungs = halving.run(rates.map { [settings(rate: $0)] }, steps: 2) { _ in }
        #expect(rungs.map(\.candidates.count) == [9, 5] && rungs.map(\.events) == [3000, 6000])
        #expect(rungs[1].candidates.first?.number == 3, "\(rungs)")
        // Diverged is worse than anything.
        #expect(rungs[0].candidates.last?.number == 4)
        // The figure of a step is where the later half of it leads to.
        for (rung, (parts, prefix)) in zip(rungs, [(20, 3000), (40, 6000)]) {
            var alone = PrequentialEvaluation(events: Array(ratings.prefix(prefix)))
            alone.parts = parts
            let figures = try #require(alone.run(settings(rate: 0.05)).first?.quality?.parts).suffix(parts / 2).map { $0.predictions["rmse"] }
            let reached = try #require(rung.candidates.first { $0.number == 3 })
            #expect(reached.parts == figures && reached.value == Trend(figures)?.end)
        }
        // Several engines of a candidate count as one stream that both predicted.
        let pair = try #require(halving.run([[settings(rate: 0.05), settings(rate: 0.01)]], steps: 1, after: { _ in })[0].candidates.first)
        let each = halving.run([[settings(rate: 0.05)], [settings(rate: 0.01)]], steps: 1, after: { _ in })[0].candidates
        for (part, both) in pair.parts.enumerated() {
            let a = try #require(each[0].parts[part]), b = try #require(each[1].parts[part])
            #expect(close(both, ((a * a + b * b) / 2).squareRoot(), 1e-9))
        }
    }

    @Test("A search sees the records before its last event's successor, and no later ones")
    func prefix() {
        let events = (0..<4).map { DatasetRecord.event(DatasetEvent(user: .integer(Int64($0)), item: .integer(1))) }, note = DatasetRecord.json(Array("{}".utf8))
        let records = [note, events[0], note, events[1], note, events[2], events[3]]
        #expect(records.prefix(events: 2) == [note, events[0], note, events[1], note])
        #expect(records.prefix(events: 0) == [note] && records.prefix(events: 9) == records)
    }

    @Test("A trend: mean, the line at its end, and the mean in standard errors")
    func trend() throws {
        // Better on average, and falling: where it leads to is worse.
        let falling = try #require(Trend((0..<10).map { 0.5 - 0.06 * Double($0) }))
        #expect(close(falling.mean, 0.23, 1e-12) && close(falling.end, 0.5 - 0.06 * 9.5, 1e-12) && falling.end < 0)
        // numpy: line by polyfit; residual deviation over n − 2, by √n.
        let noisy = try #require(Trend([1, 3, nil, 2, 5, 4]))
        #expect(close(noisy.mean, 3, 1e-12) && close(noisy.end, 4.686047, 1e-6) && close(noisy.lead, 5.678908, 1e-6))
        #expect(Trend([nil, nil]) == nil && Trend([1, .nan, 2]) == nil)
        let short = try #require(Trend([1, 2]))
        #expect(short.end == 1.5 && short.lead == nil)
        #expect(Trend([2, 2, 2, 2])?.lead == .infinity)
    }

    @Test("A search by draws comes near the best place although every trial is blurred, and no single draw moves it far")
    func search() {
        var distances: [Double] = []
        for seed in UInt64(1)...10 {
            var search = SettingsSearch(dimensions: 5, seed: seed), luck = RandomSource(seed: seed &+ 100)
            // 1.7 away along two coordinates; the others matter less.
            for _ in 0..<4 {
                let places = [search.centre] + search.draw(23)
                let scored = places.map { place in
                    let miss = (place[0] - 1.2) * (place[0] - 1.2) + (place[1] + 1.2) * (place[1] + 1.2) + 0.1 * place[2] * place[2]
                    return (place: place, value: -miss + Double(luck.gaussian()))
                }
                search.move(to: scored.sorted { $0.value > $1.value }.prefix(6).map(\.place))
            }
            let centre = search.centre
            distances.append(((centre[0] - 1.2) * (centre[0] - 1.2) + (centre[1] + 1.2) * (centre[1] + 1.2)).squareRoot())
        }
        #expect(distances.allSatisfy { $0 < 1 } && distances.reduce(0, +) / 10 < 0.6, "\(distances)")
        var one = SettingsSearch(dimensions: 1, seed: 3), other = SettingsSearch(dimensions: 1, seed: 3)
        #expect(one.draw(5) == other.draw(5))
        one.move(to: [[1], [0]])
        // ln 2.5 and ln 1.25, as weights.
        #expect(close(one.centre[0], 0.804163, 1e-6) && close(one.spread, 0.7, 1e-12))
    }
}
