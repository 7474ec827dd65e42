import Testing

@testable import Factorization

/// Records with very many features must not weigh more than others.
@Suite("Feature crowds")
struct FeatureCrowdTests {
    private func scale(_ weights: [Float]) -> Float {
        let hashing = KeyHash(seed: 1)
        let entries = weights.map { FeatureEntry(field: .none, value: Key(integer: 1, hashing: hashing), weight: $0) }
        return entries.withUnsafeBufferPointer { FeatureCrowd.scale($0, count: $0.count) }
    }

    @Test("Up to the limit nothing changes; beyond it the features count like so many of the strongest")
    func scale() {
        #expect(scale([]) == 1 && scale([5000]) == 1 && scale([Float](repeating: 3, count: FeatureCrowd.full)) == 1)
        #expect(scale([Float](repeating: 1, count: 256)) == Float(FeatureCrowd.full) / 256)
        #expect(scale([Float](repeating: -2, count: 80)) == Float(FeatureCrowd.full) / 80, "signs do not matter")
        #expect(scale([1] + [Float](repeating: 0.01, count: 200)) == 1, "one strong feature among many weak ones is no crowd")
        #expect(scale([1e30] + [Float](repeating: 1, count: 15)) == Float(FeatureCrowd.full) / 15, "what is not taken does not count")
        #expect(scale([Float](repeating: 0, count: 100)) == 1)
    }

    @Test("Crowded events leave the quality of a model where it was", arguments: [ModelSettings.Optimizer.sgd, .adagrad])
    func quality(optimizer: ModelSettings.Optimizer) {
        func error(crowds: Bool) -> Double {
            let engine = Engine(
                settings: EngineSettings(models: [
                    ModelSettings(rank: 8, loss: .squared, optimizer: optimizer, negatives: 0)
                ]))
            var dice = Dice(4), events: [TestEvent] = []
            for number in 0..<8000 {
                let user = Int64(dice.below(40)), item = Int64(dice.below(40))
                events.append(TestEvent(user: user, item: item, value: (user + item) % 2 == 0 ? 1 : 0))
                guard crowds && number % 100 == 0 else { continue }
                let context = (0..<200).map { TestFeature(field: "crowd", value: Int64($0)) }
                events.append(TestEvent(user: user, item: item, value: Float(dice.real()), context: context))
            }
            let builder = BatchBuilder(engine, records: events.count)
            for event in events { builder.append(event) }
            engine.learnNow(builder.batch)
            let scorer = Scorer(engine: engine)
            var sum = 0.0
            for user in Int64(0)..<40 {
                let items = (Int64(0)..<40).map(engine.item)
                for (item, score) in scorer.score(user: engine.user(user), items: items).enumerated() {
                    let label: Float = (user + Int64(item)) % 2 == 0 ? 1 : 0
                    sum += Double((score - label) * (score - label))
                }
            }
            return (sum / 1600).squareRoot()
        }
        let clean = error(crowds: false), crowded = error(crowds: true)
        #expect(clean < 0.4, "\(clean)")
        #expect(crowded < clean + 0.05, "\(crowded) after \(clean)")
    }
}
