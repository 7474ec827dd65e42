import Testing

@testable import Factorization

/// What a scorer remembers of expressions, and how attributes reach it.
@Suite struct ExpressionTests {
    private func engine() -> Engine { Engine(settings: EngineSettings(models: [KindCase(kind: .mf).settings()], queueCapacity: 256)) }

    private func found(_ engine: Engine, _ scorer: Scorer, _ expression: AttributeExpression, now: Int64 = 0) -> [Int64] {
        var query = RecommendQuery(user: Placement.none, count: 1000)
        query.rules.filter = expression
        query.rules.now = now
        return scorer.recommend(query).items.map { Int64(bitPattern: engine.items.key($0.item, hashing: engine.hashing).payload) }.sorted()
    }

    private func describe(_ engine: Engine, _ item: Int64, _ attributes: [(field: String, value: ShopValue)]) {
        let builder = BatchBuilder(engine)
        builder.append(item: item, attributes)
        engine.learnNow(builder.batch)
    }

    private func test(_ field: String, _ relation: AttributeTest.Relation) -> AttributeExpression { .test(AttributeTest(field: field, relation)) }

    @Test func theNumberOneIsNotTheCategoryZeroAndNumbersAreHeldAsTheyWereGiven() {
        let engine = engine(), scorer = Scorer(engine: engine)
        let many = (0..<12).map { (field: "tag", value: ShopValue.integer(Int64($0))) }
        describe(engine, 1, [("a", .integer(0))])
        describe(engine, 2, [("a", .number(1))])
        describe(engine, 3, [("a", .number(0))])
        describe(engine, 4, many + [("a", .number(1)), ("price", .number(0.7))])
        describe(engine, 5, many + [("a", .integer(0)), ("price", .number(0.1))])
        #expect(engine.attributes(item: 3).last!.weight < 0.5, "scaled for the model")
        #expect(found(engine, scorer, test("a", .isTrue)) == [2, 4])
        #expect(found(engine, scorer, test("a", .equals(.number(.integer(0))))) == [1, 3, 5])
        #expect(found(engine, scorer, test("a", .equals(.number(.integer(1))))) == [2, 4])
        #expect(found(engine, scorer, test("price", .equals(.number(.number(0.7))))) == [4])
        #expect(found(engine, scorer, test("price", .compares(.less, .number(0.1)))) == [])
        #expect(found(engine, scorer, test("price", .compares(.atMost, .number(0.1)))) == [5])
    }

    @Test func whatIsRememberedFollowsNewFieldsValuesItemsAndFloodsOfChanges() {
        let engine = engine(), scorer = Scorer(engine: engine)
        let big = test("size", .compares(.greater, .integer(10)))
        for item in 0..<20 { describe(engine, Int64(item), [("brand", .text("acme"))]) }
        #expect(found(engine, scorer, big) == [] && found(engine, scorer, .not(big)).count == 20)
        describe(engine, 3, [("size", .integer(11))])
        #expect(found(engine, scorer, big) == [3])
        describe(engine, 40, [("size", .integer(12)), ("brand", .text("acme"))])
        describe(engine, 4, [("size", .number(10.5))])
        #expect(found(engine, scorer, big) == [3, 4, 40])
        describe(engine, 3, [])
        #expect(found(engine, scorer, big) == [4, 40])
        // More changes than are kept: everything is looked at again.
        for _ in 0..<AttributeChanges.capacity / 20 + 1 {
            let builder = BatchBuilder(engine)
            for item in 0..<20 { builder.append(item: Int64(item), [("size", .integer(Int64(item)))]) }
            engine.learnNow(builder.batch)
        }
        #expect(found(engine, scorer, big) == Array(11..<20) + [40])
    }

    @Test func itemsExpireByTheAnswersClockAndAnotherUpsertRevivesThem() {
        let engine = engine(), scorer = Scorer(engine: engine), all = AttributeExpression.not(test("no", .exists))
        let builder = BatchBuilder(engine)
        builder.append(item: 1, [("a", .integer(1))], expires: 1000)
        builder.append(item: 2, [], expires: 2000)
        builder.append(item: 3, [("a", .number(1))], expires: 3000)
        engine.learnNow(builder.batch)
        #expect(found(engine, scorer, all, now: 999) == [1, 2, 3] && found(engine, scorer, all, now: 1000) == [2, 3])
        #expect(found(engine, scorer, all, now: 5000) == [])
        #expect(engine.shared.attributes.items.has(engine.item(1)) && !engine.shared.attributes.items.has(engine.item(2)))
        #expect(engine.attributes(item: engine.item(2)).isEmpty)
        describe(engine, 1, [])
        describe(engine, 2, [("a", .integer(1))])
        #expect(found(engine, scorer, all, now: 5000) == [1, 2])
        let forget = BatchBuilder(engine)
        forget.append(.forgetItem, item: 3)
        engine.learnNow(forget.batch)
        #expect(!engine.shared.attributes.items.isExpired(2, now: .max), "nothing is left of it")
    }

    @Test func aRingTellsWhatChangedUntilItIsOverrun() {
        let changes = AttributeChanges()
        var told: [UInt32] = []
        #expect(changes.read(after: 0) { told.append($0) } == 0)
        for entity in 0..<5 as Range<UInt32> { changes.note(entity) }
        #expect(changes.read(after: 0) { told.append($0) } == 5 && told == [0, 1, 2, 3, 4])
        for entity in 0..<UInt32(AttributeChanges.capacity / 2) { changes.note(entity) }
        told = []
        #expect(changes.read(after: 5) { told.append($0) } == UInt64(5 + AttributeChanges.capacity / 2))
        #expect(told == Array(0..<UInt32(AttributeChanges.capacity / 2)))
        #expect(changes.read(after: 4) { _ in } == nil)
    }
}
