import Factorization
import StreamTools
import Testing

/// Cold start, drift and poison, on small generated streams.
@Suite("Evaluation under stress")
struct StressEvaluationTests {
    /// Users like one of five kinds of items; which one is a function of the user's id.
    private func stream() -> (file: InteractionFile, genres: SideFeatures) {
        var random = RandomSource(seed: 5)
        var pairs: [(user: Int64, item: Int64)] = []
        for _ in 0..<20_000 {
            let user = Int64(random.below(200))
            pairs.append((user, Int64(random.below(100)) * 5 + user % 5))
        }
        var genres: [EventID: [ContextPair]] = [:]
        for item in 0..<500 { genres[.integer(Int64(item))] = [ContextPair(field: "genre", value: .integer(Int64(item % 5)))] }
        return (InteractionFile(pairs: pairs), SideFeatures(.item, features: genres))
    }

    @Test("Attributes rank an item before anybody has touched it; without them nothing does")
    func coldStart() {
        let (file, genres) = stream()
        let coldStart = ColdStart(file)
        #expect(coldStart.hidden.count == 50)
        let engine = EngineSettings(models: [ModelSettings(rank: 8, negatives: 4)])
        let without = coldStart.run(engine, attributes: nil)[0], with = coldStart.run(engine, attributes: genres)[0]
        #expect(without.atFirst.cases == 50 && without.early.cases > 250 && without.known.cases > 250, "\(without)")
        #expect(with.atFirst.value > without.atFirst.value + 0.3, "\(with) \(without)")
        #expect(with.known.value > 0.4, "\(with)")
    }

    @Test("A change of tastes is seen in the lists and found again; a steady stream shows neither")
    func drift() throws {
        let simulation = SimulationSettings(users: 100, items: 100, drift: .flip, driftAt: 25_000)
        let engine = EngineSettings(models: [ModelSettings(rank: 8, optimizer: .sgd, negatives: 4, verifiedNegatives: false)])
        let result = try DriftEvaluation(simulation, events: 60_000, every: 1000, users: 50, share: 0.8).run(engine)[0]
        #expect(result.before > 0.1 && result.lowest < 0.8 * result.before, "\(result)")
        #expect(try #require(result.regainedAfter) > 1000 && result.last > 0.8 * result.before, "\(result)")
        #expect(result.ideal >= result.last && result.earlyAlarms == 0 && result.steadyAlarms == 0, "\(result)")
        #expect(try #require(result.alarmAfter) < 20_000, "\(result)")
        var steady = simulation
        steady.drift = nil
        let calm = try DriftEvaluation(steady, events: 30_000, every: 4000, users: 50).run(engine)[0]
        #expect(calm.alarmAfter == nil && calm.regainedAfter == nil && calm.earlyAlarms == 0, "\(calm)")
    }

    @Test("Poison leaves no value that is not finite, and the quality where it was", arguments: ModelSettings.Kind.allCases)
    func poison(kind: ModelSettings.Kind) throws {
        let simulation = SimulationSettings(users: 100, items: 100, feedback: .ratings)
        let engine = EngineSettings(
            models: [ModelSettings(kind: kind, rank: 4, loss: .squared, negatives: 0, deviation: 0.1)])
        let result = try PoisonEvaluation(simulation, events: 15_000, share: 0.02, users: 30).run(engine)[0]
        #expect(result.messages > 200 && result.refused > result.messages / 2, "\(result)")
        #expect(result.nonFinite == 0, "\(result)")
        #expect(try #require(result.clean.error) < 1, "\(result)")
        #expect(result.loss < 0.1, "\(result)")
    }

    @Test("The scan finds a value that is not finite")
    func scan() {
        var settings = ModelSettings(rank: 4, loss: .squared, negatives: 0)
        #expect(Engine(settings: EngineSettings(models: [settings])).nonFiniteValues() == 0)
        settings.deviation = .infinity
        let engine = Engine(settings: EngineSettings(models: [settings]))
        OfflineFeed(engine, messageSize: 1).append(DatasetEvent(user: .integer(1), item: .integer(2), value: 3))
        #expect(engine.nonFiniteValues() > 0)
    }
}
