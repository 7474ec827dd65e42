import CKernels
import Foundation
import Testing

@testable import Factorization

@Suite struct NumericsTests {
    static let absurd: [Float] = [
        .nan, .infinity, -.infinity, 1e30, -1e30, .greatestFiniteMagnitude, Float(bitPattern: 71_000), .leastNonzeroMagnitude, 0, -0.0, 9999,
    ]

    private func expectFinite(_ engine: Engine, _ what: String) {
        let model = engine.models[0], cap = model.settings.normCap
        #expect(model.bias.isFinite && model.globalState.accumulator.isFinite)
        for (name, side, table) in model.groups {
            for ordinal in 0..<UInt32(engine.rowCount(side)) {
                let state = table.state(ordinal).pointee, row = ReferenceRow(table, ordinal)
                let all = row.v + row.accumulators + [Double(state.weight), Double(state.weight_accumulator), Double(state.factor_accumulator)]
                #expect(!all.contains { !$0.isFinite }, "\(what): \(name) \(ordinal)")
                #expect(dot(row.v, row.v).squareRoot() <= Double(cap) * 1.001, "\(what): norm of \(name) \(ordinal)")
            }
        }
    }

    @Test(arguments: ModelCase.all) func nothingNotFiniteEntersAModel(_ model: ModelCase) {
        for cap in [Float(2), 1000] {
            var settings = model.settings(rank: 9, negatives: 2)
            settings.normCap = cap
            settings.rates = .init(user: 1, item: 1, context: 1, weight: 1)
            let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 64))
            for (index, value) in NumericsTests.absurd.enumerated() {
                for weight in NumericsTests.absurd {
                    for x in NumericsTests.absurd {
                        engine.learn([
                            TestEvent(
                                user: Int64(index % 3), item: Int64(index % 5), value: value, weight: weight,
                                context: [TestFeature(field: "a", value: 1, weight: x), TestFeature(field: "b", value: 2)])
                        ])
                    }
                    engine.learn([TestEvent(user: Int64(index % 3), item: Int64(index % 5), value: value, weight: weight)])
                }
            }
            expectFinite(engine, "cap \(cap)")
            #expect(engine.caps(0).clipped > 0 && engine.sequencer.refusals.contains { $0.reason == .badFeature })
        }
    }

    /// One bad record must not cost a row what it has learned.
    @Test func aRecordWithoutANumberLeavesRowsAlone() {
        let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 8, loss: .squared, negatives: 0)], queueCapacity: 8))
        engine.learn(randomEvents(30, users: 2, items: 2, context: 0, seed: 1))
        let before = ReferenceRow(engine.models[0].items, 0).v
        engine.learn([TestEvent(user: 0, item: engine.item(0) == 0 ? 0 : 1, value: .nan)])
        #expect(ReferenceRow(engine.models[0].items, 0).v == before && engine.caps(0).rejected == 1)
    }

    /// Wherever in a run of events the bad row is met, in the part that a call leaves for the next one too.
    @Test func aBadRowIsMendedWhereverItStandsInARun() {
        for place in stride(from: 0, to: 300, by: 7) {
            let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 8, negatives: 0)], queueCapacity: 512))
            let events = (0..<300).map { TestEvent(user: Int64($0 % 40), item: Int64($0)) }
            engine.learn(events)
            let items = engine.models[0].items, bad = engine.item(Int64(place))
            items.factors(bad)[3] = .infinity
            engine.learn(events)
            #expect(engine.caps(0).rejected == 1 && items.factors(bad)[3].isFinite, "place \(place)")
            #expect(items.state(bad).pointee.updates == 0, "place \(place)")
        }
    }

    @Test func scalarFunctionsHoldAtTheEdges() {
        for x in [-200, -88, -30, -1, -1e-20, 0, 1e-20, 0.5, 1, 30, 88, 200] as [Float] {
            #expect(abs(Double(fk_sigmoid(x)) - 1 / (1 + exp(-Double(x)))) < 1e-6)
            #expect(abs(Double(fk_softplus(x)) - (x > 30 ? Double(x) : log1p(exp(Double(x))))) < 1e-5 * max(1, abs(Double(x))))
        }
        for x in [Float.infinity, -.infinity, .nan] { #expect(!(fk_sigmoid(x) > 1) && !(fk_sigmoid(x) < 0)) }
    }
}
