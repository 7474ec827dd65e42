import Synchronization
import Testing

@testable import Factorization

@Suite struct QuarantineTests {
    @Test(arguments: 0..<4) func anOrdinalIsFreeOnlyWhenNothingNamesIt(seed: Int) {
        let model = ModelSettings(rank: 4, negatives: 3, history: .init(length: 4, decay: 0.8))
        let engine = boundedEngine(rows: 400, model: model, trainers: 1 + seed % 3, replay: 200)
        let events = zipfEvents(9000, users: 150, items: 4000, seed: seed)
        var freed = 0
        for start in stride(from: 0, to: events.count, by: 250) {
            engine.learn(Array(events[start..<start + 250]))
            for item in engine.sequencer.keeper.free[RowSide.items.rawValue] {
                #expect(engine.mentions(ofItem: item) == [] && engine.items.isHole(item))
                freed += 1
            }
        }
        #expect(freed > 20 && engine.evictions > 100, "\(freed) \(engine.evictions)")
        for trainer in engine.trainers {
            for item in 0..<UInt32(engine.items.count) { #expect(trainer.holes.view.contains(item) == engine.items.isHole(item)) }
        }
    }

    @Test func theStreamWaitsForALateReaderAndALateTrainer() {
        let engine = boundedEngine(rows: 0, histories: false), reader = engine.epochs.register()
        engine.learn([TestEvent(user: 1, item: 1), TestEvent(user: 2, item: 2)])
        let item = engine.item(2)
        let builder = BatchBuilder(engine)
        for _ in 0..<1200 { builder.append(TestEvent(user: 1, item: 1)) }
        let forget = BatchBuilder(engine)
        forget.append(.forgetItem, item: 2)
        engine.epochs.reading(reader) {
            engine.learnNow(forget.batch)
            #expect(engine.item(2) == Placement.none && engine.items.isHole(item))
            var taken = 0
            for _ in 0..<200 {
                taken = engine.sequencer.take(builder.batch, from: taken)
                _ = engine.trainers[0].drain()
            }
            // Everything stands ready but for the reader.
            #expect(taken > 1000 && taken < 1200 && engine.sequencer.keeper.free[RowSide.items.rawValue] == [])
        }
        engine.learnNow(builder.batch)
        engine.learn([TestEvent(user: 1, item: 3)])
        #expect(engine.item(3) == item && engine.items.count == 2)
    }

    @Test func aForgottenItemLeavesNothing() {
        var model = ModelSettings(rank: 4, negatives: 2, history: .init(length: 4, decay: 0.8))
        model.interaction = .init(user: 0.5, item: 0.5)
        let engine = boundedEngine(rows: 0, model: model, replay: 100)
        engine.learn(randomEvents(300, users: 10, items: 12, context: 0, seed: 3))
        engine.describe(item: 5, [TestFeature(field: "genre", value: 1)])
        let item = engine.item(5)
        let builder = BatchBuilder(engine)
        builder.append(.forgetItem, item: 5)
        engine.learnNow(builder.batch)
        let scorer = Scorer(engine: engine)
        func answered() -> [UInt32] {
            [Placement.none, 0].flatMap { scorer.recommend(RecommendQuery(user: $0, count: 100, excludesSeen: false)).items.map(\.item) }
        }
        #expect(engine.item(5) == Placement.none && !answered().contains(item))
        #expect((0..<4).allSatisfy { engine.models[0].items.factors(item)[$0] == 0 })
        engine.learn(randomEvents(1200, users: 10, items: 5, context: 0, seed: 4))
        #expect(engine.mentions(ofItem: item) == [])
        // Nobody drew it meanwhile, and no round took it back into the Gram matrices.
        #expect((0..<4).allSatisfy { engine.models[0].items.factors(item)[$0] == 0 })
        #expect(engine.models[0].grams!.settledAt(item).pointee.load(ordering: .relaxed) == 0)
        engine.learn([TestEvent(user: 3, item: 77)])
        #expect(engine.item(77) == item && engine.items.holeCount == 0)
    }

    /// Readers look ids up and take the ordinals back to ids while rows come and go: within `reading` the two agree.
    @Test(arguments: 0..<3) func readersNeverTakeOneIdForAnother(seed: Int) throws {
        let engine = boundedEngine(rows: 300, trainers: 2), counters = Counters()
        let reader: @Sendable (Int) -> Void = { number in
            let ticket = engine.epochs.register()
            var dice = Dice(seed * 10 + number)
            while !counters.stop.load(ordering: .relaxed) {
                let id = Int64(1 + dice.below(400))
                engine.epochs.reading(ticket) {
                    let ordinal = engine.item(id)
                    guard ordinal != Placement.none else { return }
                    counters.looks.add(1, ordering: .relaxed)
                    for _ in 0..<20 where engine.items.key(ordinal, hashing: engine.hashing).payload != UInt64(id) {
                        counters.wrong.add(1, ordering: .relaxed)
                    }
                }
            }
        }
        let writer: @Sendable () -> Void = {
            for part in 0..<8 { engine.learn(zipfEvents(3000, users: 100, items: 4000, seed: seed * 100 + part)) }
            counters.stop.store(true, ordering: .relaxed)
        }
        onThreads([{ reader(0) }, { reader(1) }, writer])
        #expect(counters.wrong.load(ordering: .relaxed) == 0 && counters.looks.load(ordering: .relaxed) > 0 && engine.evictions > 100)
    }
}

private final class Counters: Sendable {
    let stop = Atomic<Bool>(false)
    let wrong = Atomic<Int>(0)
    let looks = Atomic<Int>(0)
}
