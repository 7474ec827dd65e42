import CKernels
import Foundation
import Testing

@testable import Factorization

/// Copies of hot rows: what is learned in them reaches the rows, all of it and once.
@Suite struct HotRowsTests {
    private typealias Batch = HotRowsCase.Batch
    private static let many = HotRows.leastWaiting

    /// Several trainers' copies in every order, and steps in place between them: the rows end as the sum of all steps.
    @Test(arguments: 0..<20)
    func whatCopiesLearnIsHandedOverOnce(seed: Int) {
        let engine = HotRowsCase.engine(trainers: 4), model = engine.models[0], width = model.width
        let trainers = (0..<4).map { _ in HotRows(model, trainers: 4) }
        var dice = Dice(seed), position: UInt64 = 1000, redirected = 0
        var sums = (0..<UInt32(HotRowsCase.items)).map { ordinal in (0..<width).map { Double(model.items.factors(ordinal)[$0]) } }
        var weights = (0..<UInt32(HotRowsCase.items)).map { Double(fk_read_state(model.items.state($0)).weight) }
        let before = HotRowsCase.updates(engine)
        var steps = 0
        for _ in 0..<400 {
            let hot = trainers[dice.below(4)]
            var batch = Batch((0..<1 + dice.below(60)).map { _ in UInt32(dice.below(dice.below(HotRowsCase.items) + 1)) }, model, position: position)
            defer { batch.deallocate() }
            hot.redirect(&batch.plain, event: 0, item: 0, waiting: dice.below(8) == 0 ? 0 : Self.many)
            #expect(hot.heldFrom == .max || (hot.isOpen && hot.heldFrom <= position))
            for index in 0..<Int(batch.plain.item_count) {
                let ordinal = Int(batch.plain.ordinals[index]), row = batch.plain.factors[index]!, state = batch.plain.states[index]!
                redirected += row == model.items.factors(UInt32(ordinal)) ? 0 : 1
                for f in 0..<width {
                    let change = Float(dice.real(-0.01...0.01))
                    row[f] += change
                    sums[ordinal][f] += Double(change)
                }
                let change = Float(dice.real(-0.01...0.01))
                state.pointee.weight += change
                weights[ordinal] += Double(change)
                state.pointee.updates += 1
                steps += 1
            }
            position += UInt64(batch.plain.event_count)
            switch dice.below(6) {
            case 0: hot.turn()
            case 1: hot.close()
            default: if hot.isOpen { hot.settle(all: dice.below(8) == 0) }
            }
        }
        #expect(redirected > steps / 10, "copies take part")
        for hot in trainers {
            hot.close()
            #expect(hot.heldFrom == .max && !hot.isOpen)
        }
        #expect(HotRowsCase.updates(engine) - before == steps)
        for ordinal in 0..<HotRowsCase.items {
            for f in 0..<width { #expect(abs(Double(model.items.factors(UInt32(ordinal))[f]) - sums[ordinal][f]) < 1e-4) }
            #expect(abs(Double(fk_read_state(model.items.state(UInt32(ordinal))).weight) - weights[ordinal]) < 1e-4)
        }
    }

    /// A copy that is not stepped in a round is made anew from its row, which others have changed meanwhile.
    @Test func copiesFollowTheirRows() {
        let engine = HotRowsCase.engine(trainers: 4), model = engine.models[0], hot = HotRows(model, trainers: 4)
        HotRowsCase.meetSeven(hot, model)
        model.items.factors(7)[2] += 0.5
        hot.turn()
        for round in 0..<2 {
            var batch = Batch([7], model, position: 300)
            defer { batch.deallocate() }
            hot.redirect(&batch.plain, event: 0, item: 0, waiting: Self.many)
            #expect((batch.plain.factors[0] == model.items.factors(7)) == (round == 0))
            #expect(batch.plain.factors[0]![2] == model.items.factors(7)[2])
            hot.settle(all: false)
        }
    }

    @Test func whatIsNoNumberIsNotHandedOver() {
        let engine = HotRowsCase.engine(trainers: 4), model = engine.models[0], hot = HotRows(model, trainers: 4)
        HotRowsCase.meetSeven(hot, model)
        for (bad, place) in [(Float.nan, 3), (.infinity, 0), (-.infinity, 7)] {
            let before = (0..<8).map { model.items.factors(7)[$0] }, updates = fk_read_state(model.items.state(7)).updates
            var batch = Batch([7, 7, 7], model, position: 2)
            defer { batch.deallocate() }
            hot.redirect(&batch.plain, event: 0, item: 0, waiting: Self.many)
            #expect(batch.plain.factors[0] != model.items.factors(7))
            batch.plain.factors[0]![place] = bad
            batch.plain.states[0]!.pointee.updates += 1
            hot.settle(all: true)
            #expect(batch.plain.factors[0]![place] == before[place], "the copy is made anew")
            #expect((0..<8).map { model.items.factors(7)[$0] } == before && fk_read_state(model.items.state(7)).updates == updates)
            // Rows that were bad when they were copied, and have been made good since: what is rejected counts no step.
            model.items.factors(7)[place] = bad
            batch.plain.states[0]!.pointee.updates += 1
            hot.settle(all: true)
            #expect(!batch.plain.factors[0]![place].isFinite, "it is a copy of its row")
            model.items.factors(7)[place] = before[place]
            model.items.state(7).pointee.updates = updates
            hot.settle(all: true)
            #expect(batch.plain.factors[0]![place] == before[place] && batch.plain.states[0]!.pointee.updates == updates)
            batch.plain.states[0]!.pointee.weight = bad
            batch.plain.states[0]!.pointee.updates += 1
            hot.settle(all: true)
            #expect(fk_read_state(model.items.state(7)).weight.isFinite && fk_read_state(model.items.state(7)).updates == updates)
        }
    }

    /// Of a small catalogue all items are copied after some rounds, of a large one those that are met often; what is met no more is given
    /// up.
    @Test func whatIsMetOftenIsCopied() {
        let engine = Engine(
            settings: EngineSettings(models: [ModelSettings(rank: 8, optimizer: .sgd)], trainers: 2, historyLength: 0, seenLimit: 0))
        let count = 3000, model = engine.models[0], hot = HotRows(model, trainers: 2)
        let builder = BatchBuilder(engine, records: count)
        for number in 0..<count { builder.append(TestEvent(user: 1, item: Int64(number), value: 3)) }
        engine.learnNow(builder.batch)
        var dice = Dice(5)
        /// The share of events whose item steps a copy, by whether it is one of the first `some`.
        func shares(_ events: Int, of some: Int, _ draw: (inout Dice) -> Int) -> (some: Double, others: Double) {
            var own = (some: 0.0, others: 0.0), met = own
            for _ in 0..<events / 100 {
                var batch = Batch((0..<100).map { _ in UInt32(draw(&dice)) }, model, position: 1)
                defer { batch.deallocate() }
                hot.redirect(&batch.plain, event: 0, item: 0, waiting: Self.many)
                for index in 0..<100 {
                    let isOwn = batch.plain.factors[index] == model.items.factors(batch.plain.ordinals[index]) ? 0.0 : 1
                    if batch.plain.ordinals[index] < some { own.some += isOwn; met.some += 1 } else { own.others += isOwn; met.others += 1 }
                    batch.plain.states[index]!.pointee.updates += 1
                }
                hot.settle(all: false)
                if hot.turns { hot.turn() }
            }
            return (own.some / max(1, met.some), own.others / max(1, met.others))
        }
        _ = shares(700_000, of: count) { $0.below(count) }
        #expect(shares(100_000, of: count) { $0.below(count) }.some > 0.9)
        // Two hundred are met from now on, and now and then another one.
        _ = shares(1_300_000, of: 200) { $0.below(50) == 0 ? $0.below(count) : $0.below(200) }
        let after = shares(100_000, of: 200) { $0.below(50) == 0 ? $0.below(count) : $0.below(200) }
        #expect(after.some > 0.9 && after.others < 0.2, "\(after)")
        hot.close()
        #expect(hot.handedOver > 10_000)
    }

    /// Every instruction set does with a batch what the portable code does.
    @Test(arguments: [8, 24, 32, 104])
    func variantsAgree(rank: Int) {
        func rows(_ variant: Kernels) -> ([Float], [UInt32], [Bool]) {
            let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: rank, optimizer: .adagrad)], trainers: 2), kernels: variant)
            let builder = BatchBuilder(engine, records: 80), model = engine.models[0]
            for number in 0..<80 { builder.append(TestEvent(user: 1, item: Int64(number), value: 3)) }
            engine.learnNow(builder.batch)
            let hot = HotRows(model, trainers: 2)
            var dice = Dice(rank), places: [Bool] = []
            for number in 0..<200 {
                var batch = Batch((0..<1 + dice.below(70)).map { _ in UInt32(dice.below(dice.below(80) + 1)) }, model, position: 1)
                defer { batch.deallocate() }
                hot.redirect(&batch.plain, event: 0, item: 0, waiting: Self.many)
                for index in 0..<Int(batch.plain.item_count) {
                    let row = batch.plain.factors[index]!, state = batch.plain.states[index]!
                    places.append(row == model.items.factors(batch.plain.ordinals[index]))
                    for f in 0..<model.width { row[f] += Float(dice.below(9) - 4) * 0x1p-6 }
                    state.pointee.weight_accumulator += 0.25
                    state.pointee.updates += 1
                }
                hot.settle(all: false)
                if number % 20 == 19 { hot.turn() }
            }
            hot.close()
            return ((0..<UInt32(80)).flatMap { item in (0..<model.width).map { model.items.factors(item)[$0] } },
                    (0..<UInt32(80)).map { fk_read_state(model.items.state($0)).updates }, places)
        }
        let portable = rows(Kernels(.portable)!)
        #expect(portable.2.contains(true) && portable.2.contains(false))
        for variant in Kernels.Variant.allCases {
            guard let kernels = Kernels(variant) else { continue }
            let other = rows(kernels)
            #expect(other.1 == portable.1 && other.2 == portable.2)
            #expect(zip(other.0, portable.0).allSatisfy { abs($0 - $1) < 1e-5 })
        }
    }
}
