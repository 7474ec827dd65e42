import CKernels
import Foundation
import Testing

@testable import Factorization

@Suite struct NegativeDrawTests {
    /// Pearson's statistic in deviations from its mean: (χ² − d)/√(2d).
    static func excess(_ counts: [Int], _ shares: [Double]) -> Double {
        let total = Double(counts.reduce(0, +))
        let cells = zip(counts, shares).filter { $1 > 0 }
        let square = cells.reduce(0.0) { $0 + (Double($1.0) - total * $1.1) * (Double($1.0) - total * $1.1) / (total * $1.1) }
        let degrees = Double(cells.count - 1)
        return (square - degrees) / (2 * degrees).squareRoot()
    }

    private func counts(_ table: AliasTable?, catalogue: Int, seed: Int, events: Int, each: Int) -> [Int] {
        var draws = NegativeDraws(seed: UInt64(seed))
        draws.use(table)
        var counts = [Int](repeating: 0, count: catalogue)
        for position in 1...UInt64(events) {
            let word = draws.word(at: position)
            for number in 0..<each { counts[Int(draws.item(word, number, of: UInt64(catalogue)))] += 1 }
        }
        return counts
    }

    @Test(arguments: [Float(0), 0.5, 1, 1.4]) func drawsFollowThePowerOfPopularityAndSpareNewItems(_ exponent: Float) {
        for seed in 0..<6 {
            var dice = Dice(seed)
            let covered = 60, catalogue = 75
            // Popularities over four powers of ten, one of them nothing.
            let frequencies = [0] + (1..<covered).map { _ in Float(pow(10, dice.real(-1...3))) }
            let tables = NegativeTables(frequencies: frequencies, exponents: [exponent])
            #expect((tables.byModel[0] == nil) == (exponent == 0))
            let weights = frequencies.map { exponent == 0 ? 1 : $0 > 0 ? pow(Double($0), Double(exponent)) : 0 }
            let sum = weights.reduce(0, +), old = Double(covered) / Double(catalogue)
            let shares = weights.map { $0 / sum * old } + Array(repeating: 1 / Double(catalogue), count: catalogue - covered)
            let drawn = counts(tables.byModel[0], catalogue: catalogue, seed: seed, events: 20_000, each: 8)
            for (count, share) in zip(drawn, shares) where share == 0 { #expect(count == 0) }
            #expect(abs(NegativeDrawTests.excess(drawn, shares)) < 4, "seed \(seed)")
        }
    }

    @Test func tablesOfNothingOrOneItem() {
        #expect(AliasTable(weights: []) == nil && AliasTable(weights: [0, 0]) == nil && AliasTable(weights: [.infinity]) == nil)
        #expect(counts(AliasTable(weights: [0, 3, 0]), catalogue: 3, seed: 1, events: 1000, each: 2) == [0, 2000, 0])
        #expect(counts(AliasTable(weights: [7]), catalogue: 1, seed: 1, events: 10, each: 1) == [10])
    }

    private func settings(_ loss: ModelSettings.Loss = .logistic, exponent: Float = 1, trainers: Int = 1, queue: Int = 8192, verified: Bool = true)
        -> EngineSettings
    {
        var model = ModelSettings(rank: 4, loss: loss, negatives: 3, verifiedNegatives: verified)
        model.popularityExponent = exponent
        var settings = EngineSettings(models: [model, ModelSettings(name: "uniform", rank: 2, negatives: 1)], trainers: trainers, queueCapacity: queue)
        settings.popularityHalfLife = 2000
        return settings
    }

    /// Items of unequal popularity, new ones all the time, many users.
    private func events(_ count: Int, from start: Int = 0, seed: Int) -> [TestEvent] {
        var dice = Dice(seed)
        return (start..<start + count).map { index in
            TestEvent(user: Int64(dice.below(300)), item: Int64(min(dice.below(40 + index / 20), dice.below(40 + index / 20))))
        }
    }

    /// What the engine draws, counted by its rows, against the definition.
    @Test func anEngineDrawsByTheTablesOfItsPositions() {
        let engine = Engine(settings: settings(verified: false)), all = events(4000, seed: 4)
        let builder = BatchBuilder(engine)
        for event in all { builder.append(event) }
        #expect(engine.sequencer.take(builder.batch, from: 0) == 4000)
        _ = engine.trainers[0].drain()

        var draws = NegativeDraws(seed: 1), ordinals: [Int64: Int] = [:], next = NegativeSchedule.first, held: NegativeTables?
        var frequencies: [Double] = [], expected = [Int](repeating: 0, count: 1000), builds = 0
        for (index, event) in all.enumerated() {
            if UInt64(index) >= next {
                held = NegativeTables(frequencies: frequencies.map { Float($0) }, exponents: [1])
                draws.use(held!.byModel[0])
                next = UInt64(index + max(1024, 2 * frequencies.count))
                builds += 1
            }
            if ordinals[event.item] == nil {
                ordinals[event.item] = ordinals.count
                frequencies.append(0)
            }
            let item = ordinals[event.item]!
            for other in frequencies.indices { frequencies[other] *= pow(2, -1.0 / 2000) }
            frequencies[item] += 1
            expected[item] += 1
            for number in 0..<3 {
                let drawn = Int(draws.item(draws.word(at: UInt64(index + 1)), number, of: UInt64(ordinals.count)))
                if drawn != item { expected[drawn] += 1 }
            }
        }
        let table = engine.models[0].items
        let updates = (0..<ordinals.count).map { Int(table.state(UInt32($0)).pointee.updates) }
        // Float sums differ from these in their last digits, which may move a threshold past a draw.
        let moved = zip(updates, expected).reduce(0) { $0 + abs($1.0 - $1.1) }
        #expect(builds == 3 && moved <= 4 && updates.reduce(0, +) > 14_000, "\(moved) of \(updates.reduce(0, +))")
    }

    @Test(arguments: [ModelSettings.Loss.logistic, .bpr, .warp]) func aTrainerFarBehindLearnsTheSame(_ loss: ModelSettings.Loss) {
        let all = events(4000, seed: 6)
        let late = Engine(settings: settings(loss)), prompt = Engine(settings: settings(loss, queue: 16))
        let builder = BatchBuilder(late)
        for event in all { builder.append(event) }
        #expect(late.sequencer.take(builder.batch, from: 0) == 4000)
        _ = late.trainers[0].drain()
        prompt.learn(all)
        #expect(MemoryState(late).differences(MemoryState(prompt)) == [])
        // And not what uniform draws would have given.
        let uniform = Engine(settings: settings(loss, exponent: 0))
        uniform.learn(all)
        #expect(!MemoryState(late).differences(MemoryState(uniform)).isEmpty)
    }

    @Test(arguments: [ModelSettings.Loss.logistic, .bpr, .warp], [1000, 1024, 2048, 2500])
    func aRestoredEngineDrawsTheSame(_ loss: ModelSettings.Loss, _ cut: Int) throws {
        let all = events(5000, seed: 9)
        let whole = Engine(settings: settings(loss)), first = Engine(settings: settings(loss)), second = Engine(settings: settings(loss))
        first.learn(Array(all[..<cut]))
        try second.restore(from: MemoryState(first))
        second.learn(Array(all[cut...]))
        for part in stride(from: 0, to: all.count, by: 500) { whole.learn(Array(all[part..<part + 500])) }
        #expect(MemoryState(whole).differences(MemoryState(second)) == [])
    }

    @Test func anExponentThatIsSetLaterTakesEffect() throws {
        let all = events(3000, seed: 2)
        let uniform = Engine(settings: settings(exponent: 0))
        uniform.learn(all)
        #expect(uniform.sequencer.negatives.tables == nil)
        let popular = Engine(settings: settings(exponent: 0.5)), again = Engine(settings: settings(exponent: 0))
        try popular.restore(from: MemoryState(uniform))
        popular.learn(events(1, seed: 3))
        #expect(popular.sequencer.negatives.tables?.frequencies.count == uniform.items.count)
        try again.restore(from: MemoryState(popular))
        again.learn(events(10, seed: 3))
        #expect(again.sequencer.negatives.tables == nil)
    }

    @Test func tablesGoWhenNobodyNeedsThem() {
        weak var first: NegativeTables?
        weak var last: NegativeTables?
        do {
            let engine = Engine(settings: settings(trainers: 3))
            engine.learn(events(1100, seed: 1))
            first = engine.sequencer.negatives.tables
            #expect(first != nil)
            engine.learn(events(2000, from: 1100, seed: 2))
            #expect(first == nil, "every trainer has gone on to the next")
            // These stay in the queues when the engine goes.
            let builder = BatchBuilder(engine, records: 2000)
            for event in events(2000, from: 3100, seed: 3) { builder.append(event) }
            #expect(engine.sequencer.take(builder.batch, from: 0) == 2000)
            last = engine.sequencer.negatives.tables
        }
        #expect(last == nil)
    }
}
