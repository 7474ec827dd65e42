import Testing

@testable import Factorization

@Suite struct SimilarTests {
    static let cases = AnswerCase.all.filter { $0.storage == .float32 && $0.halfLife == 0 }

    /// By the cosine, then the one admitted earlier.
    private func ranked(_ ordinals: some Sequence<UInt32>, _ likeness: (UInt32) -> Double) -> [(item: UInt32, likeness: Double)] {
        ordinals.map { ($0, likeness($0)) }.sorted { $0.1 > $1.1 }
    }

    private func expect(_ got: [ScoredItem], _ want: [(item: UInt32, likeness: Double)]) {
        #expect(got.map(\.item) == want.map(\.item))
        for (got, want) in zip(got, want) { #expect(abs(Double(got.score) - want.likeness) < 1e-5) }
    }

    @Test(arguments: cases) func itemsLikeAnItem(_ test: AnswerCase) {
        let engine = test.engine(), scorer = Scorer(engine: engine), item = engine.item(4)
        let hide = BatchBuilder(engine)
        hide.append(.hideItem, item: 7)
        engine.learnNow(hide.batch)
        let others = (0..<UInt32(engine.items.count)).filter { $0 != item && $0 != engine.item(7) && $0 != engine.item(2) }
        let want = ranked(others) { cosine(itemVector(engine, $0), itemVector(engine, item)) }
        for count in [3, 100] {
            let query = RecommendQuery(user: Placement.none, count: count, excludesSeen: false, excluded: [engine.item(2)])
            expect(scorer.similar(to: RequestedItem(item), query), Array(want.prefix(count)))
        }
        let query = RecommendQuery(user: Placement.none, count: 5)
        #expect(scorer.similar(to: RequestedItem(Placement.none), query).isEmpty)
        guard test.isDescribed else { return }
        // An item that nobody has met is placed by its attributes.
        let new = RequestedItem(Placement.none, attributes: engine.attributes(item: item).map { ($0.ordinal, $0.weight) })
        var z = itemVector(engine, item)
        for (f, own) in ReferenceRow(engine.models[0].items, item).v.enumerated() { z[f] -= own }
        let shown = (0..<UInt32(engine.items.count)).filter { $0 != engine.item(7) }
        expect(scorer.similar(to: new, query), Array(ranked(shown) { cosine(itemVector(engine, $0), z) }.prefix(5)))
    }

    /// The query of a user's own row and attributes, from the definitions.
    private func userVector(_ engine: Engine, _ user: UInt32) -> [Double] {
        let model = engine.models[0], settings = model.settings, k = settings.rank
        var rows = [DefinedFeature(field: 0, x: 1, v: ReferenceRow(model.users, user).v)]
        for feature in engine.attributes(user: user) {
            let v = ReferenceRow(model.userAttributes, feature.ordinal).v
            rows.append(DefinedFeature(field: FieldAwareMachine.otherField(settings), x: Double(feature.weight), v: v))
        }
        func sum(_ f: Int, field: Int? = nil) -> Double { rows.reduce(0) { $0 + (field == nil || $1.field == field ? $1.x * $1.v[f] : 0) } }
        let whole = rows[0].v.indices.map { sum($0) }
        switch settings.kind {
        case .mf, .fm: return whole
        case .gfm: return whole.map { $0 / 2 }
        case .bilinear:
            let w = ReferenceRow(model.parameters!, 0, rank: k).v
            func used(_ r: Int, _ c: Int) -> Double { settings.symmetric ? (w[r * k + c] + w[c * k + r]) / 2 : w[r * k + c] }
            return (0..<k).map { c in (0..<k).reduce(0.0) { $0 + whole[$1] * used($1, c) } }
        case .hofm:
            var out: [Double] = [], offset = 0
            for (place, rank) in HigherOrderMachine.ranks(settings).enumerated() {
                for f in offset..<offset + rank { out.append(sumOfProducts(rows.map { $0.x * $0.v[f] }, below: rows.count, size: place + 1)) }
                offset += rank
            }
            return out
        case .ffm:
            let fields = FieldAwareMachine.fieldCount(settings) - 1
            return (0..<fields).flatMap { field in (0..<k).map { sum(fields * k + $0, field: field) } }
        }
    }

    @Test(arguments: cases) func usersLikeAUser(_ test: AnswerCase) {
        let engine = test.engine(), scorer = Scorer(engine: engine), user = engine.user(2)
        let want = ranked((0..<UInt32(engine.users.count)).filter { $0 != user && $0 != engine.user(4) }) {
            cosine(userVector(engine, $0), userVector(engine, user))
        }
        expect(scorer.similarUsers(to: user, count: 10, excluded: [engine.user(4)]), want)
        #expect(scorer.similarUsers(to: user, count: 2).count == 2)
        #expect(scorer.similarUsers(to: Placement.none, count: 10).isEmpty)
        // Somebody without a row is placed by the row that is fitted to the items taken.
        let visitor = Visitor(items: [1, 3, 5].map { Visitor.Item(ordinal: engine.item($0)) })
        #expect(scorer.similarUsers(to: Placement.none, visitor: visitor, count: 10).count == engine.users.count)
    }
}
