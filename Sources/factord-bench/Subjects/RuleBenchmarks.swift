import Factorization

/// A list under the rules of a shop beside the plain one: 1,000 excluded items, a filter of three clauses that a fifth of the catalogue
/// passes, a cap and diversity; then the same with a filter that no query had before, and with one that one item in 2,000 passes.
func ruleBenchmarks(_ plan: Plan) -> [Benchmark] {
    [
        Benchmark("retrieval/rules/10 of 100,000/rank 64", [Metric(name: "time", unit: "µs", isRate: false)]) {
            let items = 100_000, users = 1000, calls = plan.isQuick ? 50 : 200
            let scorer = shopScorer(users: users, items: items)
            var fresh: Int64 = 0
            func each(_ rules: @escaping (Int) -> ItemRules) -> [Double] {
                [seconds {
                    for call in 0..<calls {
                        var query = RecommendQuery(user: UInt32(call % users), excludesSeen: false)
                        query.rules = rules(call)
                        precondition(scorer.recommend(query).items.count == 10)
                    }
                } / Double(calls) * 1e6]
            }
            func all(_ price: Int64) -> ItemRules {
                var rules = ItemRules(excluded: (0..<1000).map { UInt32($0 * 97) })
                rules.filter = shopFilter(price: price)
                rules.caps = [AttributeCap(field: "brand", limit: 2)]
                rules.diversity = 0.3
                return rules
            }
            func filtered(_ filter: AttributeExpression) -> ItemRules {
                var rules = ItemRules()
                rules.filter = filter
                return rules
            }
            return Prepared(sides: [
                Side(name: "with all rules") { each { _ in all(50) } },
                Side(name: "plain") { each { _ in ItemRules() } },
                Side(name: "the filter alone") { each { _ in filtered(shopFilter(price: 50)) } },
                Side(name: "all rules, a new filter each time") {
                    each { _ in
                        fresh += 1
                        // Another expression with the same items.
                        return all(1_000_000 + fresh)
                    }
                },
                Side(name: "a filter that 50 items pass") { each { _ in filtered(.test(AttributeTest(field: "brand", .equals(.number(.integer(7)))))) } },
            ])
        }
    ]
}

/// `category in [0, 1, 2, 3, 4] and price < … and not sold_out`
private func shopFilter(price: Int64) -> AttributeExpression {
    func test(_ field: String, _ relation: AttributeTest.Relation) -> AttributeExpression { .test(AttributeTest(field: field, relation)) }
    let categories = (0..<5).map { AttributeValue.number(.integer(Int64($0))) }
    return .and(.and(test("category", .isIn(categories)), test("price", .compares(.less, .integer(price)))), .not(test("sold_out", .isTrue)))
}

/// A scorer over a catalogue of which every item was taken once and has a brand (of 2,000), a category (of 10), a price (1 to 100) and
/// a word on whether it is sold out (one in ten).
private func shopScorer(users: Int, items: Int) -> Scorer {
    let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 64, negatives: 0)]))
    let batch = EventBatch(featureCapacity: 1 << 15, messageCapacity: 1)
    func learn() {
        engine.learnNow(batch)
        batch.reset()
    }
    func field(_ name: String) -> TextRange {
        var name = name
        return name.withUTF8 { batch.copyText(UnsafeRawBufferPointer($0)) } ?? .none
    }
    func key(_ number: Int) -> Key { Key(integer: Int64(number), hashing: engine.hashing) }
    for item in 0..<items {
        if batch.recordCount + 2 > batch.recordCapacity { learn() }
        let hash = Int(truncatingIfNeeded: mix64(UInt64(item)) >> 1), first = batch.featureCount
        let attributes = [("brand", hash % 2000), ("category", hash / 2000 % 10), ("price", 1 + hash / 20_000 % 100), ("sold_out", hash / 2_000_000 % 10 == 0 ? 1 : 0)]
        for (name, value) in attributes { _ = batch.append(FeatureEntry(field: field(name), value: key(value))) }
        _ = batch.append(
            EventRecord(kind: .itemAttributes, user: key(0), item: key(item), firstFeature: UInt32(first), featureCount: UInt16(attributes.count)))
        _ = batch.append(EventRecord(kind: .interaction, user: key(item % users), item: key(item), value: Float(item & 1)))
    }
    learn()
    return Scorer(engine: engine)
}
