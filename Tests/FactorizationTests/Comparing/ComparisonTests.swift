import Testing

@testable import Factorization

@Suite struct ComparisonTests {
    private static func settings(
        _ models: [ModelSettings], trainers: Int = 1, measure: ComparisonSettings.Measure = .loss
    ) -> EngineSettings {
        var settings = EngineSettings(models: models, trainers: trainers, queueCapacity: 512, historyLength: 5, seenLimit: 40)
        settings.comparison = ComparisonSettings(model: 1, against: 0, measure: measure)
        return settings
    }

    private static func model(_ name: String, _ kind: ModelSettings.Kind = .mf, loss: ModelSettings.Loss = .logistic, negatives: Int = 3) -> ModelSettings {
        var model = ModelSettings(name: name, kind: kind, rank: 4, loss: loss, negatives: negatives)
        if name == "b" { model.rates.user = 0.01 }
        return model
    }

    /// Losses below the cap: their differences are those of the prequential sums. Kinds and losses that learn in runs, and that do
    /// not, side by side.
    @Test(arguments: [
        (model("a"), model("b"), 4.0), (model("a"), model("b", .fm), 4.0), (model("a", .fm), model("b"), 4.0),
        (model("a", loss: .bpr), model("b", loss: .bpr), 4.0), (model("a", loss: .warp), model("b", loss: .warp), 4.0),
    ])
    func differencesAreThoseOfThePrequentialLosses(_ a: ModelSettings, _ b: ModelSettings, _ cap: Double) {
        for trainers in [1, 3] {
            let engine = Engine(settings: Self.settings([a, b], trainers: trainers))
            engine.learn(randomEvents(1500, users: 30, items: 400, context: 0, seed: 3))
            let test = engine.comparison!
            let sums = engine.trainers.reduce(0.0) {
                $0 + $1.learners[0].prequential.published.loss - $1.learners[1].prequential.published.loss
            }
            // While the catalogue holds one item, a pairwise loss has nothing to say.
            #expect(test.events == UInt64(engine.prequential(0).events) && test.events > 1400)
            #expect(test.squares > 0)
            #expect(abs(test.sum - sums / cap) < 1e-6 * 1500, "\(test.sum) \(sums / cap)")
        }
    }

    @Test func squaredErrorsCountInPartsOfTheSpreadOfLabels() {
        let engine = Engine(settings: Self.settings([Self.model("a", loss: .squared, negatives: 0), Self.model("b", loss: .squared, negatives: 0)]))
        engine.learn([TestEvent(user: 1, item: 1, value: 1), TestEvent(user: 1, item: 2, value: 5)])
        // Nothing is known of the spread before the second label is there.
        #expect(engine.comparison!.events == 2 && engine.comparison!.sum == 0)
        let learners = engine.trainers[0].learners, before = learners.map { $0.prequential.published.loss }
        engine.learn([TestEvent(user: 2, item: 1, value: 3)])
        let after = zip(learners, before).map { $0.prequential.published.loss - $1 }
        #expect(abs(engine.comparison!.sum - (after[0] - after[1]) / 16) < 1e-9)
    }

    @Test func aucIsTheShareOfNegativesThatScoreAbove() {
        let engine = Engine(settings: Self.settings([Self.model("a", loss: .bpr, negatives: 1), Self.model("b", .fm, negatives: 1)], measure: .auc))
        engine.learn(randomEvents(800, users: 30, items: 5000, context: 0, values: 1...1, seed: 5))
        let (a, b) = (engine.trainers[0].learners[0].prequential.published, engine.trainers[0].learners[1].prequential.published)
        #expect(a.comparisons == b.comparisons && a.comparisons > 700)
        #expect(abs(engine.comparison!.sum - (b.wins - a.wins)) < 1e-6)
        #expect(engine.comparison!.events == 800 && engine.comparison!.sum != 0)
    }

    @Test func eventsOfOneSideAloneCountAsChance() {
        let models = [Self.model("a"), Self.model("b")].map { settings in Engine(settings: EngineSettings(models: [settings])).models[0] }
        let comparison = Comparison(ComparisonSettings(model: 1, against: 0, measure: .auc), models: models)
        func take(_ side: Int, _ positions: [UInt64], _ loss: Double) { for position in positions { comparison.take(side, position: position, loss: loss) } }
        // The challenger is ahead, then behind; 2 and 5 are the champion's alone, 4 the challenger's.
        take(Comparison.challenger, [1, 3, 4], 0.1)
        take(Comparison.champion, [1, 2, 3, 5, 6], 0.3)
        take(Comparison.challenger, [6, 7], 0.1)
        take(Comparison.champion, [7], 0.3)
        #expect(comparison.test.events == 7)
        // 1, 3, 6, 7: 0.2 each; 2 and 5: 0.3 − 0.5; 4: 0.5 − 0.1.
        #expect(abs(comparison.test.sum - (4 * 0.2 - 2 * 0.2 + 0.4)) < 1e-12)
    }

    @Test func aScoreThatIsNotFiniteIsTheWorstLoss() {
        for measure in ComparisonSettings.Measure.allCases {
            let models = [Self.model("a"), Self.model("b")].map { settings in Engine(settings: EngineSettings(models: [settings])).models[0] }
            let comparison = Comparison(ComparisonSettings(model: 1, against: 0, measure: measure), models: models)
            let good: [Float] = [2, -1], bad: [Float] = [.infinity, -1], softplus: [Float] = [2.13, 0.31]
            for (side, scores) in [(Comparison.challenger, bad), (Comparison.champion, good)] {
                comparison.take(side, position: 1, scores, softplus, label: 1, count: 2)
            }
            #expect(comparison.test.sum < -0.9, "\(measure): \(comparison.test.sum)")
        }
    }

    @Test func aRestoredComparisonGoesOnAsIfNothingHadHappened() throws {
        let settings = Self.settings([Self.model("a"), Self.model("b")]), events = randomEvents(1200, users: 30, items: 90, context: 1, seed: 8)
        let whole = Engine(settings: settings), first = Engine(settings: settings), second = Engine(settings: settings)
        whole.learn(events)
        first.learn(Array(events[..<700]))
        try second.restore(from: MemoryState(first))
        #expect(second.comparison == first.comparison && second.comparison!.events == 700)
        second.learn(Array(events[700...]))
        #expect(second.comparison == whole.comparison)
        // With other trainers the sums stay, of another comparison nothing does.
        let third = Engine(settings: Self.settings(settings.models, trainers: 3)), other = Engine(settings: Self.settings(settings.models, measure: .auc))
        try third.restore(from: MemoryState(first))
        try other.restore(from: MemoryState(first))
        #expect(third.comparison!.events == 700 && abs(third.comparison!.sum - first.comparison!.sum) < 1e-12)
        #expect(other.comparison == SequentialTest())
    }
}
