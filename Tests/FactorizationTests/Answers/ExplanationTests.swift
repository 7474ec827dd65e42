import Testing

@testable import Factorization

@Suite struct ExplanationTests {
    /// Of a user, of somebody who is none, of a stranger; of known items and of a new one.
    @Test(arguments: AnswerCase.all) func termsSumToTheScore(_ test: AnswerCase) {
        let engine = test.engine(), scorer = Scorer(engine: engine), context = AnswerCase.context(engine)
        let attributes = (0..<UInt32(engine.userAttributes.count)).map { (ordinal: $0, weight: Float(0.5)) }
        let visitors: [Visitor?] = [
            nil, Visitor(items: [1, 4, 9].map { engine.item($0) }.filter { $0 != Placement.none }.map { Visitor.Item(ordinal: $0) }, attributes: attributes), Visitor(attributes: attributes),
        ]
        scorer.reading {
            for features in [[], context] {
                let users = (0..<UInt32(engine.users.count)).map { (user: $0, visitor: Visitor?.none) } + visitors.map { (Placement.none, $0) }
                for (user, visitor) in users {
                    let items = Array(0..<UInt32(engine.items.count)) + [Placement.none]
                    let scores = scorer.score(user: user, items: items, features: features, visitor: visitor)
                    for (item, score) in zip(items, scores) {
                        let explanation = scorer.explain(user: user, item: RequestedItem(item), features: features, visitor: visitor, limit: 10_000)
                        #expect(abs(explanation.sum - Double(score)) <= 1e-5 * max(1, abs(Double(score))), "\(user) \(item): \(explanation.sum) \(score)")
                    }
                }
            }
            let new = RequestedItem(Placement.none, attributes: (0..<UInt32(engine.itemAttributes.count)).map { ($0, 0.5) })
            let score = Double(scorer.score(user: 0, described: [new], features: context)[0])
            #expect(abs(scorer.explain(user: 0, item: new, features: context, limit: 10_000).sum - score) <= 1e-5 * max(1, abs(score)))
            #expect(!test.isDescribed || score != Double(scorer.score(user: 0, items: [Placement.none], features: context)[0]))
        }
    }

    /// A pair across the sides is what the definition says of an event of these two features alone.
    @Test(arguments: KindCase.kinds) func pairsAreThoseOfTheDefinition(_ kind: KindCase) throws {
        let engine = AnswerCase(kind: kind).engine(), scorer = Scorer(engine: engine), model = engine.models[0], settings = model.settings
        let user = engine.user(0), item = engine.item(5), context = AnswerCase.context(engine)
        let explanation = scorer.reading { scorer.explain(user: user, item: RequestedItem(item), features: context, limit: 10_000) }
        let itemField = FieldAwareMachine.fieldCount(settings) - 1
        func of(_ table: FactorTable, _ ordinal: UInt32, _ x: Double, _ field: Int, isItem: Bool = false) -> DefinedFeature {
            DefinedFeature(field: field, isItemSide: isItem, x: x, v: ReferenceRow(table, ordinal, withTail: isItem).v)
        }
        func defined(_ feature: Explanation.Feature) -> DefinedFeature? {
            switch feature {
            case .user: of(model.users, user, 1, 0)
            case .item: of(model.items, item, 1, itemField, isItem: true)
            case .context(let ordinal):
                context.first { $0.ordinal == ordinal }.map {
                    let name = ordinal == context[0].ordinal ? "f0" : "f2"
                    return of(model.contexts, ordinal, Double($0.weight), FieldAwareMachine.contextField(Array(name.utf8), settings))
                }
            case .itemAttribute(let ordinal):
                engine.attributes(item: item).first { $0.ordinal == ordinal }.map {
                    of(model.itemAttributes, ordinal, Double($0.weight), itemField, isItem: true)
                }
            case .userAttribute, .history: nil
            }
        }
        let pairs = explanation.terms.filter { $0.kind == .pair }
        #expect(pairs.count == (1 + 2 + 4 + 2) * (1 + 3))
        let parameters = (0..<model.layout.parameters.count).map { ReferenceRow(model.parameters!, $0, rank: settings.rank).v }
        var checked = 0
        for pair in pairs {
            guard let a = defined(try #require(pair.feature)), let b = defined(try #require(pair.other)) else { continue }
            checked += 1
            // Beside the pair, bilinear says something of each feature alone.
            let alone = kind.kind == .bilinear ? a.x * dot(parameters[1], a.v) + b.x * dot(parameters[2], b.v) : 0
            let want = definedInteractions(settings, [a, b], parameters) - alone
            #expect(abs(pair.value - want) <= 1e-6 * max(1, abs(want)), "\(pair) \(want)")
        }
        #expect(checked == 3 * 4)
    }

    @Test func whatIsNotListedIsSummedUp() {
        let engine = AnswerCase(kind: KindCase(kind: .fm)).engine(), scorer = Scorer(engine: engine)
        scorer.reading {
            let all = scorer.explain(user: 0, item: RequestedItem(5), limit: 10_000), few = scorer.explain(user: 0, item: RequestedItem(5), limit: 3)
            #expect(few.terms.count == 4 && few.terms[3].kind == .rest && few.restCount == all.terms.count - 3)
            #expect(abs(few.sum - all.sum) < 1e-9)
            let sizes = all.terms.map { abs($0.value) }
            #expect(zip(sizes, sizes.dropFirst()).allSatisfy { $0 >= $1 })
        }
    }

    @Test func theNearestOfTheHistoryComeFirst() {
        let engine = AnswerCase(kind: KindCase(kind: .mf)).engine(), scorer = Scorer(engine: engine), model = engine.models[0]
        let user = engine.user(1), item = engine.item(5)
        let held = Set(DefinedEvent.history(engine, user: user) + engine.shared.userItems.blocks(of: user).history!.items.suffix(8))
        let near = scorer.reading { scorer.explain(user: user, item: RequestedItem(item), near: 3).nearest }
        let want = held.filter { $0 != item }
            .map { ScoredItem(item: $0, score: Float(cosine(itemVector(engine, $0), itemVector(engine, item)))) }
            .sorted { $0.score > $1.score }.prefix(3)
        #expect(near.map(\.item) == want.map(\.item))
        for (got, want) in zip(near, want) { #expect(abs(got.score - want.score) < 1e-5) }
        #expect(model.settings.history.length > 0)
    }

    @Test func aRowIsShownAsItLies() throws {
        let engine = AnswerCase(kind: KindCase(kind: .ffm)).engine(AnswerCase(kind: KindCase(kind: .ffm)).settings(.adagradCoordinate))
        let hide = BatchBuilder(engine)
        hide.append(.hideItem, item: 5)
        engine.learnNow(hide.batch)
        let scorer = Scorer(engine: engine), item = engine.item(5), model = engine.models[0], reference = ReferenceRow(model.items, item, withTail: true)
        scorer.reading {
            let row = scorer.inspect(.item, item)
            #expect(row.ordinal == item && row.isHidden && row.shard == Placement.shard(item) && row.attributes.count == 3)
            #expect(row.rows.map(\.name) == ["own", "history"] && row.rows[0].factors == reference.v.map { Float($0) })
            #expect(row.rows[0].accumulators == reference.accumulators.map { Float($0) } && row.rows[0].weight == Float(reference.w))
            #expect(row.rows[0].updates > 0 && row.popularity == engine.items.frequency(item) && row.admitted == 4)
            let user = scorer.inspect(.user, engine.user(1))
            let seen = (0..<engine.items.count).count { engine.shared.userItems.hasSeen(UInt32($0), user: engine.user(1)) }
            #expect(user.history?.held == 8 && user.history?.seen == seen)
            let size = scorer.inspect(model: 0)
            // Rows of users, items, history, context and attributes; weights of all but history; w0.
            let side = model.layout.sideRank, own = model.layout.itemRank + model.layout.itemOwnRank
            let want = (engine.users.count + engine.contexts.count + engine.userAttributes.count) * (side + 1) + engine.items.count * (own + 1 + side)
                + engine.itemAttributes.count * (own + 1) + 1
            #expect(size.parameters == want && size.saturated == Double((engine.users.count + 1) * (engine.items.count + 1)))
        }
    }
}

/// What an item brings to the query: its row and its attributes', summed.
func itemVector(_ engine: Engine, _ item: UInt32) -> [Double] {
    let model = engine.models[0]
    var z = ReferenceRow(model.items, item).v
    for feature in engine.attributes(item: item) {
        let row = ReferenceRow(model.itemAttributes, feature.ordinal).v
        for f in z.indices { z[f] += Double(feature.weight) * row[f] }
    }
    return z
}

func cosine(_ a: [Double], _ b: [Double]) -> Double { dot(a, b) / (dot(a, a) * dot(b, b)).squareRoot() }
