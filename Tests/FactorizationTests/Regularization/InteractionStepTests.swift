import CKernels
import Synchronization
import Testing

@testable import Factorization

/// What the live regulariser does to rows, for every kind, against the formulas in double.
@Suite struct InteractionStepTests {
    /// γ Σ ⟨query, z⟩² through folded vectors is the sum over all pairs of the kind's own definition, less what the side
    /// gives without an item.
    @Test(arguments: KindCase.kinds) func foldedVectorsGiveTheSumOverPairs(_ kind: KindCase) {
        let test = InteractionCase(InteractionCase.settings(kind))
        test.engine.learn(InteractionCase.events(200))
        let items = (0..<UInt32(test.engine.items.count)).map { $0 }
        var queries = Gram(rank: test.model.layout.itemRank), vectors = queries, sum = 0.0
        for item in items { vectors.add(test.z(item)) }
        for event in InteractionCase.events(20, from: 500) {
            queries.add(test.query(event).p)
            var defined = DefinedEvent(test.engine, user: test.engine.user(event.user), context: test.context(event), items: items)
            for item in items {
                let whole = defined.score(item)
                defined.items[item]!.v = defined.items[item]!.v.map { _ in 0 }
                sum += (whole - defined.score(item)) * (whole - defined.score(item))
            }
        }
        let value = InteractionPenalty.value(queries, vectors, strength: 0.3)
        #expect(abs(value - 0.3 * sum) <= 1e-5 * value && value > 1e-4, "\(value) and \(0.3 * sum)")
    }

    /// What ⟨query, g⟩ is by the kind's definition.
    private func product(_ event: DefinedEvent, _ item: UInt32, _ g: [Double]) -> Double {
        var with = event, without = event
        with.items[item]!.v = g
        without.items[item]!.v = g.map { _ in 0 }
        return with.score(item) - without.score(item)
    }

    private func slopes(_ event: DefinedEvent, _ item: UInt32, _ g: [Double], _ row: WritableKeyPath<DefinedEvent, ReferenceRow>) -> [Double] {
        event[keyPath: row].v.indices.map { f in
            var up = event, down = event
            up[keyPath: row].v[f] += 1e-5
            down[keyPath: row].v[f] -= 1e-5
            let slope = (product(up, item, g) - product(down, item, g)) / 2e-5
            return abs(slope) < 1e-9 ? 0 : slope
        }
    }

    private func expectSame(_ got: ReferenceRow, _ want: ReferenceRow, before: ReferenceRow, _ what: String) {
        let step = zip(want.v, before.v).map { abs($0 - $1) }.max()!
        for f in got.v.indices {
            #expect(abs(got.v[f] - want.v[f]) <= 1e-4 * step + 3e-7 * (abs(want.v[f]) + 0.1), "\(what), factor \(f), step \(step)")
        }
    }

    /// Rows and parameters of the user's side take the gradient (γ/n) G_z query at the end of an implicit step.
    @Test(arguments: KindCase.kinds, ModelSettings.Optimizer.allCases)
    func theUsersSideFollowsTheGradient(_ kind: KindCase, _ optimizer: ModelSettings.Optimizer) {
        for (history, context) in [(0, 0), (4, 3)] {
            let test = InteractionCase(InteractionCase.settings(kind, optimizer, history: history, user: 3))
            let engine = test.engine, settings = test.model.settings
            engine.learn(InteractionCase.events(150, context: context))
            var moved = 0.0
            for event in InteractionCase.events(4, context: context, weight: InteractionCase.nothing, from: 900) {
                let user = engine.user(event.user), item = engine.item(event.item), features = test.context(event)
                let (p, rate) = test.query(event), rates = settings.rates
                let solved = InteractionCase.solve(test.matrix(test.grams.items), rate * 3 / Double(engine.items.count), p)
                let g = zip(p, solved).map { ($0 - $1) / rate }
                let before = DefinedEvent(engine, user: user, context: features, items: [item])
                var after = before
                let newest = DefinedEvent.history(engine, user: user)
                // A row that stands in the side twice is stepped twice; the reference has it once.
                guard Set(newest).count == newest.count else { continue }
                for a in before.rows.indices {
                    after.rows[a].stepFactors(slopes(before, item, g, \.rows[a]), rate: rates[before.groups[a]], optimizer)
                }
                for b in before.parameters.indices {
                    after.parameters[b].stepFactors(slopes(before, item, g, \.parameters[b]), rate: settings.globalRate, optimizer)
                }
                engine.learn([event])
                let got = DefinedEvent(engine, user: user, context: features, items: [item], history: newest)
                for a in got.rows.indices {
                    expectSame(got.rows[a], after.rows[a], before: before.rows[a], "\(got.groups[a]) row \(a)")
                    moved += zip(after.rows[a].v, before.rows[a].v).reduce(0) { $0 + abs($1.0 - $1.1) }
                }
                for b in got.parameters.indices { expectSame(got.parameters[b], after.parameters[b], before: before.parameters[b], "parameters \(b)") }
            }
            #expect(moved > 1e-3, "history \(history)")
        }
    }

    /// An item that slept D events is brought up to date before it is touched: z ← (I + η γ (D/n) C)⁻¹ z.
    @Test(arguments: KindCase.kinds, ModelSettings.Optimizer.allCases)
    func anItemIsSettledByTheEventsThatItSlept(_ kind: KindCase, _ optimizer: ModelSettings.Optimizer) {
        let strength: Float = 40
        let test = InteractionCase(InteractionCase.settings(kind, optimizer, history: 0, item: strength))
        let engine = test.engine
        engine.learn(InteractionCase.events(150))
        var moved = 0.0
        for event in InteractionCase.events(20, weight: InteractionCase.nothing, from: 900) {
            let item = engine.item(event.item), z = test.z(item), position = engine.sequencer.lastPosition + 1
            let slept = Double(position - test.grams.settledAt(item).pointee.load(ordering: .relaxed))
            let state = test.model.items.state(item).pointee
            var rate = Double(test.model.settings.rates.item)
            if optimizer == .adagrad { rate /= Double(state.factor_accumulator).squareRoot() }
            if optimizer == .adagradCoordinate {
                let sums = ReferenceRow(test.model.items, item).accumulators
                rate /= (dot(sums, sums) / Double(sums.count)).squareRoot().squareRoot()
            }
            let want = InteractionCase.solve(
                test.matrix(test.grams.queries), rate * Double(strength) * slept / Double(engine.items.count), z)
            engine.learn([event])
            let got = test.z(item), size = dot(z, z).squareRoot()
            #expect(test.grams.settledAt(item).pointee.load(ordering: .relaxed) == position)
            for f in z.indices {
                #expect(abs(got[f] - want[f]) <= 2e-3 * size, "\(got[f]) and \(want[f]) of \(size)")
                moved = max(moved, abs(want[f] - z[f]) / size)
            }
        }
        #expect(moved > 0.02)
    }

    /// Scores of pairs that nobody touched shrink with the strength, under every loss.
    @Test(arguments: KindCase.all) func scoresShrinkWithTheStrength(_ kind: KindCase) {
        func size(_ strength: Float) -> Double {
            var settings = InteractionCase.settings(kind, .sgd, history: 0, negatives: 2, user: strength, item: strength)
            settings.deviation = 0.3
            let test = InteractionCase(settings)
            test.engine.learn(InteractionCase.events(600))
            var queries = Gram(rank: test.model.layout.itemRank), vectors = queries
            for item in 0..<UInt32(test.engine.items.count) { vectors.add(test.z(item)) }
            for event in InteractionCase.events(30, from: 700) { queries.add(test.query(event).p) }
            return InteractionPenalty.value(queries, vectors, strength: 1)
        }
        let without = size(0.0001), with = size(2), strong = size(20)
        #expect(with < 0.95 * without && strong < 0.8 * with, "\(without), \(with), \(strong)")
    }
}
