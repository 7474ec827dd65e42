import CKernels
import Foundation
import Testing

@testable import Factorization

/// Each optimiser's step against its formula in double, wherever a row can be stepped: the user alone, a sum of rows, pairs,
/// attributes, global parameters, w0.
@Suite struct OptimizerStepTests {
    /// Every kind and loss; those of mf, whose rows alone reach every kernel, on every instruction set.
    static let cases = KindCase.all.map { ($0, Kernels.best) }
        + KindCase.all.filter { $0.kind == .mf }.flatMap { kind in
            Kernels.Variant.allCases.compactMap { Kernels($0) }.dropLast().map { (kind, $0) }
        }

    private func settings(_ kind: KindCase, _ optimizer: OptimizerCase, history: Int) -> ModelSettings {
        var settings = kind.settings(history: history, negatives: kind.loss.isPairwise ? 1 : 0)
        settings.l2 = .init(user: 0.2, item: 0.3, context: 0.4, weight: 0.5, history: 0.1, attribute: 0.6)
        settings.rates = .init(user: 0.2, item: 0.3, context: 0.25, weight: 0.15, history: 0.22, attribute: 0.28)
        optimizer.apply(to: &settings)
        return settings
    }

    /// Rows asleep are part of the start: a third of the rows have no weight.
    private func makeSparse(_ engine: Engine) {
        let model = engine.models[0]
        for (name, side, table) in model.groups where name != "histories" && model.settings.weightFtrl?.sparseFactors == true {
            for ordinal in 0..<UInt32(engine.rowCount(side)) where ordinal % 3 == 0 { table.reset(ordinal) }
        }
    }

    /// The rows of an event and its parameters, in the order of its gradient.
    private func rows(_ engine: Engine, _ proof: ProofEvent) -> [OptimizedRow] {
        let model = engine.models[0], user = engine.user(proof.event.user), hasWeights = model.layout.hasWeights
        return [OptimizedRow(model.users, user, hasWeight: hasWeights)]
            + proof.history.map { OptimizedRow(model.histories!, $0, hasWeight: false) }
            + proof.context.map { OptimizedRow(model.contexts, $0.ordinal, hasWeight: hasWeights) }
            + proof.unit.items.map { OptimizedRow(model.items, $0, hasWeight: hasWeights) }
            + proof.before.parameters.indices.map { OptimizedRow(model.parameters!, $0, rank: model.settings.rank) }
    }

    private func stepped(_ rows: [OptimizedRow], _ proof: ProofEvent, _ model: Model) -> [OptimizedRow] {
        let settings = model.settings, gradient = EventGradient(proof.before, proof.unit, weight: proof.weight)
        var rows = rows, next = 0
        func step(_ g: RowGradient, hasWeight: Bool, rate: Float, l2: Float) {
            rows[next].step(g.v, weight: hasWeight && model.layout.hasWeights ? g.w : nil, rate: rate, l2: l2, settings)
            next += 1
        }
        for (a, group) in proof.before.groups.enumerated() {
            step(gradient.rows[a], hasWeight: group != .history, rate: settings.rates.of(group), l2: settings.l2.of(group))
        }
        for item in proof.unit.items { step(gradient.items[item]!, hasWeight: true, rate: settings.rates.item, l2: settings.l2.item) }
        for g in gradient.parameters { step(RowGradient(v: g), hasWeight: false, rate: settings.globalRate, l2: 0) }
        return rows
    }

    private func expectBias(_ before: (bias: Float, accumulator: Float, updates: UInt32), _ model: Model, error: Double, _ what: String) {
        let settings = model.settings, steps = settings.steps, got = model.globalState
        var rate = Double(settings.globalRate)
        if settings.optimizer == .sgd {
            if steps.horizon > 0 { rate /= 1 + Double(before.updates) / Double(steps.horizon) }
            #expect(got.updates == before.updates + (steps.horizon > 0 ? 1 : 0))
        } else {
            let sum = Double(before.accumulator) * (steps.halfLife > 0 ? pow(0.5, 1 / Double(steps.halfLife)) : 1) + error * error
            #expect(abs(Double(got.accumulator) - sum) <= 1e-5 * sum, "\(what), accumulator of w0")
            rate /= sum.squareRoot() + 1e-12
        }
        let want = Double(before.bias) - rate * error
        #expect(abs(Double(got.bias) - want) <= 1e-4 * abs(rate * error) + 2e-7, "\(what), w0")
    }

    @Test(arguments: OptimizerCase.all) func stepsFollowTheFormula(_ optimizer: OptimizerCase) {
        for (kind, kernels) in OptimizerStepTests.cases {
            for (history, context) in [(0, 0), (4, 3)] {
                let engine = Engine.scattered(settings(kind, optimizer, history: history), kernels), model = engine.models[0]
                var proved = 0
                for (index, event) in proofEvents(4, context: context, seed: 6).enumerated() {
                    engine.scatter(seed: 50 + index)
                    makeSparse(engine)
                    let foreseen = engine.foresee(event), global = model.globalState
                    guard let proof = foreseen else {
                        engine.learn([event])
                        continue
                    }
                    let before = rows(engine, proof), want = stepped(before, proof, model)
                    engine.learn([event])
                    let what = "\(kernels.variant), \(kind), history \(history), event \(index)"
                    for (row, got) in rows(engine, proof).enumerated() {
                        let wrong = got.differences(want[row], before: before[row])
                        #expect(wrong == [], "\(what), row \(row)")
                    }
                    expectBias(global, model, error: EventGradient(proof.before, proof.unit, weight: proof.weight).bias, what)
                    proved += 1
                }
                #expect(proved > 0)
            }
        }
    }

    /// Items and users with attributes: each attribute's row takes its part with the rate of its group.
    @Test(arguments: OptimizerCase.all) func attributeRowsFollowTheFormula(_ optimizer: OptimizerCase) {
        for kind in [KindCase(kind: .mf), KindCase(kind: .fm)] {
            let engine = Engine.scattered(settings(kind, optimizer, history: 0)), model = engine.models[0]
            for id in 0..<Int64(4) { engine.describe(user: id, [TestFeature(field: "a", value: id % 2, weight: 0.6)]) }
            for id in 0..<Int64(12) {
                engine.describe(item: id, [TestFeature(field: "b", value: id % 3, weight: 0.7), TestFeature(field: "c", value: id % 2, weight: -0.4)])
            }
            for (index, event) in proofEvents(6, context: 0, seed: 6).enumerated() {
                engine.scatter(seed: 60 + index)
                makeSparse(engine)
                let user = engine.user(event.user), item = engine.item(event.item)
                let reference = AttributeReference(engine, user: user, item: item, context: [])
                let tables = [(model.users, user), (model.items, item)]
                    + engine.attributes(user: user).map { (model.userAttributes, $0.ordinal) }
                    + engine.attributes(item: item).map { (model.itemAttributes, $0.ordinal) }
                let before = tables.map { OptimizedRow($0, $1) }
                let e = Double(event.weight) * (1 / (1 + exp(-reference.score)) - Double(event.value!))
                engine.learn([event])
                for (place, feature) in reference.features.enumerated() {
                    var want = before[place]
                    want.step(
                        reference.slope(place).map { e * $0 }, weight: e * feature.x, rate: Float(feature.rate), l2: Float(feature.l2),
                        model.settings)
                    let got = OptimizedRow(tables[place].0, tables[place].1)
                    #expect(got.differences(want, before: before[place]) == [], "\(kind), event \(index), row \(place)")
                }
            }
        }
    }

    /// ftrl's weight is the minimum of z·w + ½((β + √n)/α + λ₂)w² + λ₁|w|: its slope in closed form, against differences
    /// away from the kink at 0, and the product's weight where the slope is nothing.
    @Test func ftrlMinimisesItsObjective() {
        let ftrl = OptimizerCase.ftrl
        var dice = Dice(8)
        var zeros = 0
        for n in 0..<200 {
            var settings = settings(KindCase(kind: .mf), OptimizerCase.all[6], history: 0)
            settings.steps.ftrl = ftrl
            let model = Engine.scattered(settings, seed: n).models[0], ordinal = UInt32(n % 4)
            let state = model.users.state(ordinal), z = model.users.linear(ordinal).z!
            var side = fk_side(), kernelSettings = model.kernelSettings, clipped: UInt32 = 0
            let old = Double(state.pointee.weight), oldZ = Double(z.pointee), oldN = Double(state.pointee.weight_accumulator)
            let g = Float(dice.real())
            model.kernels.step(nil, nil, state, model.users.linear(ordinal), nil, nil, 1, 0, g, &side, &kernelSettings, 0, &clipped)
            let w = Double(state.pointee.weight), root = Double(state.pointee.weight_accumulator).squareRoot()
            // What z has taken up is the gradient, corrected for the move of the weight.
            let sigma = (root - oldN.squareRoot()) / Double(ftrl.alpha)
            #expect(abs(Double(z.pointee) - oldZ + sigma * old - Double(g)) <= 1e-5)
            let scale = (Double(ftrl.beta) + root) / Double(ftrl.alpha) + Double(ftrl.l2)
            func objective(_ w: Double) -> Double { Double(z.pointee) * w + scale / 2 * w * w + Double(ftrl.l1) * abs(w) }
            func slope(_ w: Double) -> Double { Double(z.pointee) + scale * w + Double(ftrl.l1) * (w < 0 ? -1 : 1) }
            for at in [w + 0.3, w - 0.7, w] where abs(at) > 1e-3 {
                let difference = (objective(at + 1e-5) - objective(at - 1e-5)) / 2e-5
                #expect(abs(slope(at) - difference) <= 1e-6 * max(abs(difference), 1e-2))
            }
            if w == 0 { zeros += 1 } else { #expect(abs(slope(w)) <= 1e-4) }
            #expect((w == 0) == (abs(z.pointee) <= ftrl.l1))
        }
        #expect(zeros > 5 && zeros < 195)
    }
}
