import CKernels
import Testing

@testable import Factorization

/// w0 belongs to all trainers; each knows it by a view of its own, which lags by a batch and no more.
@Suite struct SharedBiasTests {
    /// A batch that steps w0, and whose last change waits.
    private func step(_ run: inout EventRun, _ sums: inout (bias: Double, accumulator: Double), _ dice: inout Dice) {
        let change = Float(dice.real(-0.01...0.01)), square = Float(dice.real(0...0.5))
        run.state.bias += run.state.pending.0
        run.state.pending.0 = change
        run.state.bias_accumulator += square
        sums.bias += Double(change)
        sums.accumulator += Double(square)
    }

    /// Trainers whose batches overlap in every way, here one after the other: what any of them changes reaches all.
    @Test(arguments: 0..<20)
    func whatOthersChangeMeanwhileIsNotMissed(seed: Int) {
        let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 8, optimizer: .adagrad)], trainers: 1))
        let model = engine.models[0], trainers = 5
        var dice = Dice(seed), runs = (0..<trainers).map { _ in EventRun(width: 8, isSingle: false) }
        defer { for run in runs { run.deallocate() } }
        for index in runs.indices { runs[index].restore(model) }
        let start = model.globalState
        var sums = (bias: 0.0, accumulator: 0.0)
        var under = [Int: (bias: Float, accumulator: Float, ownBias: Float, ownAccumulator: Float)]()
        for _ in 0..<4000 {
            let index = dice.below(trainers)
            guard let known = under[index] else {
                under[index] = runs[index].follow(model)
                continue
            }
            step(&runs[index], &sums, &dice)
            runs[index].handOver(to: model, since: known)
            under[index] = nil
        }
        for (index, known) in under { runs[index].handOver(to: model, since: known) }
        let end = model.globalState
        #expect(abs(Double(end.bias - start.bias) - sums.bias) < 1e-3)
        #expect(abs(Double(end.accumulator - start.accumulator) - sums.accumulator) < 1e-3 * sums.accumulator)
        for index in runs.indices {
            let known = runs[index].follow(model)
            #expect(abs(known.ownBias - end.bias) < 1e-3 && abs(known.ownAccumulator - end.accumulator) < 1e-3 * end.accumulator)
        }
    }

    /// Batch after batch as learners do it, some at once after the last and some after a pause: nothing is missed or told twice, and whoever
    /// begins after a pause knows what the others have done.
    @Test(arguments: 0..<20)
    func batchesShareWhatTheyChange(seed: Int) {
        let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 8, optimizer: .adagrad)], trainers: 1))
        let model = engine.models[0], settings = engine.trainers[0].learners[0].settings
        var dice = Dice(seed), runs = (0..<3).map { _ in EventRun(width: 8, isSingle: false) }
        defer { for run in runs { run.deallocate() } }
        for index in runs.indices { runs[index].restore(model) }
        var sums = (bias: Double(model.globalState.bias), accumulator: Double(model.globalState.accumulator)), isPaused = [true, true, true]
        for _ in 0..<3000 {
            let index = dice.below(3)
            #expect(runs[index].learn(model, settings, keepsTail: false) == 0)
            if isPaused[index] {
                #expect(abs(Double(runs[index].state.bias + runs[index].state.pending.0) - sums.bias) < 1e-3)
                #expect(abs(Double(runs[index].state.bias_accumulator) - sums.accumulator) < 1e-3 * (1 + sums.accumulator))
            }
            step(&runs[index], &sums, &dice)
            runs[index].share(with: model, goesOn: dice.below(2) == 0)
            isPaused[index] = dice.below(3) == 0
            if isPaused[index] { runs[index].pause() }
            #expect(abs(Double(model.globalState.bias) - sums.bias) < 1e-3)
        }
        #expect(abs(Double(model.globalState.accumulator) - sums.accumulator) < 1e-3 * sums.accumulator)
    }
}
