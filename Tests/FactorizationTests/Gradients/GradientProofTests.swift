import Testing

@testable import Factorization

/// Every kind, loss and regulariser: the gradient in closed form against differences of the loss, and the product's step in
/// single precision against the gradient in closed form.
@Suite struct GradientProofTests {
    private func settings(_ kind: KindCase, _ regularizer: Regularizer, history: Int) -> ModelSettings {
        var settings = kind.settings(.sgd, history: history, negatives: kind.loss.isPairwise ? 1 : 0)
        // Large rates: what the step loses by rounding is then small beside it, and sgd is linear in the rate.
        settings.rates = .init(user: 0.5, item: 0.6, context: 0.7, weight: 0.3, history: 0.4)
        settings.globalRate = 0.2
        regularizer.apply(to: &settings)
        return settings
    }

    private func sides(_ kind: KindCase) -> [(history: Int, context: Int)] { [(0, 0), (4, 3)] }

    /// Every number that an event's loss depends on, by block, beside its analytic slope.
    private func blocks(_ event: DefinedEvent, _ g: EventGradient) -> [(name: String, paths: [WritableKeyPath<DefinedEvent, Double>], slopes: [Double])] {
        var out: [(String, [WritableKeyPath<DefinedEvent, Double>], [Double])] = [("bias", [\.bias], [g.bias])]
        for a in event.rows.indices {
            out.append(("\(event.groups[a]) row \(a)", event.rows[a].v.indices.map { \DefinedEvent.rows[a].v[$0] }, g.rows[a].v))
            out.append(("\(event.groups[a]) weight \(a)", [\DefinedEvent.rows[a].w], [g.rows[a].w]))
        }
        for (item, row) in event.items {
            out.append(("item \(item)", row.v.indices.map { \DefinedEvent.items[item]!.v[$0] }, g.items[item]!.v))
            out.append(("item weight \(item)", [\DefinedEvent.items[item]!.w], [g.items[item]!.w]))
        }
        for b in event.parameters.indices {
            out.append(("parameters \(b)", event.parameters[b].v.indices.map { \DefinedEvent.parameters[b].v[$0] }, g.parameters[b]))
        }
        return out
    }

    private func norm(_ values: [Double]) -> Double { dot(values, values).squareRoot() }

    @Test(arguments: KindCase.all) func closedFormIsTheSlopeOfTheLoss(_ kind: KindCase) {
        for regularizer in Regularizer.allCases {
            for (history, context) in sides(kind) {
                let engine = Engine.scattered(settings(kind, regularizer, history: history), seed: 3)
                var proved = 0
                for event in proofEvents(4, context: context, seed: 5) {
                    defer { engine.learn([event]) }
                    guard let proof = engine.foresee(event) else { continue }
                    func objective(_ event: DefinedEvent) -> Double { proof.weight * event.loss(proof.unit) + regularizer.penalty(event) }
                    var gradient = EventGradient(proof.before, proof.unit, weight: proof.weight)
                    regularizer.add(proof.before, to: &gradient)
                    for (name, paths, slopes) in blocks(proof.before, gradient) {
                        let differences = paths.map { path in
                            var up = proof.before, down = proof.before
                            up[keyPath: path] += 1e-5
                            down[keyPath: path] -= 1e-5
                            return (objective(up) - objective(down)) / 2e-5
                        }
                        // The differences themselves carry about 1e-11 of the loss.
                        let error = norm(zip(slopes, differences).map { $0 - $1 }), size = norm(slopes)
                        #expect(error <= 1e-6 * size + 1e-10, "\(regularizer), history \(history), \(name): \(error) of \(size)")
                    }
                    proved += 1
                }
                #expect(proved > 0)
            }
        }
    }

    @Test(arguments: KindCase.all) func floatStepsAreTheClosedForm(_ kind: KindCase) {
        for kernels in Kernels.Variant.allCases.compactMap({ Kernels($0) }) {
            for regularizer in Regularizer.allCases {
                for (history, context) in sides(kind) {
                    let engine = Engine.scattered(settings(kind, regularizer, history: history), kernels, seed: 4)
                    var proved = 0
                    for (index, event) in proofEvents(6, context: context, seed: 6).enumerated() {
                        engine.scatter(seed: 40 + index)
                        let foreseen = engine.foresee(event)
                        engine.learn([event])
                        guard let proof = foreseen else { continue }
                        check(engine, proof, regularizer, "\(kernels.variant), \(regularizer), history \(history)")
                        proved += 1
                    }
                    #expect(proved > 0)
                }
            }
        }
    }

    private func check(_ engine: Engine, _ proof: ProofEvent, _ regularizer: Regularizer, _ what: String) {
        let settings = engine.models[0].settings, after = proof.after(engine), before = proof.before
        var gradient = EventGradient(before, proof.unit, weight: proof.weight)
        regularizer.add(before, to: &gradient)
        let hasSlopedWeights = engine.models[0].layout.hasWeights && settings.steps.ftrl == nil
        func expect(_ name: String, _ old: [Double], _ new: [Double], rate: Float, _ want: [Double]) {
            let got = zip(old, new).map { ($0 - $1) / Double(rate) }
            // A value near 1 is kept to 6e-8, which the rate magnifies.
            let rounding = 1e-7 * (norm(old) + 0.1) / Double(rate)
            let error = norm(zip(got, want).map { $0 - $1 })
            #expect(error <= 1e-4 * norm(want) + rounding, "\(what), \(name): \(error) of \(norm(want))")
        }
        expect("bias", [before.bias], [after.bias], rate: settings.globalRate, [gradient.bias])
        for a in before.rows.indices {
            let group = before.groups[a], name = "\(group) row \(a)"
            expect(name, before.rows[a].v, after.rows[a].v, rate: settings.rates.of(group), gradient.rows[a].v)
            guard hasSlopedWeights && group != .history else { continue }
            expect(name + " weight", [before.rows[a].w], [after.rows[a].w], rate: settings.rates.weight, [gradient.rows[a].w])
        }
        for (item, row) in before.items {
            expect("item \(item)", row.v, after.items[item]!.v, rate: settings.rates.item, gradient.items[item]!.v)
            guard hasSlopedWeights else { continue }
            expect("item weight \(item)", [row.w], [after.items[item]!.w], rate: settings.rates.weight, [gradient.items[item]!.w])
        }
        for b in before.parameters.indices {
            expect("parameters \(b)", before.parameters[b].v, after.parameters[b].v, rate: settings.globalRate, gradient.parameters[b])
        }
    }
}
