import Testing

@testable import Factorization

/// A model's choices that change the formulas.
struct ModelCase: CustomStringConvertible, Sendable {
    var kind: ModelSettings.Kind
    var loss: ModelSettings.Loss
    var optimizer: ModelSettings.Optimizer
    var description: String { "\(kind) \(loss) \(optimizer)" }

    /// Kinds and losses whose formulas stand here; `Kinds` holds all of them to their definitions.
    static let all = [ModelSettings.Kind.mf, .fm].flatMap { kind in
        [ModelSettings.Loss.logistic, .squared].flatMap { loss in
            ModelSettings.Optimizer.allCases.map { ModelCase(kind: kind, loss: loss, optimizer: $0) }
        }
    }

    func settings(rank: Int = 5, negatives: Int = 0) -> ModelSettings {
        ModelSettings(
            kind: kind, rank: rank, loss: loss, optimizer: optimizer,
            rates: .init(user: 0.05, item: 0.06, context: 0.07, weight: 0.03), globalRate: 0.02,
            l2: .init(user: 0.02, item: 0.03, context: 0.04, weight: 0.05), negatives: negatives, deviation: 0.5)
    }
}

@Suite struct GradientTests {
    /// Float rows agree with a row in double that took the same step: 1e-4 of the step, and rounding of the value.
    private func expectSame(_ float: ReferenceRow, _ double: ReferenceRow, before: ReferenceRow, _ what: String) {
        func near(_ a: Double, _ b: Double, _ step: Double) -> Bool { abs(a - b) <= 1e-4 * abs(step) + 3e-7 * (abs(b) + 0.1) }
        let step = zip(double.v, before.v).map { abs($0 - $1) }.max()!
        for f in float.v.indices { #expect(near(float.v[f], double.v[f], step), "\(what), factor \(f)") }
        #expect(near(float.w, double.w, double.w - before.w), "\(what), weight")
        #expect(near(float.factorAccumulator, double.factorAccumulator, double.factorAccumulator), "\(what), accumulator")
        #expect(near(float.weightAccumulator, double.weightAccumulator, double.weightAccumulator), "\(what), weight accumulator")
        for f in float.v.indices { #expect(near(float.accumulators[f], double.accumulators[f], double.accumulators[f]), "\(what), accumulator \(f)") }
    }

    /// The pass that the model's rules give for an event: the item, then what the counter-based draws give.
    private func pass(_ engine: Engine, _ event: TestEvent, position: UInt64) -> [(item: UInt32, label: Double)] {
        let settings = engine.models[0].settings, item = engine.item(event.item)
        var pass = [(item, Double(event.value!))]
        let catalogue = UInt64(engine.items.count)
        for draw in 0..<(event.value! > 0 ? settings.negatives : 0) {
            let word = mix64(mix64(settings.seed ^ position) &+ UInt64(draw)) >> 32
            let drawn = UInt32((word * catalogue) >> 32)
            if drawn == item { continue }
            if settings.verifiedNegatives && engine.shared.userItems.hasSeen(drawn, user: engine.user(event.user)) { continue }
            pass.append((drawn, 0))
        }
        return pass
    }

    /// Admits every id that the tests use, and moves all rows off their first values.
    private func warmUp(_ engine: Engine) {
        engine.learn(
            (0..<60).map { (n: Int64) in
                let context = [TestFeature(field: "f0", value: n % 4), TestFeature(field: "f1", value: n / 4 % 4, weight: 0.7)]
                return TestEvent(user: n % 4, item: n % 12, value: Float(n % 3) / 2, context: context)
            })
    }

    private func check(_ engine: Engine, events: [TestEvent], label: String) {
        let model = engine.models[0]
        warmUp(engine)
        for event in events {
            engine.settleGlobalBias()
            let context = event.context.map { (engine.context($0), $0.weight) }
            let pass = pass(engine, event, position: engine.sequencer.lastPosition + 1)
            let user = engine.user(event.user)
            let before = ReferenceEvent(model, user: user, context: context, pass: pass, weight: event.weight)
            var after = before
            after.step()
            engine.learn([event])
            let got = ReferenceEvent(model, user: user, context: context, pass: pass)
            for a in got.rows.indices { expectSame(got.rows[a], after.rows[a], before: before.rows[a], "\(label) query row \(a)") }
            for (item, row) in got.items { expectSame(row, after.items[item]!, before: before.items[item]!, "\(label) item \(item)") }
            #expect(abs(got.bias - after.bias) <= 1e-4 * abs(after.bias - before.bias) + 1e-7)
        }
    }

    @Test(arguments: ModelCase.all) func floatStepsFollowTheDoubleFormula(_ model: ModelCase) {
        for variant in Kernels.Variant.allCases {
            guard let kernels = Kernels(variant) else { continue }
            let engine = Engine(settings: EngineSettings(models: [model.settings()], queueCapacity: 64), kernels: kernels)
            var events = randomEvents(25, users: 4, items: 12, seed: 9)
            for index in events.indices { events[index].weight = 0.5 + Float(index % 3) }
            check(engine, events: events, label: "\(variant)")
        }
    }

    @Test(arguments: ModelCase.all) func negativesStepOneAfterAnother(_ model: ModelCase) {
        for verified in [false, true] {
            var settings = model.settings(negatives: 5)
            settings.verifiedNegatives = verified
            let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 64))
            check(engine, events: randomEvents(30, users: 4, items: 12, seed: 11), label: "verified \(verified)")
        }
    }

    @Test(arguments: ModelCase.all.filter { $0.optimizer == .sgd }) func formulasAreTheGradientsOfTheLoss(_ model: ModelCase) {
        let engine = Engine(settings: EngineSettings(models: [model.settings()], queueCapacity: 64))
        warmUp(engine)
        for event in randomEvents(20, users: 4, items: 12, seed: 21) {
            let item = engine.item(event.item)
            let reference = ReferenceEvent(
                engine.models[0], user: engine.user(event.user), context: event.context.map { (engine.context($0), $0.weight) },
                pass: [(item, Double(event.value!))], weight: 1.5)
            let e = reference.error(score: reference.score(item), label: Double(event.value!))
            func slope(_ path: WritableKeyPath<ReferenceEvent, Double>) -> Double {
                let h = 1e-5
                var up = reference, down = reference
                up[keyPath: path] += h
                down[keyPath: path] -= h
                return (up.objective - down.objective) / (2 * h)
            }
            func near(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-6 * max(1, abs(b)) }
            let q = reference.itemGradient(item, error: e)
            #expect(near(q.w, slope(\.items[item]!.w)))
            for f in q.v.indices { #expect(near(q.v[f], slope(\.items[item]!.v[f]))) }
            for a in reference.rows.indices {
                let g = reference.queryGradient(a, errorTimesItems: reference.items[item]!.v.map { e * $0 }, errorSum: e)
                #expect(near(g.w, slope(\.rows[a].w)))
                for f in g.v.indices { #expect(near(g.v[f], slope(\.rows[a].v[f]))) }
            }
        }
    }
}
