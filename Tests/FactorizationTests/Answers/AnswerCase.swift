import Testing

@testable import Factorization

/// Small engines that have learned a little, with attributes, context and history, for tests of answers.
struct AnswerCase: CustomStringConvertible, Sendable {
    var kind: KindCase
    var history = 4
    var isDescribed = true
    var unobserved = ModelSettings.Unobserved.sampled
    var storage = ModelSettings.Storage.float32
    var halfLife: UInt64 = 0
    var description: String {
        "\(kind) history \(history)\(isDescribed ? " described" : "") \(unobserved)\(storage == .bfloat16 ? " bfloat16" : "")\(halfLife > 0 ? " fading" : "")"
    }

    /// Every kind plain and with all; the form without negatives; other storage; rows that fade.
    static let all = KindCase.kinds.flatMap { kind in
        [
            AnswerCase(kind: kind), AnswerCase(kind: kind, history: 0, isDescribed: false), AnswerCase(kind: kind, storage: .bfloat16),
            AnswerCase(kind: kind, halfLife: 5000),
        ]
    } + [
        AnswerCase(kind: KindCase(kind: .mf), unobserved: .regularized),
        AnswerCase(kind: KindCase(kind: .mf), history: 0, isDescribed: false, unobserved: .regularized),
    ]

    func settings(_ optimizer: ModelSettings.Optimizer = .sgd, negatives: Int = 3) -> ModelSettings {
        var settings = kind.settings(optimizer, history: history, negatives: unobserved == .sampled ? negatives : 0)
        settings.unobserved = unobserved
        if unobserved == .regularized { settings.interaction = .init(user: 2, item: 1) }
        settings.storage = storage
        settings.halfLife = halfLife
        return settings
    }

    func engine(_ settings: ModelSettings? = nil) -> Engine {
        let engine = Engine(settings: EngineSettings(models: [settings ?? self.settings()], queueCapacity: 64, historyLength: 8))
        func feature(_ field: String, _ value: Int64, _ weight: Float) -> TestFeature { TestFeature(field: field, value: value, weight: weight) }
        if isDescribed {
            for item in 0..<12 as Range<Int64> where item % 3 > 0 {
                engine.describe(item: item, [feature("genre", item % 2, 1), feature("tag", item % 4, 0.8), feature("length", 0, Float(item) / 8 - 0.6)])
            }
            for user in [0, 2] as [Int64] { engine.describe(user: user, [feature("club", user, 1), feature("age", 0, 0.6 + Float(user) / 4)]) }
        }
        engine.learn(
            (0..<80).map { (n: Int64) in
                let context = (0..<3).map { TestFeature(field: "f\($0)", value: (n >> (2 * $0)) % 4, weight: 0.7) }
                return TestEvent(user: n % 5, item: n * 7 % 12, value: Float(1 + n % 3) / 2, context: n % 3 == 0 ? [] : context)
            })
        return engine
    }

    /// Some context that the engine knows.
    static func context(_ engine: Engine) -> [(ordinal: UInt32, weight: Float)] {
        [(engine.context(TestFeature(field: "f0", value: 1)), 0.7), (engine.context(TestFeature(field: "f2", value: 0)), -0.4)]
    }
}
