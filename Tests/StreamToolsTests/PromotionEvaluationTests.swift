import Factorization
import Testing

@testable import StreamTools

/// Few seeds of what `factorctl evaluate promotion` does with many.
@Suite("Evaluation: promotion")
struct PromotionEvaluationTests {
    private let settings = EngineSettings(models: [ModelSettings(rank: 8, negatives: 4)])
    private let evaluation = PromotionEvaluation(SimulationSettings(users: 200, items: 300, topics: 6), events: 6000)

    @Test("A better model is promoted")
    func better() throws {
        let result = try evaluation.run(.better, settings, seeds: 1..<7)
        #expect(result.seeds == 6 && result.promotedAfter.count == 6 && result.difference > 0, "\(result)")
        #expect(result.promotedAfter.allSatisfy { $0 >= 1000 })
    }

    @Test("A model that is broken, or no better, is not", arguments: PromotionEvaluation.Challenger.allCases.filter { $0 != .better })
    func notBetter(_ challenger: PromotionEvaluation.Challenger) throws {
        let result = try evaluation.run(challenger, settings, seeds: 1..<7)
        #expect(result.seeds == 6 && result.promotedAfter.isEmpty, "\(result)")
        if challenger != .alike { #expect(result.difference < 0, "\(result)") }
    }
}
