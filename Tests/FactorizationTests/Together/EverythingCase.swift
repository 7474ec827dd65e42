import Testing

@testable import Factorization

/// A model with every option on that its kind allows.
struct EverythingCase: CustomStringConvertible, Sendable {
    var kind: KindCase
    var optimizer: ModelSettings.Optimizer
    /// Weights by ftrl, and no factors where they are zero.
    var isSparse = false
    var unobserved = ModelSettings.Unobserved.sampled
    var description: String { "\(kind) \(optimizer.rawValue) \(unobserved)\(isSparse ? " sparse" : "")" }

    static let all = [
        EverythingCase(kind: KindCase(kind: .mf), optimizer: .sgd, isSparse: true),
        EverythingCase(kind: KindCase(kind: .mf), optimizer: .sgd),
        EverythingCase(kind: KindCase(kind: .mf), optimizer: .sgd, unobserved: .regularized),
        EverythingCase(kind: KindCase(kind: .mf, loss: .warp), optimizer: .adagrad, isSparse: true),
        EverythingCase(kind: KindCase(kind: .fm), optimizer: .adagrad, isSparse: true),
        EverythingCase(kind: KindCase(kind: .gfm, loss: .squared), optimizer: .adagradCoordinate),
        EverythingCase(kind: KindCase(kind: .bilinear, symmetric: true, loss: .bpr), optimizer: .sgd),
        EverythingCase(kind: KindCase(kind: .hofm), optimizer: .adagradCoordinate, isSparse: true),
        EverythingCase(kind: KindCase(kind: .ffm), optimizer: .adagradCoordinate, isSparse: true),
        EverythingCase(kind: KindCase(kind: .ffm, loss: .bpr), optimizer: .sgd, isSparse: true),
    ]

    var folds: Bool { kind.kind == .mf && optimizer == .sgd && !kind.loss.isPairwise }

    func model(name: String = "main") -> ModelSettings {
        var model = kind.settings(optimizer, negatives: unobserved == .sampled ? 3 : 0)
        model.name = name
        model.verifiedNegatives = true
        model.popularityExponent = 0.7
        model.unobserved = unobserved
        model.interaction = .init(user: 2, item: 1)
        model.halfLife = 600
        model.steps = .init(horizon: optimizer == .sgd ? 500 : 0, halfLife: optimizer == .sgd ? 0 : 300)
        if isSparse { model.steps.ftrl = .init(alpha: 0.2, l1: 1.5, l2: 0.01, sparseFactors: true) }
        if folds { model.refolding = .init(after: 60, items: 6, rate: 0.1, isLasting: true) }
        return model
    }

    static func settings(_ models: [ModelSettings], trainers: Int = 1) -> EngineSettings {
        var settings = EngineSettings(models: models, trainers: trainers, queueCapacity: 64, historyLength: 10, seenLimit: 30)
        settings.popularityHalfLife = 1000
        settings.replayCapacity = 640
        settings.historyBudget = 12 << 10
        return settings
    }

    func engine(trainers: Int = 1) -> Engine { Engine(settings: Self.settings([model()], trainers: trainers)) }

    /// A stream with every kind of record. More than the 1024 positions after which negatives come from tables.
    static let steps: [@Sendable (BatchBuilder) -> Void] = {
        var dice = Dice(17)
        let events = randomEvents(1500, users: 60, items: 80, context: 2, values: 0.2...1, seed: 21)
        var steps: [@Sendable (BatchBuilder) -> Void] = []
        for event in events {
            steps.append { $0.append(event) }
            let user = Int64(dice.below(70)), item = Int64(dice.below(90))
            let attributes = (0..<1 + dice.below(3)).map {
                TestFeature(field: "a\($0)", value: Int64(dice.below(5)), weight: Float(dice.real(0.4...1.2)))
            }
            switch dice.below(60) {
            case 0, 1, 2: steps.append { $0.append(attributes: attributes, item: item) }
            case 3: steps.append { $0.append(attributes: attributes, user: user) }
            case 4: steps.append { $0.append(.undo, user: event.user, item: event.item) }
            case 5: steps.append { $0.append(item % 4 == 0 ? .forgetUser : .hideItem, user: user, item: item) }
            default: break
            }
        }
        return steps
    }()

    /// Events that weigh nothing: fading, the regulariser and replay go on.
    static let quiet: [@Sendable (BatchBuilder) -> Void] = randomEvents(800, users: 60, items: 80, context: 0, seed: 5).map { event in
        var event = event
        event.weight = InteractionCase.nothing
        return { [event] in $0.append(event) }
    }

    static func learn(_ engine: Engine, _ steps: ArraySlice<@Sendable (BatchBuilder) -> Void>, cut: Int = 500) {
        for start in stride(from: steps.startIndex, to: steps.endIndex, by: cut) {
            let builder = BatchBuilder(engine, records: cut)
            for step in steps[start..<min(start + cut, steps.endIndex)] { step(builder) }
            engine.learnNow(builder.batch)
        }
    }
}
