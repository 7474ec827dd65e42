import CKernels
import Synchronization
import Testing

@testable import Factorization

/// The copy that retrieval scans is never taken for what rows no longer are, whoever has written them.
@Suite struct RowCopyTests {
    /// Learns a stretch, looks for copies that were not told, then answers from them.
    private func follow(_ engine: Engine, seed: Int, cuts: Int, _ learn: (Int) -> Void) {
        let pair = ScorerPair(engine)
        var dice = Dice(seed), fresh = 0
        for cut in 0..<cuts {
            learn(cut)
            for model in engine.models.indices {
                #expect(engine.staleCopies(model) == [], "seed \(seed), model \(model), after cut \(cut)")
                #expect(pair.agree(&dice, queries: 2, model: model), "seed \(seed), model \(model), after cut \(cut)")
                fresh += engine.freshCopies(model)
            }
        }
        #expect(fresh > 0, "copies were there to become stale")
    }

    /// Every option on: runs, single steps, fading, sweeps, the regulariser with and without samples, replay, folding,
    /// attributes, hidden and forgotten items.
    @Test(arguments: EverythingCase.all.indices) func everythingTellsTheCopy(_ index: Int) {
        let engine = EverythingCase.all[index].engine(), steps = EverythingCase.steps + EverythingCase.quiet
        follow(engine, seed: index, cuts: 60) { EverythingCase.learn(engine, steps[$0 * 35..<$0 * 35 + 35]) }
    }

    /// Kinds and losses without fading, so that no sweep tells what an event should have told.
    @Test(arguments: KindCase.all.indices) func eventsTellTheCopy(_ index: Int) {
        let kind = KindCase.all[index]
        for storage in ModelSettings.Storage.allCases {
            for history in [0, 4] {
                var settings = kind.settings(.adagrad, history: history)
                settings.storage = storage
                let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 64))
                follow(engine, seed: index, cuts: 10) { cut in
                    engine.learn(randomEvents(12, users: 10, items: 90, context: cut % 2 * 2, seed: cut + 100 * index))
                    if cut % 3 == 2 { engine.describe(item: Int64(cut * 7 % 90), [TestFeature(field: "a", value: Int64(cut), weight: 0.7)]) }
                }
            }
        }
    }

    @Test func runsTellTheCopy() {
        for seed in 0..<10 {
            let settings = ModelSettings(kind: .mf, rank: 1 + seed * 3, optimizer: seed % 2 == 0 ? .sgd : .adagrad, negatives: seed % 4, deviation: 0.3)
            let engine = Engine(settings: EngineSettings(models: [settings], trainers: 1 + seed % 3, queueCapacity: 64))
            #expect(engine.trainers[0].learners[0].takesRuns)
            follow(engine, seed: seed, cuts: 20) { engine.learn(randomEvents(5 + $0 * 10, users: 20, items: 300, context: 0, seed: $0)) }
        }
    }

    @Test func unsampledModelsTellTheCopy() {
        for history in [0, 3] {
            var settings = KindCase(kind: .mf).settings(.sgd, history: history, negatives: 0)
            settings.unobserved = .regularized
            settings.interaction = .init(user: 2, item: 1)
            let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 64))
            follow(engine, seed: history, cuts: 30) { cut in
                engine.learn(randomEvents(10, users: 10, items: 60, context: 0, seed: cut))
                if cut % 5 == 2 { engine.describe(item: Int64(cut), [TestFeature(field: "a", value: Int64(cut % 3), weight: 0.7)]) }
            }
        }
    }

    @Test func badRowsAreMendedInTheCopy() {
        for context in [0, 2] {
            let engine = Engine(settings: EngineSettings(models: [ModelSettings(kind: .mf, rank: 8, negatives: 1, deviation: 0.3)]))
            let table = engine.models[0].items
            var dice = Dice(3)
            follow(engine, seed: 3, cuts: 20) { cut in
                engine.learn(randomEvents(10, users: 10, items: 40, context: context, seed: cut))
                let item = UInt32(dice.below(engine.items.count))
                table.factors(item)[3] = .nan
                table.copy?.touch(item)
                // The copy is made of the bad row, and mended with it.
                _ = ScorerPair(engine).agree(&dice)
                engine.learn((0..<10).map { TestEvent(user: $0, item: Int64(cut), context: context == 0 ? [] : [TestFeature(field: "f", value: 1)]) })
            }
        }
    }

    @Test func evictedAndReusedRowsTellTheCopy() {
        let engine = boundedEngine(rows: 150)
        follow(engine, seed: 9, cuts: 40) { engine.learn(zipfEvents(150, users: 80, items: 400, offset: Int64($0 * 20), seed: $0)) }
        #expect(engine.items.holeCount > 0 || engine.sequencer.evictions.load(ordering: .relaxed) > 0)
    }

    /// States that were captured in pieces, taken up, and the stream applied again: what the window puts back is told.
    @Test(arguments: 0..<20) func replayWindowsTellTheCopy(_ seed: Int) throws {
        let test = EverythingCase.all[seed % EverythingCase.all.count], steps = EverythingCase.steps
        let first = GateDriver(test.engine(trainers: 1 + seed % 3), steps[..<700], seed: seed)
        var dice = Dice(seed)
        while first.next < 200 { first.move() }
        let (state, next) = first.capture(moves: 1 + dice.below(12))
        let second = test.engine(trainers: 1 + seed % 2)
        try second.restore(from: state)
        let pair = ScorerPair(second), again = GateDriver(second, steps[next..<700], seed: seed + 2)
        #expect(pair.agree(&dice))
        while !again.isAtEnd {
            again.move()
            #expect(second.staleCopies() == [])
            if dice.below(3) == 0 { #expect(pair.agree(&dice, queries: 1)) }
        }
        again.settle()
        #expect(second.staleCopies() == [] && pair.agree(&dice))
    }

    @Test func memoryIsCountedOnceThereIsACopy() {
        let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 64)]))
        engine.learn(randomEvents(200, users: 10, items: 100, context: 0, seed: 1))
        let before = engine.bytes.rows
        #expect(ScorerPair(engine).quick.recommend(RecommendQuery(user: 0)).items.count == 10)
        #expect(engine.bytes.rows - before == engine.items.count * RowCopy.rowBytes(width: 64))
        #expect(RowCopy.rowBytes(width: 64) < 80)
    }
}
