import CYardstick
import Factorization

/// Training in process: the engine with ids and sequencer, and its trainers alone, beside the plain C loop. More than two
/// trainers: `scalingBenchmarks`.
func trainingBenchmarks(_ plan: Plan) -> [Benchmark] {
    var all: [Benchmark] = []
    for large in plan.isLarge ? [false, true] : [false] {
        let size = large ? "large" : "small"
        for optimizer in [ModelSettings.Optimizer.sgd, .adagrad] {
            for negatives in [0, 4] {
                for rank in plan.ranks {
                    let name = "\(size)/\(optimizer.rawValue)/\(negatives) negatives/rank \(rank)"
                    let model = trainingModel(rank, optimizer, negatives)
                    all.append(
                        Benchmark("trainer/" + name, "events/s") {
                            try prepareTrainer(model, plan, large: large)
                        })
                    if optimizer == .adagrad {
                        all.append(Benchmark("engine/" + name, "events/s") { try prepareEngine(model, plan, large: large) })
                    }
                    if negatives == 0 {
                        all.append(
                            Benchmark("two trainers/" + name, threadMetrics) { try prepareThreads(model, plan, large: large, threads: 2) })
                    }
                }
            }
        }
    }
    return all
}

/// The settings that product and yardstick share: squared loss without negatives, logistic with.
func trainingModel(_ rank: Int, _ optimizer: ModelSettings.Optimizer, _ negatives: Int) -> ModelSettings {
    let rate: Float = optimizer == .sgd ? 0.02 : 0.1
    // The loop's w0 has a constant rate; the trainer's has AdaGrad like all else, and with so small a rate would stay behind.
    let globalRate: Float = optimizer == .sgd ? 0.001 : rate
    return ModelSettings(
        rank: rank, loss: negatives > 0 ? .logistic : .squared, optimizer: optimizer,
        rates: .init(user: rate, item: rate, context: rate, weight: rate), globalRate: globalRate, negatives: negatives,
        verifiedNegatives: false)
}

/// An engine whose tables hold all ids of a workload, numbered as there.
func engine(_ model: ModelSettings, _ workload: Workload, trainers: Int, historyLength: Int) -> Engine {
    Engine(
        settings: EngineSettings(
            models: [model], otherEvents: TypeRule(label: model.loss == .logistic ? .constant(1) : .value, marksSeen: historyLength > 0),
            trainers: trainers, historyLength: historyLength, seenLimit: historyLength > 0 ? 10_000 : 0))
}

/// Batches of events with integer ids, as a decoder makes them; without values where not `valued`.
func eventBatches(_ events: ArraySlice<yard_event>, valued: Bool = true, hashing: KeyHash) -> [EventBatch] {
    var batches: [EventBatch] = [], rest = events
    while !rest.isEmpty {
        let batch = EventBatch(featureCapacity: 1, textCapacity: 16, messageCapacity: 1)
        let part = rest.prefix(batch.recordCapacity)
        rest = rest.dropFirst(part.count)
        for event in part {
            let isTaken = batch.append(
                EventRecord(
                    kind: .interaction, user: Key(integer: Int64(event.user), hashing: hashing),
                    item: Key(integer: Int64(event.item), hashing: hashing), value: valued ? event.label : nil))
            precondition(isTaken, "a batch has room for as many records as it says")
        }
        batches.append(batch)
    }
    return batches
}

/// Sequencer and trainer on one thread, ids resolved for each event, history and seen sets kept.
private func prepareEngine(_ model: ModelSettings, _ plan: Plan, large: Bool) throws -> Prepared {
    let workload = Workload.shared(large: large, quick: plan.isQuick)
    let engine = engine(model, workload, trainers: 1, historyLength: 64)
    let batches = eventBatches(workload.events[...], hashing: engine.hashing)
    let yardstick = try Yardstick(workload, model)
    let count = Double(workload.events.count)
    return Prepared(sides: [
        Side(name: "engine") { [count / seconds { for batch in batches { engine.learnNow(batch) } }] },
        Side(name: "plain C") { [count / (try seconds { _ = try yardstick.train() })] },
    ])
}

/// A trainer alone, ids resolved before, histories off. Its records lie in its queue as the loop's events lie in memory; beside it
/// the same trainer where placing them there, which in the daemon is the sequencer's work on another thread, counts too.
private func prepareTrainer(_ model: ModelSettings, _ plan: Plan, large: Bool) throws -> Prepared {
    let workload = Workload.shared(large: large, quick: plan.isQuick)
    let subject = try Trainers(model, workload, threads: 1), passes = trainingPasses(workload, threads: 1)
    let ahead = try Yardstick(workload, model), plain = try Yardstick(workload, model), count = Double(workload.events.count * passes)
    return Prepared(sides: [
        Side(name: "trainer") { [count / (try subject.secondsOfLearning(passes: passes))] },
        Side(name: "trainer, placing records too") { [count / (try seconds { _ = try subject.secondsOfLearning(passes: passes) })] },
        Side(name: "plain C") { [count / (try seconds { _ = try ahead.train(passes: passes) })] },
        Side(name: "plain C, no prefetch") { [count / (try seconds { _ = try plain.train(ahead: 0, passes: passes) })] },
        try roofline(workload, model, threads: 1),
    ])
}

/// Passes over a workload in a round: enough for the clock, and with threads for these to be started and to meet as they do all day.
func trainingPasses(_ workload: Workload, threads: Int) -> Int {
    max(1, (threads > 1 ? 16 : 1) * 1_000_000 / workload.events.count)
}
