import CKernels
import Synchronization
import Testing

@testable import Factorization

/// Copies of hot rows: what is learned in them reaches the rows, all of it and once, and no position is published before.
@Suite struct HotRowsTests {
    private static let items = 40

    /// An engine that knows some users and items; an item is the likelier the lower its number.
    private func engine(trainers: Int, optimizer: ModelSettings.Optimizer = .adagrad, negatives: Int = 0) -> Engine {
        let engine = Engine(
            settings: EngineSettings(
                models: [
                    ModelSettings(
                        rank: 8, loss: negatives > 0 ? .logistic : .squared, optimizer: optimizer, negatives: negatives, verifiedNegatives: false)
                ],
                otherEvents: TypeRule(label: negatives > 0 ? .constant(1) : .value, marksSeen: false), trainers: trainers, historyLength: 0, seenLimit: 0))
        let builder = BatchBuilder(engine, records: 400)
        for number in 0..<400 { builder.append(TestEvent(user: Int64(number), item: Int64(number % Self.items), value: 3)) }
        engine.learnNow(builder.batch)
        return engine
    }

    /// Events of the users of one trainer.
    private func events(_ count: Int, trainer: Int, of trainers: Int, seed: Int) -> [ResolvedInteraction] {
        var dice = Dice(seed)
        let users = (0..<UInt32(400)).filter { Placement.shard($0) % trainers == trainer }
        return (0..<count).map { _ in
            let item = UInt32(Double(Self.items) * dice.real(0...0.999) * dice.real(0...0.999))
            return ResolvedInteraction(user: users[dice.below(users.count)], item: item, value: Float(1 + (item + 2) % 5))
        }
    }

    private func updates(_ engine: Engine) -> Int {
        (0..<UInt32(engine.items.count)).reduce(0) { $0 + Int(fk_read_state(engine.models[0].items.state($1)).updates) }
    }

    /// One item's part of a batch.
    private struct Batch {
        var plain = fk_batch()
        init(_ ordinals: [UInt32], _ model: Model, position: UInt64) {
            let count = ordinals.count
            plain.event_count = UInt32(count)
            plain.item_count = UInt32(count)
            plain.ordinals = .allocate(capacity: count)
            plain.factors = .allocate(capacity: count)
            plain.states = .allocate(capacity: count)
            plain.positions = .allocate(capacity: count)
            for (index, ordinal) in ordinals.enumerated() {
                plain.ordinals[index] = ordinal
                plain.factors[index] = model.items.factors(ordinal)
                plain.states[index] = model.items.state(ordinal)
                plain.positions[index] = position + UInt64(index)
            }
        }
        func deallocate() {
            plain.ordinals.deallocate()
            plain.factors.deallocate()
            plain.states.deallocate()
            plain.positions.deallocate()
        }
    }

    /// Several trainers' copies in every order, and steps in place between them: the rows end as the sum of all steps.
    @Test(arguments: 0..<20)
    func whatCopiesLearnIsHandedOverOnce(seed: Int) {
        let engine = engine(trainers: 4), model = engine.models[0], width = model.width
        let trainers = (0..<4).map { _ in HotRows(model, trainers: 4) }
        var dice = Dice(seed), position: UInt64 = 1000, redirected = 0
        var sums = (0..<UInt32(Self.items)).map { ordinal in (0..<width).map { Double(model.items.factors(ordinal)[$0]) } }
        var weights = (0..<UInt32(Self.items)).map { Double(fk_read_state(model.items.state($0)).weight) }
        let before = updates(engine)
        var steps = 0
        for _ in 0..<400 {
            let hot = trainers[dice.below(4)]
            var batch = Batch((0..<1 + dice.below(60)).map { _ in UInt32(dice.below(dice.below(Self.items) + 1)) }, model, position: position)
            defer { batch.deallocate() }
            hot.redirect(&batch.plain, event: 0, item: 0)
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
            case 0: hot.turn(model.items.rows)
            case 1: hot.close()
            default: if hot.isOpen { hot.settle(all: dice.below(8) == 0) }
            }
        }
        #expect(redirected > steps / 10, "copies take part")
        for hot in trainers {
            hot.close()
            #expect(hot.heldFrom == .max && !hot.isOpen)
        }
        #expect(updates(engine) - before == steps)
        for ordinal in 0..<Self.items {
            for f in 0..<width { #expect(abs(Double(model.items.factors(UInt32(ordinal))[f]) - sums[ordinal][f]) < 1e-4) }
            #expect(abs(Double(fk_read_state(model.items.state(UInt32(ordinal))).weight) - weights[ordinal]) < 1e-4)
        }
    }

    /// A copy takes as many steps as all trainers together may go, and is left alone then until it is handed over.
    @Test func copiesTakeTheStepsTheyMay() {
        let engine = engine(trainers: 4, optimizer: .sgd), model = engine.models[0], hot = HotRows(model, trainers: 4)
        let most = Int(1 / (4 * model.kernelSettings.item.weight_rate))
        var met = Batch([UInt32](repeating: 7, count: 200), model, position: 1)
        defer { met.deallocate() }
        hot.redirect(&met.plain, event: 0, item: 0)
        #expect(met.plain.factors[199] == model.items.factors(7) && hot.heldFrom == .max, "nothing is copied before the first turn")
        hot.turn(model.items.rows)
        for _ in 0..<2 {
            var batch = Batch([UInt32](repeating: 7, count: 200), model, position: 300)
            defer { batch.deallocate() }
            hot.redirect(&batch.plain, event: 0, item: 0)
            let own = (0..<200).filter { batch.plain.factors[$0] != model.items.factors(7) }
            #expect(own == Array(0..<max(2, most)) && most < 64)
            #expect(hot.heldFrom == 300)
            batch.plain.states[0]!.pointee.updates += 1
            hot.settle(all: false)
        }
    }

    @Test func whatIsNoNumberIsNotHandedOver() {
        let engine = engine(trainers: 4), model = engine.models[0], hot = HotRows(model, trainers: 4)
        for bad in [Float.nan, .infinity] {
            let before = (0..<8).map { model.items.factors(7)[$0] }, updates = fk_read_state(model.items.state(7)).updates
            var met = Batch([UInt32](repeating: 7, count: 60), model, position: 1)
            hot.redirect(&met.plain, event: 0, item: 0)
            met.deallocate()
            hot.turn(model.items.rows)
            var batch = Batch([7, 7, 7], model, position: 2)
            defer { batch.deallocate() }
            hot.redirect(&batch.plain, event: 0, item: 0)
            #expect(batch.plain.factors[0] != model.items.factors(7))
            batch.plain.factors[0]![3] = bad
            batch.plain.states[0]!.pointee.updates += 1
            hot.settle(all: true)
            #expect(batch.plain.factors[0]![3] == before[3], "the copy is made anew")
            hot.close()
            #expect((0..<8).map { model.items.factors(7)[$0] } == before && fk_read_state(model.items.state(7)).updates == updates)
        }
    }

    /// Trainers one after the other, so that no step is lost to a race: each event is in the rows once, and learned as well.
    @Test(arguments: [(ModelSettings.Optimizer.sgd, 0), (.adagrad, 0), (.adagrad, 2)])
    func eachEventReachesTheRows(optimizer: ModelSettings.Optimizer, negatives: Int) {
        let one = engine(trainers: 1, optimizer: optimizer, negatives: negatives), engine = engine(trainers: 4, optimizer: optimizer, negatives: negatives)
        let before = updates(engine), alone = updates(one)
        for trainer in 0..<4 {
            events(12_000, trainer: trainer, of: 4, seed: trainer).withUnsafeBufferPointer { engine.apply($0, trainer: trainer) }
            events(12_000, trainer: trainer, of: 4, seed: trainer).withUnsafeBufferPointer { one.apply($0, trainer: 0) }
            let hot = engine.trainers[trainer].learners[0].hotRows!
            #expect(hot.handedOver > 100 && !hot.isOpen && hot.heldFrom == .max)
        }
        #expect(one.trainers[0].learners[0].hotRows == nil)
        if negatives == 0 { #expect(updates(engine) - before == 48_000 && updates(one) - alone == 48_000) }
        let loss = engine.prequential(0).value, reference = one.prequential(0).value
        // With forty items every other step is in a copy and does not see those beside it.
        #expect(loss < 1.08 * reference, "\(loss), alone \(reference)")
    }

    /// A trainer's thread applies a few hundred records at a time, to look at the outside world in between: what waits beyond them counts,
    /// and the last of them go on with the next. Asked to stand, it stands with nothing under way.
    @Test func smallDrainsGoOnWithWhatWaits() {
        let engine = engine(trainers: 4), trainer = engine.trainers[1], hot = trainer.learners[0].hotRows!
        let start = trainer.appliedPosition, before = updates(engine)
        events(8000, trainer: 1, of: 4, seed: 3).withUnsafeBufferPointer { #expect(engine.place($0[...], trainer: 1) == 8000) }
        #expect(trainer.drain(limit: 200) == 200 && trainer.appliedPosition < start + 200)
        trainer.gate.close()
        #expect(!trainer.gate.stand(), "events are under way")
        #expect(trainer.drain(limit: 200) > 0 && trainer.gate.stand())
        #expect(updates(engine) - before == Int(trainer.appliedPosition - start) && !hot.isOpen)
        trainer.gate.open()
        while trainer.queueDepth > 0 { _ = trainer.drain(limit: 200) }
        #expect(trainer.copiesHandedOver > 100 && !hot.isOpen && trainer.appliedPosition == start + 8000)
        #expect(updates(engine) - before == 8000)
    }

    /// While one trainer learns from many events that wait, rows have at least what the published position says; where it is asked
    /// to stand in between, just that.
    @Test func noPositionIsPublishedBeforeItsRows() {
        let engine = engine(trainers: 3), trainer = engine.trainers[1], learner = trainer.learners[0]
        let events = events(120_000, trainer: 1, of: 3, seed: 9)
        let start = trainer.appliedPosition, before = updates(engine)
        let done = Atomic<Bool>(false), behind = Atomic<Int>(0), looks = Atomic<Int>(0), stands = Atomic<Int>(0)
        let shared = Shared((engine, trainer, learner.hotRows!))
        onThreads([
            {
                var rest = events[...]
                while !rest.isEmpty {
                    rest = events.withUnsafeBufferPointer { all in
                        rest.dropFirst(shared.value.0.place(all[rest.startIndex...], trainer: 1))
                    }
                    while shared.value.1.queueDepth > 0 {
                        _ = shared.value.1.drain()
                        guard shared.value.1.gate.stand() else { continue }
                        if shared.value.2.isOpen || updates(engine) - before != Int(shared.value.1.appliedPosition - start) {
                            behind.add(1, ordering: .relaxed)
                        }
                        stands.add(1, ordering: .relaxed)
                        shared.value.1.gate.open()
                    }
                }
                done.store(true, ordering: .releasing)
            },
            {
                while !done.load(ordering: .acquiring) {
                    let applied = Int(shared.value.1.appliedPosition - start), held = updates(engine) - before
                    if held < applied { behind.add(1, ordering: .relaxed) }
                    if looks.add(1, ordering: .relaxed).newValue % 50 == 0 && !shared.value.1.gate.isWanted { shared.value.1.gate.close() }
                }
            },
        ])
        trainer.gate.open()
        #expect(behind.load(ordering: .relaxed) == 0)
        #expect(looks.load(ordering: .relaxed) > 0 && updates(engine) - before == events.count && learner.hotRows!.handedOver > 0)
    }
}
