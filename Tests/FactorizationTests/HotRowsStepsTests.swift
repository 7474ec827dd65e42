import CKernels
import Foundation
import Testing

@testable import Factorization

/// How many steps a copy of a hot row may take before it is handed over, and what becomes of the row.
@Suite struct HotRowsStepsTests {
    private typealias Batch = HotRowsCase.Batch
    private static let many = HotRows.leastWaiting

    /// How many of 200 events in a row may step a copy of item 7.
    private func stepsOfSeven(_ hot: HotRows, _ model: Model) -> Int {
        var batch = Batch([UInt32](repeating: 7, count: 200), model, position: 300)
        defer { batch.deallocate() }
        hot.redirect(&batch.plain, event: 0, item: 0, waiting: Self.many)
        let own = (0..<200).filter { batch.plain.factors[$0] != model.items.factors(7) }
        #expect(own == Array(0..<own.count), "the first of them")
        return own.count
    }

    /// L (1/s - 1) of fk_hot.h, 0 where that is less than two: a little less than what a copy of one of so many trainers may take.
    private func bound(_ size: Double, _ trainers: Int) -> Int {
        let steps = -log(1 - HotRows.share(trainers)) * (1 / size - 1)
        return steps < 2 ? 0 : min(64, Int(steps))
    }

    /// The most steps of a size with which a copy of one of so many trainers stays within its share; 0 where that is less than two.
    private func most(_ size: Double, _ trainers: Int) -> Int { (2...64).last { 1 - pow(1 - size, Double($0)) <= HotRows.share(trainers) } ?? 0 }

    /// A copy takes as many steps as all trainers together may go without an error that grows, and is left alone then until it is handed
    /// over.
    @Test func copiesTakeTheStepsTheyMay() {
        let engine = HotRowsCase.engine(trainers: 2, optimizer: .sgd), model = engine.models[0], hot = HotRows(model, trainers: 2)
        let most = bound(Double(model.kernelSettings.item.weight_rate), 2)
        HotRowsCase.meetSeven(hot, model)
        for round in 0..<3 {
            var batch = Batch([UInt32](repeating: 7, count: 200), model, position: 300)
            defer { batch.deallocate() }
            hot.redirect(&batch.plain, event: 0, item: 0, waiting: round == 0 ? Self.many : 0)
            let own = (0..<200).filter { batch.plain.factors[$0] != model.items.factors(7) }
            #expect(own == Array(0..<most) && (3..<64).contains(most))
            #expect(own.allSatisfy { batch.plain.factors[$0] == batch.plain.factors[0] && batch.plain.states[$0] == batch.plain.states[0] })
            #expect((own.count..<200).allSatisfy { batch.plain.states[$0] == model.items.state(7) })
            batch.plain.states[0]!.pointee.updates += 1
            hot.settle(all: false)
        }
        hot.close()
        var after = Batch([UInt32](repeating: 7, count: 20), model, position: 900)
        defer { after.deallocate() }
        hot.redirect(&after.plain, event: 0, item: 0, waiting: 0)
        #expect((0..<20).allSatisfy { after.plain.factors[$0] == model.items.factors(7) } && hot.heldFrom == .max)
    }

    /// What the score moves in a step is the weight's rate and that of the factors, as often as the event counts, less with logistic loss,
    /// and with AdaGrad by the row's accumulators.
    @Test(arguments: [2, 4, 8], [(Float(1), Float(0)), (1, 0.5), (1, 4), (0.25, 0), (3, 0.5), (20, 1)])
    func theSizeOfAStepIsWhatTheScoreMoves(trainers: Int, event: (importance: Float, square: Float)) {
        func steps(_ optimizer: ModelSettings.Optimizer, negatives: Int) -> (found: Int, size: Double) {
            let engine = HotRowsCase.engine(trainers: trainers, optimizer: optimizer, negatives: negatives), model = engine.models[0]
            let hot = HotRows(model, trainers: trainers), rates = model.kernelSettings.item, state = model.items.state(7)
            (state.pointee.weight_accumulator, state.pointee.factor_accumulator) = (400, 100)
            let weight = Double(rates.weight_rate) / (optimizer == .sgd ? 1 : 20), factors = Double(rates.rate) / (optimizer == .sgd ? 1 : 10)
            HotRowsCase.meetSeven(hot, model, importance: event.importance, square: event.square)
            let size = (weight + factors * Double(event.square)) * Double(event.importance) * (negatives > 0 ? 0.25 : 1)
            return (stepsOfSeven(hot, model), size)
        }
        for (optimizer, negatives) in [(ModelSettings.Optimizer.sgd, 0), (.sgd, 2), (.adagrad, 0)] {
            let (found, size) = steps(optimizer, negatives: negatives)
            // Within one, for what is rounded; and none where that is less than two.
            #expect(abs(found - bound(size, trainers)) <= 1 || found + bound(size, trainers) == 2, "\(optimizer), \(negatives) negatives: \(found)")
            #expect(found == 0 || found <= most(size, trainers))
        }
    }

    /// However many trainers correct the same error, one hand-over after the other, it dies out.
    @Test(arguments: [2, 3, 8, 16, 32, 64], [Float(0.004), 0.02, 0.105, 0.3, 0.9])
    func errorsDieOut(trainers: Int, size: Float) {
        let settings = ModelSettings(rank: 8, loss: .squared, optimizer: .sgd, rates: .init(user: 0, item: 0, context: 0, weight: size), negatives: 0)
        let engine = Engine(settings: EngineSettings(models: [settings], trainers: trainers, historyLength: 0, seenLimit: 0)), model = engine.models[0]
        let builder = BatchBuilder(engine, records: 40)
        for number in 0..<40 { builder.append(TestEvent(user: 1, item: Int64(number), value: 0)) }
        engine.learnNow(builder.batch)
        let all = (0..<trainers).map { _ in HotRows(model, trainers: trainers) }
        for hot in all { HotRowsCase.meetSeven(hot, model) }
        model.items.state(7).pointee.weight = 1
        func error() -> Float { abs(fk_read_state(model.items.state(7)).weight) }
        var copied = 0, last = Float.infinity
        for round in 0..<12 {
            for _ in 0..<200 {
                for hot in all {
                    var batch = Batch([UInt32](repeating: 7, count: 4), model, position: 300)
                    hot.redirect(&batch.plain, event: 0, item: 0, waiting: Self.many)
                    for index in 0..<4 {
                        let state = batch.plain.states[index]!
                        copied += state == model.items.state(7) ? 0 : 1
                        state.pointee.weight -= size * state.pointee.weight
                        state.pointee.updates += 1
                    }
                    hot.settle(all: false)
                    batch.deallocate()
                }
            }
            let now = error()
            #expect(now < 0.5 * last || now < 1e-3, "round \(round)")
            last = now
        }
        #expect(error() < 1e-3 && (copied > 0) == (bound(Double(size), trainers) > 0))
    }

    /// Copies that were each cut to what a row may be are not more than that together.
    @Test func theCapOfNormsHoldsForAllTogether() {
        let engine = HotRowsCase.engine(trainers: 8, optimizer: .sgd, rate: 0.01), model = engine.models[0], cap = model.settings.normCap
        let all = (0..<8).map { _ in HotRows(model, trainers: 8) }
        for hot in all { HotRowsCase.meetSeven(hot, model) }
        for round in 1...6 {
            for (number, hot) in all.enumerated() {
                var batch = Batch([7], model, position: 300)
                defer { batch.deallocate() }
                hot.redirect(&batch.plain, event: 0, item: 0, waiting: Self.many)
                #expect(batch.plain.factors[0] != model.items.factors(7))
                for f in 0..<8 { batch.plain.factors[0]![f] = (number % 2 == 0 ? 1 : -1) * cap * (f == round ? 1 : 0) }
                batch.plain.states[0]!.pointee.updates += 1
                if number % 3 == 0 { hot.settle(all: true) }
            }
            for hot in all { hot.settle(all: true) }
            let norm = (0..<8).reduce(Float(0)) { $0 + model.items.factors(7)[$1] * model.items.factors(7)[$1] }.squareRoot()
            #expect(norm <= cap * 1.001 && norm > 0)
        }
    }

    /// A copy is handed over at the end of the batch in which it came to its last few steps: events of the next one find it again.
    @Test func copiesAreHandedOverBeforeTheirLastSteps() {
        let engine = HotRowsCase.engine(trainers: 2, optimizer: .sgd), model = engine.models[0], hot = HotRows(model, trainers: 2)
        let most = bound(Double(model.kernelSettings.item.weight_rate), 2)
        HotRowsCase.meetSeven(hot, model)
        var sizes: [Int] = []
        for _ in 0..<5 * most {
            let before = hot.handedOver
            var batch = Batch([7], model, position: 300)
            defer { batch.deallocate() }
            hot.redirect(&batch.plain, event: 0, item: 0, waiting: Self.many)
            #expect(batch.plain.factors[0] != model.items.factors(7), "no event of one a batch steps the row itself")
            batch.plain.states[0]!.pointee.updates += 1
            hot.settle(all: false)
            sizes.append(hot.handedOver - before)
        }
        let handed = sizes.indices.filter { sizes[$0] == 1 }
        #expect(zip(handed, handed.dropFirst()).allSatisfy { $1 - $0 == most - most / 4 } && handed.count >= 5)
    }
}
