import CKernels
import Synchronization
import Testing

@testable import Factorization

/// Trainers that learn hot items in copies: each event is learned once, and no position is published before.
@Suite struct HotRowsLearningTests {
    /// Trainers one after the other, so that no step is lost to a race: each event is in the rows once, and learned as well.
    @Test(arguments: [(ModelSettings.Optimizer.sgd, 0), (.adagrad, 0), (.adagrad, 2)])
    func eachEventReachesTheRows(optimizer: ModelSettings.Optimizer, negatives: Int) {
        let one = HotRowsCase.engine(trainers: 1, optimizer: optimizer, negatives: negatives), engine = HotRowsCase.engine(trainers: 4, optimizer: optimizer, negatives: negatives)
        let before = HotRowsCase.updates(engine), alone = HotRowsCase.updates(one)
        for trainer in 0..<4 {
            HotRowsCase.events(40_000, trainer: trainer, of: 4, seed: trainer).withUnsafeBufferPointer { engine.apply($0, trainer: trainer) }
            HotRowsCase.events(40_000, trainer: trainer, of: 4, seed: trainer).withUnsafeBufferPointer { one.apply($0, trainer: 0) }
            let hot = engine.trainers[trainer].learners[0].hotRows!
            #expect(hot.handedOver > 100 && !hot.isOpen && hot.heldFrom == .max)
        }
        #expect(one.trainers[0].learners[0].hotRows == nil)
        if negatives == 0 { #expect(HotRowsCase.updates(engine) - before == 160_000 && HotRowsCase.updates(one) - alone == 160_000) }
        let loss = engine.prequential(0).value, reference = one.prequential(0).value
        // With forty items every other step is in a copy and does not see those beside it.
        #expect(loss < 1.08 * reference, "\(loss), alone \(reference)")
    }

    /// A trainer's thread applies a few hundred records at a time, to look at the outside world in between: what waits beyond them counts,
    /// and the last of them go on with the next. Asked to stand, it stands with nothing under way.
    @Test func smallDrainsGoOnWithWhatWaits() {
        let engine = HotRowsCase.engine(trainers: 4), trainer = engine.trainers[1], hot = trainer.learners[0].hotRows!
        let start = trainer.appliedPosition, before = HotRowsCase.updates(engine)
        HotRowsCase.events(40_000, trainer: 1, of: 4, seed: 3).withUnsafeBufferPointer { #expect(engine.place($0[...], trainer: 1) == 40_000) }
        #expect(trainer.drain(limit: 200) == 200 && trainer.appliedPosition < start + 200)
        trainer.gate.close()
        #expect(!trainer.gate.stand(), "events are under way")
        #expect(trainer.drain(limit: 200) > 0 && trainer.gate.stand())
        #expect(HotRowsCase.updates(engine) - before == Int(trainer.appliedPosition - start) && !hot.isOpen)
        trainer.gate.open()
        var behind = 0, held = 0
        while trainer.queueDepth > 0 {
            _ = trainer.drain(limit: 200)
            let applied = Int(trainer.appliedPosition - start), learned = HotRowsCase.updates(engine) - before
            behind += learned < applied ? 1 : 0
            held += hot.heldFrom < .max && applied < learned ? 1 : 0
        }
        #expect(behind == 0 && held > 50, "positions wait for what copies alone hold: \(behind), \(held)")
        #expect(trainer.copiesHandedOver > 100 && !hot.isOpen && trainer.appliedPosition == start + 40_000)
        #expect(HotRowsCase.updates(engine) - before == 40_000)
    }

    /// Once anybody has attributes, events go by themselves, and nothing hands copies over: those that there are must not hold positions
    /// back until the queue is empty.
    @Test func attributesEndCopies() {
        let engine = HotRowsCase.engine(trainers: 4), trainer = engine.trainers[1], hot = trainer.learners[0].hotRows!
        let start = trainer.appliedPosition, before = HotRowsCase.updates(engine)
        HotRowsCase.events(40_000, trainer: 1, of: 4, seed: 3).withUnsafeBufferPointer { #expect(engine.place($0[...], trainer: 1) == 40_000) }
        while trainer.copiesHandedOver < 100 { #expect(trainer.drain(limit: 200) > 0) }
        #expect(hot.isOpen && trainer.queueDepth > HotRows.leastWaiting)
        trainer.learners[0].usersWithAttributes.pointee.add(1, ordering: .relaxed)
        for _ in 0..<20 {
            #expect(trainer.drain(limit: 200) == 200)
            let drained = 40_000 - trainer.queueDepth
            #expect(!hot.isOpen && Int(trainer.appliedPosition - start) > drained - EventRun.rowLimit)
        }
        #expect(trainer.queueDepth > HotRows.leastWaiting)
        while trainer.queueDepth > 0 { _ = trainer.drain() }
        #expect(HotRowsCase.updates(engine) - before == 40_000)
    }

    /// While one trainer learns from many events that wait, rows have at least what the published position says; where it is asked
    /// to stand in between, just that.
    @Test func noPositionIsPublishedBeforeItsRows() {
        let engine = HotRowsCase.engine(trainers: 3), trainer = engine.trainers[1], learner = trainer.learners[0]
        let events = HotRowsCase.events(120_000, trainer: 1, of: 3, seed: 9)
        let start = trainer.appliedPosition, before = HotRowsCase.updates(engine)
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
                        if shared.value.2.isOpen || HotRowsCase.updates(engine) - before != Int(shared.value.1.appliedPosition - start) {
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
                    let applied = Int(shared.value.1.appliedPosition - start), held = HotRowsCase.updates(engine) - before
                    if held < applied { behind.add(1, ordering: .relaxed) }
                    if looks.add(1, ordering: .relaxed).newValue % 50 == 0 && !shared.value.1.gate.isWanted { shared.value.1.gate.close() }
                }
            },
        ])
        trainer.gate.open()
        #expect(behind.load(ordering: .relaxed) == 0)
        #expect(looks.load(ordering: .relaxed) > 0 && HotRowsCase.updates(engine) - before == events.count && learner.hotRows!.handedOver > 0)
    }
}
