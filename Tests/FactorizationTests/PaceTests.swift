import Testing

@testable import Factorization

/// Learning rates and strengths that change while an engine lives.
@Suite struct PaceTests {
    private static let steps = EverythingCase.steps
    private static let cut = 900

    private static func changed(_ model: ModelSettings) -> ModelSettings {
        var model = model
        model.rates = .init(user: 0.031, item: 0.052, context: 0.013, weight: 0.024, history: 0.017, attribute: 0.029)
        model.globalRate = 0.008
        model.l2 = .init(user: 0.002, item: 0.003, context: 0.004, weight: 0.005, history: 0.006, attribute: 0.007)
        return model
    }

    /// As a recovery does it: the state up to there in an image, which an engine with the new settings takes up.
    private static func makeAnew(_ engine: Engine, _ settings: EngineSettings) throws -> Engine {
        let next = Engine(settings: settings)
        try next.restore(from: MemoryState(engine))
        return next
    }

    @Test(arguments: EverythingCase.all) func adoptingIsTakingUpBitForBit(_ test: EverythingCase) throws {
        let new = Self.changed(test.model())
        let first = test.engine(), second = test.engine(), unchanged = test.engine()
        for engine in [first, second, unchanged] { EverythingCase.learn(engine, Self.steps[..<Self.cut], cut: 77) }
        first.adopt([new])
        let anew = try Self.makeAnew(second, EverythingCase.settings([new]))
        for engine in [first, anew, unchanged] { EverythingCase.learn(engine, Self.steps[Self.cut...], cut: 130) }
        #expect(MemoryState(first).differences(MemoryState(anew)) == [])
        #expect(MemoryState(first).differences(MemoryState(unchanged)) != [], "the change made no difference")
        #expect(first.models[0].pace == new.pace)
    }

    /// Events that are learned many at a time.
    @Test(arguments: [ModelSettings.Loss.logistic, .squared]) func runsTakeTheNewSettings(_ loss: ModelSettings.Loss) throws {
        let model = ModelSettings(rank: 16, loss: loss, optimizer: .sgd, negatives: loss == .squared ? 0 : 4)
        var settings = EngineSettings(models: [model])
        let first = Engine(settings: settings), second = Engine(settings: settings)
        #expect(Learner.takesRuns(first.models[0]))
        let events = randomEvents(3000, users: 50, items: 70, context: 0, values: 0.2...1, seed: 4)
        func learn(_ engine: Engine, _ part: ArraySlice<TestEvent>) {
            let builder = BatchBuilder(engine, records: part.count)
            for event in part { builder.append(event) }
            engine.learnNow(builder.batch)
        }
        for engine in [first, second] { learn(engine, events[..<1500]) }
        settings.models = [Self.changed(model)]
        first.adopt(settings.models)
        let anew = try Self.makeAnew(second, settings)
        for engine in [first, anew] { learn(engine, events[1500...]) }
        #expect(MemoryState(first).differences(MemoryState(anew)) == [])
        let unchanged = Engine(settings: EngineSettings(models: [model]))
        learn(unchanged, events[...])
        #expect(MemoryState(first).differences(MemoryState(unchanged)) != [])
    }
}
