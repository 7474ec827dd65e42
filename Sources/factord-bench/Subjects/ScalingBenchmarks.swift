import Factorization

/// What several threads are measured by.
let threadMetrics = [Metric(name: "rate", unit: "events/s"), Metric(name: "loss", unit: "per event", isRate: false)]

/// How learning grows with threads: trainers and the plain loop at each number of them, over workloads in and out of cache.
func scalingBenchmarks(_ plan: Plan) -> [Benchmark] {
    var all: [Benchmark] = []
    for large in [false, true] {
        for optimizer in [ModelSettings.Optimizer.sgd, .adagrad] {
            for negatives in [0, 4] {
                for rank in plan.ranks {
                    let model = trainingModel(rank, optimizer, negatives)
                    let name = "scaling/\(large ? "large" : "small")/\(optimizer.rawValue)/\(negatives) negatives/rank \(rank)"
                    for threads in plan.threads {
                        all.append(
                            Benchmark("\(name)/\(threads) \(threads == 1 ? "thread" : "threads")", threadMetrics) {
                                try prepareThreads(model, plan, large: large, threads: threads)
                            })
                    }
                }
            }
        }
    }
    return all
}

/// Trainers that divide users among them, beside as many threads of the plain loop and beside one trainer.
///
/// The loss of a round is that of its events, each scored before it is learned; all sides have learned the same events as
/// often. The plain loop tells its loss where it is squared.
func prepareThreads(_ model: ModelSettings, _ plan: Plan, large: Bool, threads: Int) throws -> Prepared {
    let workload = Workload.shared(large: large, quick: plan.isQuick), passes = trainingPasses(workload, threads: threads)
    let count = Double(workload.events.count * passes)
    func trainers(_ threads: Int) throws -> Side {
        let trainers = try Trainers(model, workload, threads: threads)
        return Side(name: threads == 1 ? "1 trainer" : "\(threads) trainers") {
            let before = trainers.lossSum, time = try trainers.secondsOfLearning(passes: passes)
            return [count / time, (trainers.lossSum - before) / count]
        }
    }
    func plain(_ name: String, privateItems: Bool = false) throws -> Side {
        let loop = try Yardstick(workload, model)
        return Side(name: name) {
            var squares = 0.0
            let time = try seconds { squares = try loop.train(threads: threads, passes: passes, privateItems: privateItems) }
            return [count / time, model.loss == .squared && !privateItems ? squares : .nan]
        }
    }
    var sides = [try trainers(threads), try plain("plain C, \(threads) \(threads == 1 ? "thread" : "threads")")]
    if threads > 1 { sides += [try plain("the same, private items", privateItems: true), try trainers(1)] }
    var roof = try roofline(workload, model, threads: threads)
    let sweep = roof.measure
    roof.measure = { try sweep() + [.nan] }
    return Prepared(sides: sides + [roof])
}
