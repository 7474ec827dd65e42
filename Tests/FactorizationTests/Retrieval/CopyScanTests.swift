import CKernels
import Synchronization
import Testing

@testable import Factorization

/// Lists by the copy equal those by the plain scan, bit for bit.
@Suite struct CopyScanTests {
    private func engine(_ kernels: Kernels = .best, rank: Int, items: Int, scorers: Int = 1, storage: ModelSettings.Storage = .float32, seed: Int) -> Engine {
        var model = ModelSettings(kind: .mf, rank: rank, optimizer: .adagrad, negatives: 1, deviation: 0.3, seed: UInt64(seed))
        model.storage = storage
        var settings = EngineSettings(models: [model])
        settings.scorers = scorers
        let engine = Engine(settings: settings, kernels: kernels)
        engine.learn((0..<items).map { TestEvent(user: Int64($0 % 50), item: Int64($0), value: Float($0 & 1)) })
        return engine
    }

    @Test(arguments: Kernels.Variant.present) func listsAreThoseOfThePlainScan(_ variant: Kernels.Variant) throws {
        let kernels = try #require(Kernels(variant))
        for (seed, rank) in [1, 8, 13, 32, 64, 100].enumerated() {
            for storage in ModelSettings.Storage.allCases {
                let engine = engine(kernels, rank: rank, items: 900 + seed * 611, storage: storage, seed: seed), pair = ScorerPair(engine)
                var dice = Dice(seed)
                #expect(pair.agree(&dice, queries: 12), "rank \(rank), \(storage)")
                for item in 0..<UInt32(engine.items.count) where item % 3 == 0 {
                    // Many items that nothing tells apart.
                    fk_first_factors(engine.models[0].items.rows.place(item), 0, engine.models[0].width / (storage == .bfloat16 ? 2 : 1), 0, 0)
                    engine.models[0].items.copy?.touch(item)
                }
                #expect(pair.agree(&dice, queries: 12), "rank \(rank), \(storage), with ties")
            }
        }
    }

    /// Hidden items, and those that come while nobody has asked for a while.
    @Test func rulesAndNewItemsCount() {
        let engine = engine(rank: 16, items: 2000, seed: 5), pair = ScorerPair(engine)
        var dice = Dice(8)
        for round in 0..<10 {
            let hide = BatchBuilder(engine)
            for _ in 0..<100 { hide.append(.hideItem, item: Int64(dice.below(2000))) }
            engine.learnNow(hide.batch)
            engine.learn((0..<70).map { TestEvent(user: Int64($0), item: Int64(2000 + round * 70 + $0)) })
            #expect(engine.staleCopies() == [] && pair.agree(&dice, queries: 6))
        }
    }

    /// A row that no bound holds for is scored; a query that no bound holds for is answered by the plain scan.
    @Test func strangeNumbersAreAnsweredAlike() {
        let engine = engine(rank: 16, items: 1500, seed: 6), pair = ScorerPair(engine), model = engine.models[0]
        var dice = Dice(9)
        for value in [Float.infinity, 1e20, 1e-25, -Float.infinity] {
            for _ in 0..<20 {
                let item = UInt32(dice.below(1500))
                model.items.factors(item)[dice.below(16)] = value
                model.items.state(UInt32(dice.below(1500))).pointee.weight = value
                for item in 0..<UInt32(1500) { model.items.copy?.touch(item) }
            }
            #expect(pair.agree(&dice, queries: 6), "\(value) among the items")
        }
        for value in [Float(0), 1e-30, 1e18, .infinity] {
            for f in 0..<16 { model.users.factors(3)[f] = value }
            let query = RecommendQuery(user: 3, count: 20, excludesSeen: false)
            let a = pair.quick.recommend(query).items, b = pair.plain.recommend(query).items
            #expect(a == b, "\(value) in the query")
        }
    }

    /// Helpers change nothing about the list.
    @Test(arguments: [2, 4]) func helpersFindTheSame(_ scorers: Int) {
        let engine = engine(rank: 16, items: 12_000, scorers: scorers, seed: 7), isDone = Atomic<Bool>(false), calls = Atomic<Int>(0), agreed = Atomic<Int>(0)
        let woken = (0..<scorers - 1).map { _ in Shared(Flag()) }
        engine.team.attach { for flag in woken { flag.value.count.add(1, ordering: .releasing) } }
        let helpers: [@Sendable () -> Void] = woken.enumerated().map { number, flag in
            {
                var seen = 0
                while !isDone.load(ordering: .acquiring) {
                    let now = flag.value.count.load(ordering: .acquiring)
                    if now == seen { fk_yield() } else { engine.team.serve(number) }
                    seen = now
                }
            }
        }
        // Two who ask: one of them finds the team at work now and then.
        let askers: [@Sendable () -> Void] = (0..<2).map { asker in
            {
                let pair = ScorerPair(engine)
                var dice = Dice(asker)
                for _ in 0..<40 {
                    calls.add(1, ordering: .relaxed)
                    if pair.agree(&dice, queries: 1) { agreed.add(1, ordering: .relaxed) }
                }
                calls.add(1000, ordering: .releasing)
                if calls.load(ordering: .acquiring) >= 2000 { isDone.store(true, ordering: .releasing) }
            }
        }
        onThreads(helpers + askers)
        #expect(agreed.load(ordering: .relaxed) == 80)
    }

    private final class Flag: Sendable {
        let count = Atomic<Int>(0)
    }

    /// While trainers learn, answers are of rows as they were during the call; when they stand, lists are exact again.
    @Test func listsAreExactAgainAfterTwoTrainersHaveLearned() {
        let model = ModelSettings(kind: .mf, rank: 16, optimizer: .adagrad, negatives: 2, deviation: 0.3)
        let engine = Engine(settings: EngineSettings(models: [model], trainers: 2, queueCapacity: 256))
        engine.learn((0..<3000).map { TestEvent(user: Int64($0 % 50), item: Int64($0)) })
        let batches = (0..<30).map { seed in
            let builder = BatchBuilder(engine)
            for event in randomEvents(1000, users: 50, items: 3000, context: 0, seed: seed) { builder.append(event) }
            return Shared(builder.batch)
        }
        for stretch in 0..<3 {
            let isDone = Atomic<Bool>(false), bad = Atomic<Int>(0)
            let sequencer: @Sendable () -> Void = {
                for shared in batches[stretch * 10..<stretch * 10 + 10] {
                    var index = 0
                    while index < shared.value.recordCount {
                        let next = engine.sequencer.take(shared.value, from: index)
                        if next == index { fk_yield() }
                        index = next
                    }
                }
                isDone.store(true, ordering: .releasing)
            }
            let trainers: [@Sendable () -> Void] = engine.trainers.map { trainer in
                {
                    var finished = false
                    while !finished {
                        finished = isDone.load(ordering: .acquiring)
                        if trainer.drain() == 0 { fk_yield() } else { finished = false }
                    }
                }
            }
            let reader: @Sendable () -> Void = {
                let scorer = Scorer(engine: engine, copySize: 1)
                var user: UInt32 = 0
                repeat {
                    user = (user + 1) % 50
                    let items = scorer.recommend(RecommendQuery(user: user)).items
                    if items.count != 10 || !items.allSatisfy(\.score.isFinite) { bad.add(1, ordering: .relaxed) }
                } while !isDone.load(ordering: .acquiring)
            }
            onThreads([sequencer, reader, reader] + trainers)
            #expect(bad.load(ordering: .relaxed) == 0)
            #expect(engine.staleCopies() == [])
            let pair = ScorerPair(engine)
            var dice = Dice(stretch)
            #expect(pair.agree(&dice, queries: 20))
        }
    }

    /// Rows that only grow, under a query without negative numbers: each answered score lies between what the row gave when the
    /// call began and when it ended, and a row that was the best throughout is the answer.
    @Test func scoresAreOfTheTimeOfTheCall() {
        let engine = engine(rank: 8, items: 200, seed: 3), model = engine.models[0], kernels = model.kernels
        for f in 0..<8 { model.users.factors(0)[f] = 1 }
        @Sendable func write(_ item: UInt32, _ value: Float) {
            let row = [Float](repeating: value, count: 8)
            model.items.write(item, row, count: 8, word: 0, kernels)
        }
        for item in 0..<UInt32(200) {
            model.items.state(item).pointee.weight = 0
            write(item, 1)
        }
        let written = Atomic<Int>(1), isDone = Atomic<Bool>(false), bad = Atomic<Int>(0), calls = Atomic<Int>(0)
        let constant = Scorer(engine: engine).score(user: 0, items: [Placement.none])[0]
        let writer: @Sendable () -> Void = {
            // Item 77 goes ahead; the others follow far below.
            for value in 2...20_000 {
                write(77, Float(value))
                written.store(value, ordering: .releasing)
                if value % 64 == 0 { for item in 0..<UInt32(50) { write(item, Float(value) / 4) } }
                // However busy the machine is, calls fall between the writes.
                if value % 1000 == 0 {
                    let seen = calls.load(ordering: .relaxed)
                    while calls.load(ordering: .relaxed) < seen + 5 { fk_yield() }
                }
            }
            isDone.store(true, ordering: .releasing)
        }
        let reader: @Sendable () -> Void = {
            let scorer = Scorer(engine: engine, copySize: 1), query = RecommendQuery(user: 0, count: 1, excludesSeen: false)
            repeat {
                let before = written.load(ordering: .acquiring)
                let best = scorer.recommend(query).items[0]
                let after = written.load(ordering: .acquiring)
                // One more may be under way; and rounding.
                let low = constant + 8 * Float(before) - 0.1, high = constant + 8 * Float(after + 1) + 0.1
                if before > 1 && (best.item != 77 || best.score < low || best.score > high) { bad.add(1, ordering: .relaxed) }
                calls.add(1, ordering: .relaxed)
            } while !isDone.load(ordering: .acquiring)
        }
        onThreads([writer, reader, reader])
        #expect(bad.load(ordering: .relaxed) == 0 && calls.load(ordering: .relaxed) > 10)
    }
}
