import CKernels
import Synchronization
import Testing

@testable import Factorization

/// All options at once: attributes of both sides, context, history, negatives by popularity, replay, the interaction
/// regulariser, ftrl with sparse factors, schedules, rows that fade, lasting folds, histories over their budget.
@Suite struct EverythingTests {
    private static let steps = EverythingCase.steps
    /// Before and after the first tables of negatives.
    private static let cuts = [700, 1300]

    @Test(arguments: EverythingCase.all, cuts) func aSavedStateGoesOnBitForBit(_ test: EverythingCase, _ cut: Int) throws {
        let whole = test.engine(), first = test.engine(), second = test.engine()
        EverythingCase.learn(whole, Self.steps[...])
        EverythingCase.learn(first, Self.steps[..<cut], cut: 77)
        let saved = MemoryState(first)
        try second.restore(from: saved)
        #expect(MemoryState(second).differences(saved) == [])
        EverythingCase.learn(second, Self.steps[cut...], cut: 130)
        #expect(MemoryState(second).differences(MemoryState(whole)) == [])
        // Each option has had its part.
        #expect(whole.nonFiniteValues() == 0 && whole.caps(0).rejected == 0)
        #expect(test.unobserved == .regularized || whole.sequencer.negatives.tables != nil)
        #expect(test.unobserved == .regularized || whole.replay.replayed > 1000)
        #expect((whole.refolded(0) > 20) == test.folds)
        #expect(whole.histories.dropped > 0 && whole.itemAttributes.count > 5 && whole.userAttributes.count > 5)
    }

    /// Rows, weights and ftrl's sums belong together, whatever moved them last.
    @Test(arguments: EverythingCase.all) func rowsAreWholeAfterAll(_ test: EverythingCase) {
        let engine = test.engine(), model = engine.models[0]
        EverythingCase.learn(engine, Self.steps[...])
        var asleep = 0, awake = 0
        for group in model.groups {
            let table = group.table
            for ordinal in 0..<UInt32(engine.rowCount(group.side)) {
                let state = fk_read_state(table.state(ordinal)), row = table.factors(ordinal)
                #expect(table.stamps![ordinal] <= model.halfLife.stamp(engine.appliedPosition))
                guard test.isSparse, let ftrl = model.settings.weightFtrl, let z = table.linear(ordinal).z?.pointee else { continue }
                let isZero = (0..<table.stride).allSatisfy { row[$0] == 0 }
                #expect(isZero == (state.weight == 0), "\(group.name) \(ordinal)")
                if isZero { #expect(state.factor_accumulator == 0) }
                asleep += isZero ? 1 : 0
                awake += isZero ? 0 : 1
                let beyond = max(abs(z) - ftrl.l1, 0), scale = (ftrl.beta + state.weight_accumulator.squareRoot()) / ftrl.alpha + ftrl.l2
                let weight = (z < 0 ? 1 : -1) * beyond / scale
                #expect(abs(state.weight - weight) <= 1e-4 * abs(weight) + 1e-6, "\(group.name) \(ordinal)")
            }
        }
        if test.isSparse { #expect(asleep > 20 && awake > 20, "\(asleep) and \(awake)") }
    }

    /// What moves many items at once G learns from the sweep: rows of attributes must move little in a round for it to be near.
    @Test(arguments: EverythingCase.all) func gramIsNearAfterRoundsInWhichLittleMoves(_ test: EverythingCase) {
        var settings = test.model()
        settings.halfLife = 20_000
        settings.interaction.item = 0.02
        var all = EverythingCase.settings([settings])
        // A past event that is learned again moves rows as much as any.
        all.replayCapacity = 0
        let engine = Engine(settings: all), model = engine.models[0]
        EverythingCase.learn(engine, Self.steps[...])
        EverythingCase.learn(engine, EverythingCase.quiet[...])
        var exact = [Float](repeating: 0, count: model.width * model.width)
        let z = Parameters.floats(model.width), grams = model.grams!
        defer { z.deallocate() }
        for item in 0..<UInt32(engine.items.count) where grams.settledAt(item).pointee.load(ordering: .relaxed) != 0 {
            ItemSide.vector(model, item, into: z)
            model.kernels.rankOne(&exact, 1, z, 1, model.width)
        }
        let size = exact.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let off = exact.indices.reduce(Float(0)) { $0 + (exact[$1] - grams.items[$1]) * (exact[$1] - grams.items[$1]) }.squareRoot()
        // 0.05 to 0.1 of it, by which items the tight memory for histories leaves out.
        #expect(off <= 0.12 * size, "\(off) of \(size)")
    }

    /// Answers are finite, repeat themselves, and write nothing.
    @Test(arguments: EverythingCase.all) func answersLeaveTheStateAlone(_ test: EverythingCase) {
        let engine = test.engine(), scorer = Scorer(engine: engine)
        EverythingCase.learn(engine, Self.steps[...])
        let state = MemoryState(engine), items = (0..<UInt32(engine.items.count)).map { $0 }
        let context = [(ordinal: engine.context(TestFeature(field: "f0", value: 1)), weight: Float(0.8))]
        for user in [0, 7, 31, Placement.none] as [UInt32] {
            let scores = scorer.score(user: user, items: items, features: context)
            #expect(scores.allSatisfy(\.isFinite) && scores == scorer.score(user: user, items: items, features: context))
            let best = scorer.recommend(RecommendQuery(user: user, features: context, count: 5)).items
            #expect(best.count == 5 && (user == Placement.none || best.allSatisfy { scores[Int($0.item)] == $0.score }))
        }
        #expect(MemoryState(engine).differences(state) == [])
    }

    /// Models of one process learn as if each were alone.
    @Test func modelsDoNotDisturbOneAnother() {
        let models = EverythingCase.all.enumerated().map { $1.model(name: "m\($0)") }
        let together = Engine(settings: EverythingCase.settings(models))
        EverythingCase.learn(together, Self.steps[..<1200])
        let all = MemoryState(together)
        for model in models {
            let alone = Engine(settings: EverythingCase.settings([model]))
            EverythingCase.learn(alone, Self.steps[..<1200])
            let own = MemoryState(alone).differences(all).filter { $0.hasPrefix("model/\(model.name)/") }
            #expect(own == [], "\(model.name)")
        }
    }

    /// Tables, reservoir, rows and stamps are taken up by any number of trainers, and go on.
    @Test(arguments: EverythingCase.all) func anotherNumberOfTrainersTakesUpTheState(_ test: EverythingCase) throws {
        let one = test.engine(), three = test.engine(trainers: 3), again = test.engine()
        EverythingCase.learn(one, Self.steps[..<1300])
        let saved = MemoryState(one)
        try three.restore(from: saved)
        #expect(saved.differences(MemoryState(three)) == ["model/main/parts", "model/main/prequential", "model/main/window"])
        let catalogue = UInt64(one.items.count), draws = one.trainers[0].learners[0].draws
        for trainer in three.trainers {
            let own = trainer.learners[0].draws
            for word in 0..<200 as Range<UInt64> { #expect(own.item(word, 0, of: catalogue) == draws.item(word, 0, of: catalogue)) }
        }
        EverythingCase.learn(three, Self.steps[1300...])
        #expect(three.nonFiniteValues() == 0 && three.trainers.allSatisfy { $0.interactions > 20 })
        let later = MemoryState(three)
        try again.restore(from: later)
        #expect(later.differences(MemoryState(again)) == ["model/main/parts", "model/main/prequential", "model/main/window"])
        EverythingCase.learn(again, Self.steps[..<300])
        #expect(again.nonFiniteValues() == 0)
    }
}
