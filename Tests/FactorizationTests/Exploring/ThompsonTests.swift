import CKernels
import Testing

@testable import Factorization

@Suite struct ThompsonTests {
    private func engine(items: Int = 40) -> Engine {
        var settings = ModelCase(kind: .mf, loss: .logistic, optimizer: .adagrad).settings(rank: 4)
        settings.deviation = 0.3
        let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 256))
        engine.learn(randomEvents(600, users: 8, items: items, seed: 3))
        return engine
    }

    @Test func estimatedPropensitiesAreTheFrequenciesOfOtherSeeds() {
        let scorer = Scorer(engine: engine()), query = RecommendQuery(user: 0, count: 3, excludesSeen: false), lists = 400
        var counts: [[UInt32: Int]] = Array(repeating: [:], count: 3), told: [[UInt32: [Double]]] = Array(repeating: [:], count: 3)
        for seed in 0..<UInt64(lists) {
            let slate = scorer.explore(query, by: .thompson(scale: 0.5), seed: seed)
            #expect(slate.isEstimated && slate.listPropensity == nil && slate.candidates == 40)
            for (index, place) in slate.places.enumerated() {
                counts[index][place.item, default: 0] += 1
                told[index][place.item, default: []].append(place.propensity)
            }
        }
        for index in 0..<3 {
            #expect(counts[index].count > 3, "place \(index) is no lottery")
            for (item, count) in counts[index] where count > 20 {
                let mean = told[index][item]!.reduce(0, +) / Double(count), frequency = Double(count) / Double(lists)
                // Five deviations of the frequency; the mean of many estimates is much finer.
                #expect(abs(mean - frequency) < 5 * (frequency * (1 - frequency) / Double(lists)).squareRoot() + 0.002, "\(item) at \(index): \(mean), \(frequency)")
            }
        }
    }

    @Test func rowsWithFewUpdatesAreTriedMoreOften() {
        let engine = engine(items: 30), scorer = Scorer(engine: engine)
        // Two items with the same score: one row has steps behind it, the other none.
        let model = engine.models[0], ranking = scorer.recommend(RecommendQuery(user: 0, count: 30, excludesSeen: false)).items.map(\.item)
        let old = ranking[15], new = ranking[29]
        model.items.factors(new).update(from: model.items.factors(old), count: model.width)
        model.items.state(new).pointee.weight = model.items.state(old).pointee.weight
        model.items.state(old).pointee.updates = 10_000
        model.items.state(new).pointee.updates = 0
        model.users.state(0).pointee.updates = 100_000
        let others = ranking.filter { $0 != old && $0 != new }
        let first = (0..<400).count { seed in
            scorer.explore(RecommendQuery(user: 0, count: 1, excludesSeen: false, excluded: others), by: .thompson(scale: 1), seed: UInt64(seed)).places[0].item == new
        }
        // As often first as second.
        #expect((150...250).contains(first), "\(first)")
        var firsts: [UInt32: Int] = [:]
        for seed in 0..<400 as Range<UInt64> {
            let slate = scorer.explore(RecommendQuery(user: 0, count: 30, excludesSeen: false), by: .thompson(scale: 1), seed: seed)
            firsts[slate.places[0].item, default: 0] += 1
        }
        #expect(firsts[new] ?? 0 > 4 * (firsts[old] ?? 0) && (firsts[new] ?? 0) > 0, "\(firsts)")
    }

    @Test func withoutDeviationItIsThePlainListAndEqualSeedsGiveEqualLists() {
        let scorer = Scorer(engine: engine()), query = RecommendQuery(user: 2, count: 5)
        let plain = scorer.recommend(query).items, slate = scorer.explore(query, by: .thompson(scale: 0), seed: 9)
        #expect(slate.places.map(\.item) == plain.map(\.item) && slate.places.allSatisfy { $0.propensity == 1 })
        let drawn = scorer.explore(query, by: .thompson(scale: 2), seed: 9)
        #expect(drawn == scorer.explore(query, by: .thompson(scale: 2), seed: 9) && drawn != scorer.explore(query, by: .thompson(scale: 2), seed: 10))
        // Counts are no scores: nobody is drawn for.
        let unknown = scorer.explore(RecommendQuery(user: Placement.none, count: 5), by: .thompson(scale: 2), seed: 9)
        #expect(unknown.isFallback && !unknown.isEstimated && unknown.places.allSatisfy { $0.propensity == 1 })
    }
}
