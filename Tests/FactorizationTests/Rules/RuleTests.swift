import Testing

@testable import Factorization

/// `recommend` under the rules of a shop equals brute force with the rules' plainest meaning, on a paused stream.
@Suite struct RuleTests {
    /// Every kind, what is learned without negatives, and rows of half the size.
    private static let models: [ModelSettings] = {
        var regularized = KindCase(kind: .mf).settings(negatives: 0), half = KindCase(kind: .mf).settings()
        regularized.unobserved = .regularized
        half.storage = .bfloat16
        return KindCase.kinds.map { $0.settings() } + [regularized, half]
    }()

    private static let items = 120, users = 8

    /// A shop and its engine, with something hidden, expired and forgotten.
    private func open(_ model: ModelSettings, _ dice: inout Dice, seed: Int) -> (Shop, Engine) {
        var settings = EngineSettings(models: [model], queueCapacity: 256)
        settings.trainers = 1 + seed % 2
        let engine = Engine(settings: settings)
        var shop = Shop()
        engine.learn(randomEvents(200, users: Self.users, items: Self.items, seed: seed))
        change(&shop, engine, &dice, count: 100)
        engine.learn(randomEvents(200, users: Self.users, items: Self.items, seed: seed + 1000))
        return (shop, engine)
    }

    private func change(_ shop: inout Shop, _ engine: Engine, _ dice: inout Dice, count: Int) {
        let builder = BatchBuilder(engine)
        for _ in 0..<count {
            let id = Int64(dice.below(Self.items + 5))
            switch dice.below(12) {
            case 0, 1:
                shop.items[id, default: ShopItem()].isHidden = dice.below(3) > 0
                builder.append(shop.items[id]!.isHidden ? .hideItem : .unhideItem, item: id)
            case 2: shop.describe(id, [], expires: dice.below(2) == 0 ? nil : Int64(dice.below(100)), builder)
            default: shop.describe(id, Shop.attributes(&dice), expires: dice.below(3) > 0 ? nil : Int64(dice.below(100)), builder)
            }
        }
        engine.learnNow(builder.batch)
    }

    private func rules(_ engine: Engine, _ dice: inout Dice) -> ItemRules {
        func some(_ count: Int) -> [UInt32] { (0..<count).map { _ in UInt32(dice.below(engine.items.count + 5)) } }
        var rules = ItemRules(excluded: some(dice.below(20)) + [Placement.none])
        if dice.below(4) == 0 { rules.candidates = some(dice.below(80)) + [Placement.none] }
        if dice.below(3) > 0 { rules.filter = .random(&dice) }
        rules.boosts = (0..<dice.below(4)).map { _ in AttributeBoost(when: .random(&dice, depth: 1), add: Float(dice.real(-1...1))) }
        if dice.below(4) == 0 { rules.minimumScore = Float(dice.real(-0.5...0.5)) }
        if dice.below(2) == 0 {
            rules.caps = (0..<1 + dice.below(2)).map { _ in AttributeCap(field: Shop.fields[dice.below(6)], limit: 1 + dice.below(3)) }
        }
        rules.offset = dice.below(3) == 0 ? dice.below(30) : 0
        rules.now = Int64(dice.below(100))
        return rules
    }

    @Test(arguments: 0..<RuleTests.models.count) func theListEqualsBruteForce(_ number: Int) {
        var answered = 0, filtered = 0, deep = 0
        for seed in 0..<6 {
            var dice = Dice(seed * 100 + number)
            var (shop, engine) = open(Self.models[number], &dice, seed: seed)
            // One scorer for all: what it remembers of expressions must follow the changes.
            let scorer = Scorer(engine: engine), repeated = AttributeExpression.random(&dice)
            for round in 0..<60 {
                if round % 5 == 4 { change(&shop, engine, &dice, count: 3) }
                var query = RecommendQuery(
                    user: dice.below(6) == 0 ? Placement.none : UInt32(dice.below(engine.users.count)),
                    features: dice.below(2) == 0 ? [(ordinal: 0, weight: 0.5)] : [], count: [1, 5, 20, 300][dice.below(4)],
                    excludesSeen: dice.below(2) == 0)
                query.rules = rules(engine, &dice)
                if round % 3 == 0 { query.rules.filter = repeated }
                let all = (0..<UInt32(engine.items.count)).map { $0 }
                let scores = query.user == Placement.none
                    ? all.map { engine.items.frequency($0) } : scorer.score(user: query.user, items: all, features: query.features)
                let ranking = shop.ranking(engine, query) { scores[Int($0)] }
                let expected = Array(ranking.dropFirst(query.rules.offset).prefix(query.count))
                let answer = scorer.recommend(query)
                #expect(answer.items == expected, "\(Self.models[number].kind), seed \(seed), round \(round): \(query.rules)")
                answered += answer.items.count
                if query.rules.filter != nil && ranking.count < engine.items.count / 20 { filtered += 1 }
                if !query.rules.caps.isEmpty { deep += 1 }
            }
        }
        #expect(answered > 1000 && filtered > 10 && deep > 50, "the tests must have had something to find")
    }

    /// Each item of the list is one of those with the greatest value, to rounding.
    @Test(arguments: KindCase.kinds) func diversityIsMaximalMarginalRelevance(_ kind: KindCase) {
        var moved = 0
        for seed in 0..<6 {
            var dice = Dice(seed)
            let (shop, engine) = open(kind.settings(), &dice, seed: seed), scorer = Scorer(engine: engine)
            for weight in [0.2, 0.7, 1] as [Float] {
                var query = RecommendQuery(user: UInt32(dice.below(engine.users.count)), count: 12, excludesSeen: false)
                query.rules.diversity = weight
                query.rules.caps = [AttributeCap(field: "brand", limit: 9)]
                let all = (0..<UInt32(engine.items.count)).map { $0 }, scores = scorer.score(user: query.user, items: all)
                let pool = Array(shop.ranking(engine, query) { scores[Int($0)] }.prefix(Diversity.pool(12)))
                let list = scorer.recommend(query).items
                #expect(list.count == min(12, pool.count) && Set(list.map(\.item)).count == list.count)
                expectGreedy(list, pool, weight, engine)
                if list != Array(pool.prefix(12)) { moved += 1 }
                // Pages fit together.
                query.rules.offset = 12
                let next = scorer.recommend(query).items
                #expect(Set(next.map(\.item)).isDisjoint(with: list.map(\.item)))
                expectGreedy(list + next, pool, weight, engine)
            }
        }
        #expect(moved > 6)
    }

    private func expectGreedy(_ list: [ScoredItem], _ pool: [ScoredItem], _ weight: Float, _ engine: Engine) {
        let model = engine.models[0], side = ItemSide(model: model)
        func vector(_ item: UInt32) -> [Double] {
            side.start(item, model.attributes.items[item])
            _ = side.fold()
            return (0..<model.layout.queryWidth).map { Double(side.z[$0]) }
        }
        func cosine(_ a: UInt32, _ b: UInt32) -> Double {
            let (a, b) = (vector(a), vector(b)), size = (dot(a, a) * dot(b, b)).squareRoot()
            return size > 0 ? dot(a, b) / size : 0
        }
        let least = Double(pool.last!.score), span = Double(pool[0].score) - least, weight = Double(weight)
        for place in list.indices {
            let before = list[..<place]
            func value(_ item: ScoredItem) -> Double {
                let likeness = before.map { cosine(item.item, $0.item) }.max() ?? 0
                return (1 - weight) * (Double(item.score) - least) / span - weight * likeness
            }
            let left = pool.filter { item in !before.contains { $0.item == item.item } }
            #expect(value(list[place]) >= left.map(value).max()! - 1e-4, "place \(place), diversity \(weight)")
            #expect(pool.contains(list[place]))
        }
    }

    @Test func whatRanksBehindThePoolStaysAsItIs() {
        let engine = Engine(settings: EngineSettings(models: [KindCase(kind: .mf).settings()], queueCapacity: 256))
        engine.learn(randomEvents(900, users: 5, items: 300, seed: 1))
        let scorer = Scorer(engine: engine)
        var query = RecommendQuery(user: 0, count: 10, excludesSeen: false)
        query.rules.offset = 95
        let plain = scorer.recommend(query).items
        query.rules.diversity = 0.5
        let diverse = scorer.recommend(query).items
        #expect(Diversity.pool(10) == 100 && Array(diverse[5...]) == Array(plain[5...]))
        #expect(Diversity.pool(1) == 100 && Diversity.pool(30) == 150 && Diversity.pool(10_000) == 1000)
    }
}
