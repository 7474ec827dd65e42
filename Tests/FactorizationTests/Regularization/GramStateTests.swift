import Glibc
import Synchronization
import Testing

@testable import Factorization

/// G_z as it is kept while rows move: exact on one trainer, near under two and exact again after a quiet round, saved and
/// taken up, absent where the regulariser is.
@Suite struct GramStateTests {
    @Test(arguments: KindCase.all) func gramFollowsEveryStep(_ kind: KindCase) {
        let test = InteractionCase(InteractionCase.settings(kind, .adagrad, negatives: 6, user: 1, item: 1))
        for part in 0..<4 {
            test.engine.learn(InteractionCase.events(120, from: 120 * part))
            #expect(test.gramError <= 1e-5, "part \(part)")
        }
    }

    @Test func withoutTheRegulariserThereAreNoMatrices() {
        let test = InteractionCase(InteractionCase.settings(KindCase(kind: .mf), negatives: 2))
        test.engine.learn(InteractionCase.events(50))
        #expect(test.model.grams == nil && test.engine.trainers[0].learners[0].interaction == nil)
        #expect(!MemoryState(test.engine).sections.keys.contains { $0.contains("gram") || $0.contains("settled") })
    }

    /// Attribute rows move many items at once, which G learns of by the round. (Settling moves them too, hence none here.)
    @Test func aQuietRoundMakesGramExactWithAttributes() {
        let test = InteractionCase(InteractionCase.settings(KindCase(kind: .mf), negatives: 2, user: 1))
        for item in 0..<Int64(12) { test.engine.describe(item: item, [TestFeature(field: "genre", value: item % 3, weight: 0.6)]) }
        test.engine.learn(InteractionCase.events(300))
        let loud = test.gramError
        #expect(loud > 1e-5 && loud < 0.5, "\(loud)")
        quiet(test)
        #expect(test.gramError <= 1e-5)
    }

    /// Events that move nothing but the regulariser's own steps, two rounds and more.
    private func quiet(_ test: InteractionCase) {
        let count = 2 * 4 * test.engine.items.count + 200
        for start in stride(from: 0, to: count, by: 100) {
            test.engine.learn(InteractionCase.events(100, context: 0, weight: InteractionCase.nothing, from: 10_000 + start))
        }
    }

    @Test func twoTrainersKeepGramNearAndAQuietRoundMakesItExact() {
        var settings = ModelSettings(
            rank: 16, optimizer: .sgd, rates: .init(user: 0.05, item: 0.05, context: 0.05, weight: 0.05), negatives: 4,
            interaction: .init(user: 1, item: 1))
        settings.l2 = .init(user: 0, item: 0, context: 0, weight: 0)
        let test = InteractionCase(settings, trainers: 2), engine = test.engine
        let done = Atomic<Bool>(false)
        let sequencer: @Sendable () -> Void = {
            var dice = Dice(4)
            for _ in 0..<40 {
                let builder = BatchBuilder(engine, records: 500)
                for _ in 0..<500 { builder.append(TestEvent(user: Int64(dice.below(100)), item: Int64(dice.below(60)))) }
                var index = 0
                while index < 500 {
                    let next = engine.sequencer.take(builder.batch, from: index)
                    if next == index { sched_yield() }
                    index = next
                }
            }
            done.store(true, ordering: .releasing)
        }
        let trainers: [@Sendable () -> Void] = engine.trainers.map { trainer in
            {
                var finished = false
                while !finished {
                    finished = done.load(ordering: .acquiring)
                    if trainer.drain() == 0 { sched_yield() } else { finished = false }
                }
            }
        }
        onThreads([sequencer] + trainers)
        let raced = test.gramError
        #expect(raced < 0.1, "\(raced)")
        #expect(engine.appliedPosition == 20_000)
        quiet(test)
        #expect(test.gramError <= 1e-5)
    }

    @Test(arguments: KindCase.kinds) func aSavedStateGoesOnBitForBit(_ kind: KindCase) throws {
        let settings = EngineSettings(
            models: [InteractionCase.settings(kind, negatives: 3, user: 1, item: 2)], queueCapacity: 64, historyLength: 8)
        let whole = Engine(settings: settings), first = Engine(settings: settings), second = Engine(settings: settings)
        let all = InteractionCase.events(400)
        whole.learn(all)
        first.learn(Array(all[..<170]))
        let saved = MemoryState(first)
        try second.restore(from: saved)
        #expect(saved.differences(MemoryState(second)) == [])
        second.learn(Array(all[170...]))
        #expect(MemoryState(second).differences(MemoryState(whole)) == [])
    }

    @Test func theRegulariserCanBeSwitchedOnAndOff() throws {
        let kind = KindCase(kind: .mf)
        let off = InteractionCase(InteractionCase.settings(kind, negatives: 2))
        let on = InteractionCase(InteractionCase.settings(kind, negatives: 2, user: 1, item: 1))
        let offAgain = InteractionCase(InteractionCase.settings(kind, negatives: 2))
        off.engine.learn(InteractionCase.events(100))
        try on.engine.restore(from: MemoryState(off.engine))
        #expect(on.gramError <= 1e-6)
        #expect((0..<UInt32(12)).allSatisfy { on.grams.settledAt($0).pointee.load(ordering: .relaxed) == 100 })
        on.engine.learn(InteractionCase.events(100, from: 100))
        #expect(on.gramError <= 1e-5)
        try offAgain.engine.restore(from: MemoryState(on.engine))
        #expect(offAgain.engine.appliedPosition == 200)
    }

    @Test func aStateWithoutItsMatricesIsRefusedWhereTheyAreTheModel() throws {
        var settings = InteractionCase.settings(KindCase(kind: .mf), user: 4, item: 1)
        settings.unobserved = .regularized
        let test = InteractionCase(settings)
        test.engine.learn(InteractionCase.events(50, context: 0))
        var state = MemoryState(test.engine)
        state.sections["model/main/gram"] = nil
        #expect(throws: StateError.missing(section: "model/main/gram")) { try InteractionCase(settings).engine.restore(from: state) }
    }
}
