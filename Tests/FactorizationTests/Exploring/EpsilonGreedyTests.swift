import Testing

@testable import Factorization

@Suite struct EpsilonGreedyTests {
    /// Every way in which a list can come about, with its probability: by (place, rank), and by list.
    private func enumerate(candidates: Int, places: Int, epsilon: Double) -> (marginal: [[Double]], lists: [[Int]: Double]) {
        var marginal = [[Double]](repeating: [Double](repeating: 0, count: candidates + 1), count: places + 1)
        var lists: [[Int]: Double] = [:]
        func go(_ list: [Int], _ probability: Double) {
            guard list.count < places else {
                lists[list] = probability
                return
            }
            let left = (1...candidates).filter { !list.contains($0) }
            for rank in left {
                let share = (rank == left[0] ? 1 - epsilon : 0) + epsilon / Double(left.count)
                marginal[list.count + 1][rank] += probability * share
                go(list + [rank], probability * share)
            }
        }
        go([], 1)
        return (marginal, lists)
    }

    @Test func propensitiesAreThoseOfAllListsTogether() {
        for (candidates, places) in [(1, 1), (3, 3), (5, 4), (6, 2)] {
            for epsilon in [0, 0.1, 0.5, 1] {
                let expected = enumerate(candidates: candidates, places: places, epsilon: epsilon).marginal
                for place in 1...places {
                    for rank in 1...candidates {
                        // The answer knows the rank of no item past its own length.
                        let known = rank <= places ? rank : .max
                        let got = EpsilonGreedy.propensity(rank: known, place: place, candidates: candidates, epsilon: epsilon)
                        #expect(abs(got - expected[place][rank]) < 1e-12, "\(candidates) \(epsilon): rank \(rank) at \(place): \(got)")
                    }
                }
            }
        }
    }

    private func engine(items: Int = 12) -> Engine {
        var settings = ModelCase(kind: .mf, loss: .squared, optimizer: .adagrad).settings(rank: 4)
        settings.deviation = 0.6
        let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 256))
        engine.learn(randomEvents(300, users: 8, items: items, seed: 3))
        return engine
    }

    /// Pearson's statistic of counts against probabilities, over cells that expect at least five; and how many cells.
    private func chiSquared(_ counts: [(count: Int, probability: Double)], draws: Int) -> (value: Double, cells: Int) {
        counts.reduce((0, 0)) { sum, cell in
            let expected = cell.probability * Double(draws)
            guard expected >= 5 else { return sum }
            return (sum.0 + (Double(cell.count) - expected) * (Double(cell.count) - expected) / expected, sum.1 + 1)
        }
    }

    @Test func drawnListsComeAsOftenAsTheirPropensitiesSay() {
        let engine = engine(), scorer = Scorer(engine: engine), epsilon = 0.4, places = 3, draws = 20_000
        let query = RecommendQuery(user: 0, count: places, excludesSeen: false, excluded: [2, 5])
        let greedy = scorer.recommend(RecommendQuery(user: 0, count: 100, excludesSeen: false, excluded: [2, 5])).items.map(\.item)
        let expected = enumerate(candidates: greedy.count, places: places, epsilon: epsilon)
        var byPlace: [[UInt32: Int]] = Array(repeating: [:], count: places), byList: [[Int]: Int] = [:]
        for seed in 0..<UInt64(draws) {
            let slate = scorer.explore(query, by: .epsilon(epsilon), seed: seed)
            #expect(slate.candidates == greedy.count && Set(slate.places.map(\.item)).count == places && !slate.isEstimated)
            let ranks = slate.places.map { greedy.firstIndex(of: $0.item)! + 1 }
            byList[ranks, default: 0] += 1
            #expect(abs(slate.listPropensity! - expected.lists[ranks]!) < 1e-12)
            for (index, place) in slate.places.enumerated() {
                byPlace[index][place.item, default: 0] += 1
                #expect(abs(place.propensity - expected.marginal[index + 1][ranks[index]]) < 1e-12)
            }
        }
        // 0.9999 quantile of χ² with f degrees of freedom, by Wilson and Hilferty.
        func limit(_ f: Int) -> Double {
            let degrees = Double(f), part = 2 / (9 * degrees), cube = 1 - part + 3.719 * part.squareRoot()
            return degrees * cube * cube * cube
        }
        let places1 = (0..<places).flatMap { index in
            greedy.enumerated().map { (count: byPlace[index][$1] ?? 0, probability: expected.marginal[index + 1][$0 + 1]) }
        }
        for index in 0..<places {
            let part = Array(places1[index * greedy.count..<(index + 1) * greedy.count]), statistic = chiSquared(part, draws: draws)
            #expect(statistic.value < limit(statistic.cells - 1), "place \(index): \(statistic)")
        }
        let lists = chiSquared(expected.lists.map { (byList[$0.key] ?? 0, $0.value) }, draws: draws)
        #expect(lists.cells > 50 && lists.value < limit(lists.cells - 1), "lists: \(lists)")
    }

    @Test func chanceKeepsToTheRulesAndScoresAreTheModels() {
        let engine = engine(items: 60), scorer = Scorer(engine: engine)
        let hide = BatchBuilder(engine)
        hide.append(.hideItem, item: 4)
        engine.learnNow(hide.batch)
        let hidden = engine.item(4), seen = scorer.recommend(RecommendQuery(user: 1, count: 100)).items.map(\.item)
        for seed in 0..<200 as Range<UInt64> {
            let slate = scorer.explore(RecommendQuery(user: 1, count: 4), by: .epsilon(1), seed: seed)
            #expect(slate.candidates == seen.count && slate.places.count == min(4, seen.count))
            for place in slate.places {
                #expect(place.item != hidden && seen.contains(place.item))
                #expect(place.score == scorer.score(user: 1, items: [place.item])[0])
            }
            #expect(slate == scorer.explore(RecommendQuery(user: 1, count: 4), by: .epsilon(1), seed: seed))
        }
        // Without chance it is the plain list, with certainty.
        let plain = scorer.explore(RecommendQuery(user: 1, count: 4), by: .epsilon(0), seed: 1)
        #expect(plain.places.map(\.item) == Array(seen.prefix(4)) && plain.places.allSatisfy { $0.propensity == 1 } && plain.listPropensity == 1)
        let unknown = scorer.explore(RecommendQuery(user: Placement.none, count: 4), by: .epsilon(0.5), seed: 1)
        #expect(unknown.isFallback && unknown.places.count == 4)
    }
}
