import Glibc
import Synchronization
import Testing

@testable import Factorization

/// Everything at once on threads: one sequencer, three trainers, two readers. For the thread sanitizer, and no value may be bad.
@Suite struct EverythingThreadsTests {
    @Test func trainersAndReadersShareEverything() {
        let models = EverythingCase.all.enumerated().filter { [0, 2, 3, 9].contains($0.offset) }.map { $1.model(name: "m\($0)") }
        let engine = Engine(settings: EverythingCase.settings(models, trainers: 3)), count = models.count
        EverythingCase.learn(engine, EverythingCase.steps[..<200])
        let done = Atomic<Bool>(false), bad = Atomic<Int>(0)
        let sequencer: @Sendable () -> Void = {
            let steps = EverythingCase.steps[200...]
            for start in stride(from: 200, to: steps.endIndex, by: 90) {
                let builder = BatchBuilder(engine, records: 90)
                for step in steps[start..<min(start + 90, steps.endIndex)] { step(builder) }
                var index = 0
                while index < builder.batch.recordCount {
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
        let reader: @Sendable () -> Void = {
            let scorer = Scorer(engine: engine)
            var user: UInt32 = 0
            repeat {
                user = (user + 1) % UInt32(engine.users.count)
                for model in 0..<count {
                    let best = scorer.recommend(model: model, RecommendQuery(user: user, count: 3)).items
                    let scores = scorer.score(model: model, user: user, items: best.map(\.item))
                    if !(scores + best.map(\.score)).allSatisfy(\.isFinite) { bad.add(1, ordering: .relaxed) }
                }
                sched_yield()
            } while !done.load(ordering: .acquiring)
        }
        onThreads([sequencer, reader, reader] + trainers)
        #expect(bad.load(ordering: .relaxed) == 0 && engine.nonFiniteValues() == 0)
        #expect(engine.appliedPosition == engine.sequencer.lastPosition && engine.sequencer.negatives.tables != nil)
        #expect(engine.trainers.allSatisfy { $0.interactions > 100 })
    }
}
