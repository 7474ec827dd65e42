import CYardstick
import Factorization
import LinuxSystem

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
    return ModelSettings(
        rank: rank, loss: negatives > 0 ? .logistic : .squared, optimizer: optimizer,
        rates: .init(user: rate, item: rate, context: rate, weight: rate), globalRate: 0.001, negatives: negatives,
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
        let part = rest.prefix(4096)
        rest = rest.dropFirst(4096)
        let batch = EventBatch(featureCapacity: 1, textCapacity: 16, messageCapacity: 1)
        for event in part {
            _ = batch.append(
                EventRecord(
                    kind: .interaction, user: Key(integer: Int64(event.user), hashing: hashing),
                    item: Key(integer: Int64(event.item), hashing: hashing), value: valued ? event.label : nil))
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
        Side(name: "trainer") { [count / subject.secondsOfLearning(passes: passes)] },
        Side(name: "trainer, placing records too") { [count / (try seconds { try subject.learn(passes: passes) })] },
        Side(name: "plain C") { [count / (try seconds { _ = try ahead.train(passes: passes) })] },
        Side(name: "plain C, no prefetch") { [count / (try seconds { _ = try plain.train(ahead: 0, passes: passes) })] },
        try roofline(workload, model, threads: 1),
    ])
}

/// Passes over a workload in a round: enough for the clock, and for threads to be started.
func trainingPasses(_ workload: Workload, threads: Int) -> Int { max(1, threads * 1_000_000 / workload.events.count) }

/// The trainers of an engine whose tables hold all ids of a workload, without the sequencer: ids are resolved, and divided
/// among trainers, beforehand.
final class Trainers {
    private let engine: Engine
    private let shares: [[ResolvedInteraction]]

    init(_ model: ModelSettings, _ workload: Workload, threads: Int) throws {
        let engine = factord_bench.engine(model, workload, trainers: threads, historyLength: 0)
        for batch in eventBatches(workload.events[...], hashing: engine.hashing) { engine.learnNow(batch) }
        precondition(engine.users.count == workload.userCount && engine.items.count == workload.itemCount)
        var parts = [[ResolvedInteraction]](repeating: [], count: threads)
        for event in workload.events {
            parts[Placement.shard(event.user) % threads].append(
                ResolvedInteraction(user: event.user, item: event.item, value: event.label))
        }
        self.engine = engine
        shares = parts
    }

    /// Some passes, each trainer over its own events.
    func learn(passes: Int) throws {
        let engine = engine, shares = shares
        let helpers = try (1..<shares.count).map { number in
            try SystemThread(name: "trainer \(number)") {
                shares[number].withUnsafeBufferPointer { for _ in 0..<passes { engine.apply($0, trainer: number) } }
            }
        }
        shares[0].withUnsafeBufferPointer { for _ in 0..<passes { engine.apply($0, trainer: 0) } }
        for helper in helpers { helper.join() }
    }

    /// Some passes of the first trainer over its events; answers the seconds in which it learned, without those in which records were
    /// placed in its queue.
    func secondsOfLearning(passes: Int) -> Double {
        var learning = 0.0
        shares[0].withUnsafeBufferPointer { share in
            for _ in 0..<passes {
                var rest = share[...]
                while !rest.isEmpty {
                    rest = rest.dropFirst(engine.place(rest, trainer: 0))
                    learning += seconds { _ = engine.trainers[0].drain() }
                }
            }
        }
        return learning
    }

    /// The sum of losses so far, each event scored before it was learned.
    var lossSum: Double {
        let report = engine.prequential(0)
        let mean = report.metric == "rmse" ? report.value * report.value : report.value
        return mean * Double(report.events)
    }
}
