import Testing

@testable import Factorization

/// Labels beyond what a loss is made for: logistic loss takes 0 and 1, or −1 and 1, or what a sender gives.
@Suite struct LabelTests {
    /// A way that an event's label takes to a row: in a run, by itself, with its context, rounded, learned again, without samples.
    enum Way: CaseIterable {
        case run, singly, context, fading, halves, replayed, withoutSamples, attributed

        var settings: EngineSettings {
            var model = ModelSettings(rank: 8, negatives: self == .singly ? 0 : 3)
            if self == .fading { model.halfLife = 1000 }
            if self == .halves { model.storage = .bfloat16 }
            if self == .withoutSamples { (model.unobserved, model.interaction) = (.regularized, .init(user: 4, item: 1)) }
            var settings = EngineSettings(models: [model], queueCapacity: 1024)
            if self == .replayed { (settings.replayCapacity, settings.replaysPerEvent) = (4096, 2) }
            return settings
        }
    }

    private static let given: [Float] = [-1, 0, 0.25, 1, 5, -0.001, 1.001], learned: [Float] = [0, 0, 0.25, 1, 1, 0, 1]

    private func engine(_ way: Way, _ labels: [Float], loss: ModelSettings.Loss = .logistic) -> Engine {
        var settings = way.settings
        settings.models[0].loss = loss
        let engine = Engine(settings: settings)
        if way == .attributed { for item in 0..<30 { engine.describe(item: Int64(item), [TestFeature(field: "genre", value: Int64(item % 3))]) } }
        var events = randomEvents(2000, context: way == .context ? 2 : 0, seed: 3)
        for index in events.indices { events[index].value = labels[index % labels.count] }
        engine.learn(events)
        return engine
    }

    @Test(arguments: Way.allCases) func logisticLossLearnsTheNearestOfItsLabels(_ way: Way) {
        let one = engine(way, LabelTests.given), other = engine(way, LabelTests.learned)
        // The reservoir keeps what was given, as another model beside may have use for it.
        #expect(MemoryState(one).differences(MemoryState(other)).filter { !$0.contains("replay") } == [])
        #expect(one.prequential(0) == other.prequential(0))
        #expect(one.prequential(0).value > 0 && one.prequential(0).events == 2000)
    }

    @Test func squaredLossTakesThemAsTheyAre() {
        let one = engine(.run, LabelTests.given, loss: .squared), other = engine(.run, LabelTests.learned, loss: .squared)
        #expect(MemoryState(one).differences(MemoryState(other)) != [])
    }

    @Test func aVisitorsItemsCountAsTheModelWouldLearnThem() {
        for (loss, isLimited) in [(ModelSettings.Loss.logistic, true), (.squared, false)] {
            let scorer = Scorer(engine: engine(.run, LabelTests.learned, loss: loss)), items: [UInt32] = [0, 1, 2, 3]
            func scores(_ label: Float) -> [Float] {
                scorer.score(user: Placement.none, items: items, visitor: Visitor(items: [Visitor.Item(ordinal: 5, label: label)]))
            }
            #expect((scores(-1) == scores(0)) == isLimited && (scores(7) == scores(1)) == isLimited)
            #expect(scores(0) != scores(1))
        }
    }
}
