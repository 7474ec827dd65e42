import CKernels
import Foundation

@testable import Factorization

/// One event whose samples are known before it is learned.
struct ProofEvent {
    var event: TestEvent
    var before: DefinedEvent
    var unit: DefinedEvent.Unit
    var context: [(ordinal: UInt32, weight: Float, name: String)]
    var history: [UInt32]
    var weight: Double { Double(event.weight) }

    /// The same rows as the product has left them.
    func after(_ engine: Engine) -> DefinedEvent {
        DefinedEvent(engine, user: engine.user(event.user), context: context, items: unit.items, history: history)
    }
}

extension Engine {
    /// An engine with every id admitted and every row away from its first values: factors, weights and the optimiser's state
    /// are drawn at random.
    static func scattered(_ settings: ModelSettings, _ kernels: Kernels = .best, seed: Int = 1) -> Engine {
        let engine = Engine(settings: EngineSettings(models: [settings], queueCapacity: 64, historyLength: 8), kernels: kernels)
        engine.learn(
            (0..<64).map { (n: Int64) in
                let context = (0..<3).map { TestFeature(field: "f\($0)", value: (n >> (2 * $0)) % 4) }
                return TestEvent(user: n % 4, item: n / 4 % 12, value: 1, weight: 0.1, context: n % 3 == 0 ? [] : context)
            })
        engine.scatter(seed: seed)
        return engine
    }

    func scatter(seed: Int) {
        let model = models[0]
        var dice = Dice(seed)
        func positive() -> Float { Float(dice.real(0.1...2)) }
        for (name, side, table) in model.groups {
            for ordinal in 0..<UInt32(rowCount(side)) {
                for f in 0..<table.rank {
                    table.factors(ordinal)[f] = Float(dice.real(-0.8...0.8))
                    if let accumulators = table.accumulators(ordinal) { accumulators[f] = positive() }
                }
                let hasWeight = model.layout.hasWeights && name != "histories"
                let weight: Float = hasWeight ? Float(dice.real(-0.5...0.5)) : 0
                table.state(ordinal).pointee = fk_row_state(
                    weight: weight, weight_accumulator: positive(), factor_accumulator: positive(), updates: UInt32(dice.below(9)))
                table.linear(ordinal).z?.pointee = Float(dice.real(-4...4))
            }
        }
        if let parameters = model.parameters {
            for (index, block) in parameters.blocks.enumerated() {
                let width = KindLayout.padded(model.settings.rank)
                for f in 0..<block.count where f % width < model.settings.rank {
                    parameters.floats(index)[f] = Float(dice.real(-0.8...0.8))
                    parameters.accumulators(index)[f] = positive()
                }
                parameters.state(index).pointee = fk_row_state(
                    weight: 0, weight_accumulator: 0, factor_accumulator: positive(), updates: UInt32(dice.below(9)))
            }
        }
        model.restoreGlobalState(bias: Float(dice.real()), accumulator: positive(), updates: 5)
    }

    /// What the next event will meet: the item alone, or against its one sampled negative. Nil where a draw gives no pair, or
    /// where warp's hinge is at its kink or at rest.
    func foresee(_ event: TestEvent) -> ProofEvent? {
        let settings = models[0].settings, item = item(event.item), user = user(event.user)
        let context = event.context.map { (ordinal: self.context($0), weight: $0.weight, name: $0.field) }
        var unit = DefinedEvent.Unit.item(item, label: Double(event.value!))
        if settings.loss.isPairwise {
            let word = mix64(mix64(settings.seed ^ (sequencer.lastPosition + 1))) >> 32
            let drawn = UInt32((word * UInt64(items.count)) >> 32), others = Double(items.count - 1)
            if drawn == item { return nil }
            unit = .pair(item, drawn, weight: settings.loss == .warp ? log(1 + others) / log(1 + others) : 1)
        }
        let history = DefinedEvent.history(self, user: user)
        let before = DefinedEvent(self, user: user, context: context, items: unit.items, history: history)
        if settings.loss == .warp, before.score(item) - before.score(unit.items[1]) > 1 - 1e-3 { return nil }
        return ProofEvent(event: event, before: before, unit: unit, context: context, history: history)
    }
}

/// Events for the proofs, up to eight: items that no user has among its newest, so that a row stands once in a side.
func proofEvents(_ count: Int, context: Int, seed: Int) -> [TestEvent] {
    var events = randomEvents(count, users: 4, items: 12, context: context, values: 0.2...1, seed: seed)
    for index in events.indices {
        events[index].weight = 0.5 + Float(index % 3)
        events[index].item = Int64(4 + (index + seed) % 8)
    }
    return events
}
