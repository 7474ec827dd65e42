import Testing

@testable import Factorization

@Suite struct PromotionTests {
    private func settings(trainers: Int = 1) -> EngineSettings {
        var settings = EngineSettings(
            models: ["a", "b", "c"].map { ModelSettings(name: $0, rank: 4, negatives: 2) }, trainers: trainers, queueCapacity: 64, historyLength: 5)
        settings.models[1].rates.user = 0.01
        settings.comparison = ComparisonSettings(model: 1, against: 0)
        return settings
    }

    private func promote(_ engine: Engine, _ name: String) {
        let batch = EventBatch(recordCapacity: 1, textCapacity: 1024)
        #expect(batch.appendPromotion(of: name, hashing: engine.hashing))
        engine.learnNow(batch)
    }

    @Test func aPromotionHasAPositionAndBeginsTheComparisonAnew() throws {
        for trainers in [1, 3] {
            let engine = Engine(settings: settings(trainers: trainers))
            engine.learn(randomEvents(300, seed: 1))
            #expect(engine.answering == 0 && engine.promotedAt == 0 && engine.comparison!.events == 300)
            promote(engine, "b")
            #expect(engine.answering == 1 && engine.promotedAt == 301 && engine.appliedPosition == 301)
            #expect(engine.comparison == SequentialTest())
            // What changes nothing takes its position all the same: a replay comes to the same ones.
            promote(engine, "nobody")
            engine.learn(randomEvents(100, seed: 2))
            promote(engine, "b")
            #expect(engine.answering == 1 && engine.promotedAt == 301 && engine.appliedPosition == 403 && engine.comparison!.events == 100)
            let other = Engine(settings: settings())
            try other.restore(from: MemoryState(engine))
            #expect(other.answering == 1 && other.promotedAt == 301 && other.comparison!.events == 100)
        }
    }

    @Test func aStateOfATimeBeforePromotionsAnswersByTheFirstModel() throws {
        let engine = Engine(settings: settings()), other = Engine(settings: settings())
        engine.learn(randomEvents(50, seed: 1))
        var state = MemoryState(engine)
        state.sections["answering"] = nil
        state.sections["model/b/comparison"] = nil
        try other.restore(from: state)
        #expect(other.answering == 0 && other.comparison == SequentialTest() && other.appliedPosition == 50)
        state.sections["answering"] = [0, 0, 0, 0, 0, 0, 0, 0] + Array("nobody".utf8)
        #expect(throws: StateError.damaged(section: "answering")) { try Engine(settings: settings()).restore(from: state) }
        state.sections["answering"] = [1, 2, 3]
        #expect(throws: StateError.damaged(section: "answering")) { try Engine(settings: settings()).restore(from: state) }
    }

    @Test func theJournalHoldsIt() throws {
        let batch = EventBatch(recordCapacity: 4, textCapacity: 1024), hashing = KeyHash(seed: 0)
        #expect(batch.appendPromotion(of: "b", hashing: hashing))
        let encoder = BatchEncoder(), again = EventBatch(recordCapacity: 4, textCapacity: 1024)
        try withExtendedLifetime(encoder) { try again.decode(encoder.encode(batch, withMessages: false), hashing: hashing) }
        #expect(again.records[0].kind == .promote && again.records[0].item.text.elementsEqual("b".utf8))
    }

    /// A state that was copied while the stream went on, with promotions before, within and after its window.
    @Test(arguments: 0..<40) func promotionsAreThereOnceWhateverTheStateCaught(_ seed: Int) throws {
        var dice = Dice(seed + 400)
        let trainers = 1 + seed % 3
        var steps: [StreamStep] = randomEvents(600, users: 40, items: 60, seed: seed).map { event in { $0.append(event) } }
        for name in ["b", "c", "b", "a", "b"] {
            let place = dice.below(steps.count)
            steps.insert({ #expect($0.batch.appendPromotion(of: name, hashing: $0.hashing)) }, at: place)
        }
        let whole = GateDriver(Engine(settings: settings(trainers: trainers)), steps[...], seed: seed)
        whole.finish()
        let first = GateDriver(Engine(settings: settings(trainers: trainers)), steps[...], seed: seed + 1)
        let start = dice.below(steps.count * 2 / 3)
        while first.next < start { first.move() }
        let (state, next) = first.capture(moves: 1 + dice.below(12))
        let second = Engine(settings: settings(trainers: trainers))
        try second.restore(from: state)
        GateDriver(second, steps[next...], seed: seed + 2).finish()
        #expect(second.answering == whole.engine.answering && second.promotedAt == whole.engine.promotedAt)
        #expect(second.appliedPosition == whole.engine.appliedPosition)
        // What rows had learned before they were scored is not compared again; all else is.
        #expect(second.comparison!.events <= whole.engine.comparison!.events)
        first.finish()
        #expect(first.engine.comparison!.events == whole.engine.comparison!.events)
    }
}
