import CKernels
import Testing

@testable import Factorization

/// Rows that fade, beside what else keeps an account of them: tails, attributes without sampled negatives, ftrl's sums and
/// sparse factors, Gram matrices.
@Suite struct FadingTogetherTests {
    private func engine(_ settings: ModelSettings) -> Engine {
        Engine(settings: EngineSettings(models: [settings], queueCapacity: 64, historyLength: 8))
    }

    private func describe(_ engine: Engine) {
        for item in 0..<12 as Range<Int64> {
            engine.describe(item: item, [TestFeature(field: "genre", value: item % 3), TestFeature(field: "tag", value: item % 4, weight: 0.7)])
        }
    }

    /// Whole rows, tails included, are what their time leaves of them; no rate moves anything here.
    @Test(arguments: [(ModelSettings.Kind.fm, false), (.gfm, false), (.hofm, false), (.ffm, false), (.mf, false), (.mf, true)])
    func rowsOfItemsAndTheirAttributesFadeWhole(_ kind: ModelSettings.Kind, _ isRegularized: Bool) {
        var settings = KindCase(kind: kind).settings(.sgd, history: 0, negatives: isRegularized ? 0 : 2)
        settings.rates = .init(user: 0, item: 0, context: 0, weight: 0, attribute: 0)
        settings.globalRate = 0
        settings.halfLife = 500
        if isRegularized { settings.unobserved = .regularized }
        let engine = engine(settings), model = engine.models[0]
        describe(engine)
        engine.learn(InteractionCase.events(100))
        func rows(_ table: FactorTable, _ count: Int) -> [[Float]] {
            (0..<UInt32(count)).map { ordinal in (0..<table.stride).map { table.factors(ordinal)[$0] } }
        }
        let tables = [(model.items, engine.items.count), (model.itemAttributes, engine.itemAttributes.count)]
        for (table, count) in tables {
            for ordinal in 0..<UInt32(count) { fk_first_factors(table.factors(ordinal), table.stride, table.stride, UInt64(ordinal), 0.5) }
        }
        let before = tables.map { rows($0, $1) }, stamps = tables.map { table, count in (0..<UInt32(count)).map { table.stamps![$0] } }
        engine.learn(InteractionCase.events(900, from: 100))
        for (number, (table, count)) in tables.enumerated() {
            for ordinal in 0..<UInt32(count) {
                let row = Int(ordinal), stamp = table.stamps![ordinal]
                #expect(stamps[number][row] > 0 && stamp >= 950)
                let factor = model.halfLife.factor(from: stamps[number][row], to: stamp)
                for f in 0..<table.stride {
                    let expected = before[number][row][f] * factor
                    #expect(abs(table.factors(ordinal)[f] - expected) <= 2e-5 * abs(expected) + 1e-9, "\(kind), table \(number), row \(row), \(f)")
                }
            }
        }
    }

    /// A weight that has faded goes on from where it is, not from what ftrl's sum had gathered.
    @Test func ftrlGoesOnFromTheFadedWeight() {
        var settings = KindCase(kind: .mf).settings(.adagrad, history: 0, negatives: 0)
        settings.steps.ftrl = .init(alpha: 0.3, l1: 0.2, sparseFactors: true)
        settings.halfLife = 400
        let engine = engine(settings), table = engine.models[0].users
        engine.learn((0..<40).map { TestEvent(user: 1, item: Int64($0 % 4), value: 1) })
        let grown = table.state(0).pointee.weight
        engine.learn((0..<1200).map { TestEvent(user: 2 + Int64($0 % 3), item: 5 + Int64($0 % 4), value: 1) })
        engine.learn([TestEvent(user: 1, item: 1, value: 1, weight: 1e-6)])
        let left = table.state(0).pointee.weight
        #expect(grown > 0.1 && abs(left / grown - 0.125) < 1e-3, "\(left) of \(grown)")
        // One more event of no weight: nothing comes back, but for what one position takes.
        engine.learn([TestEvent(user: 1, item: 1, value: 1, weight: 1e-6)])
        #expect(abs(table.state(0).pointee.weight - left) < 3e-3 * left)
    }

    /// What has faded to nothing is a sparse row without factors, which the next evidence wakes.
    @Test func aSparseRowThatFadedAwayCanWakeAgain() {
        var settings = KindCase(kind: .mf).settings(.adagradCoordinate, history: 0, negatives: 0)
        settings.steps.ftrl = .init(alpha: 0.3, l1: 0.2, sparseFactors: true)
        settings.halfLife = 4
        let engine = engine(settings), table = engine.models[0].users
        func row() -> [Float] { (0..<table.stride).map { table.factors(0)[$0] } }
        engine.learn((0..<5).map { TestEvent(user: 1, item: Int64($0 % 4), value: 1) })
        #expect(table.state(0).pointee.weight > 0 && row().contains { $0 != 0 })
        engine.learn((0..<600).map { TestEvent(user: 2 + Int64($0 % 3), item: 5 + Int64($0 % 4), value: 1) })
        engine.learn([TestEvent(user: 1, item: 1, value: 1, weight: 1e-6)])
        #expect(table.state(0).pointee.weight == 0 && row().allSatisfy { $0 == 0 })
        #expect((0..<table.stride).allSatisfy { table.accumulators(0)![$0] == 0 })
        engine.learn((0..<5).map { TestEvent(user: 1, item: Int64($0 % 4), value: 1) })
        #expect(table.state(0).pointee.weight > 0 && row().contains { $0 != 0 })
    }

    /// G is told of what an item loses.
    @Test(arguments: KindCase.kinds, [false, true]) func gramFollowsSampledRowsThatFade(_ kind: KindCase, _ isSparse: Bool) {
        var settings = InteractionCase.settings(kind, .adagrad, negatives: 4, user: 1, item: 1)
        settings.halfLife = 120
        if isSparse { settings.steps.ftrl = .init(alpha: 0.3, l1: 0.5, sparseFactors: true) }
        let test = InteractionCase(settings)
        for part in 0..<3 {
            test.engine.learn(InteractionCase.events(150, from: 150 * part))
            #expect(test.gramError <= 1e-5, "part \(part)")
        }
    }

    /// Rows without factors take no part in what the regulariser moves: neither the user's beside a history, nor the item's
    /// beside its attributes.
    @Test(arguments: [ModelSettings.Optimizer.sgd, .adagrad]) func theRegulariserWakesNoSparseRow(_ optimizer: ModelSettings.Optimizer) {
        var settings = InteractionCase.settings(KindCase(kind: .mf), optimizer, negatives: 2, user: 3, item: 3)
        // Context and attributes come often and wake; of users and items few do.
        settings.steps.ftrl = .init(alpha: 0.3, l1: 3, sparseFactors: true)
        let engine = engine(settings), model = engine.models[0]
        describe(engine)
        engine.learn(InteractionCase.events(400))
        var asleep = 0, awake = 0
        for group in model.groups {
            for ordinal in 0..<UInt32(engine.rowCount(group.side)) where group.table.linear(ordinal).z != nil {
                let isZero = (0..<group.table.stride).allSatisfy { group.table.factors(ordinal)[$0] == 0 }
                #expect(isZero == (group.table.state(ordinal).pointee.weight == 0), "\(group.name) \(ordinal)")
                if isZero { asleep += 1 } else { awake += 1 }
            }
        }
        #expect(asleep > 3 && awake > 3, "\(asleep) and \(awake)")
    }
}
