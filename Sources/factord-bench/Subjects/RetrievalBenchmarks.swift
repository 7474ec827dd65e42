import CYardstick
import Factorization

/// The best 10 of 100,000 items for a user, exact, beside a plain scan and beside reading the same bytes.
func retrievalBenchmarks(_ plan: Plan) -> [Benchmark] {
    [32, 64].map { rank in
        Benchmark("retrieval/10 of 100,000/rank \(rank)", [Metric(name: "time", unit: "µs", isRate: false)]) {
            let items = 100_000, users = 1000
            let scorer = retrievalScorer(rank, .float32, users: users, items: items)
            let half = retrievalScorer(rank, .bfloat16, users: users, items: items)
            let workload = Workload("scan", users, items, items * 20)
            let plain = try Yardstick(workload, rank: rank, optimizer: .adagrad, loss: .logistic, negatives: 0)
            let calls = plan.isQuick ? 50 : 200
            let bytes = workload.itemCount * (rank * 4 + 16)
            let block = try Block(bytes)
            var best = [UInt32](repeating: 0, count: 10), sink: UInt64 = 0
            func each(_ body: (Int) -> Void) -> [Double] { [seconds { for call in 0..<calls { body(call) } } / Double(calls) * 1e6] }
            func recommend(_ scorer: Scorer, excludesSeen: Bool) -> [Double] {
                each { call in
                    let found = scorer.recommend(RecommendQuery(user: UInt32(call % users), excludesSeen: excludesSeen))
                    precondition(found.items.count == 10)
                }
            }
            return Prepared(
                sides: [
                    Side(name: "recommend") { recommend(scorer, excludesSeen: false) },
                    Side(name: "the same without the seen") { recommend(scorer, excludesSeen: true) },
                    Side(name: "rows of bfloat16") { recommend(half, excludesSeen: false) },
                    Side(name: "plain C scan") {
                        each { call in
                            let model = plain.model.pointee
                            yard_scan(
                                model.users + (call % users) * rank, model.items, model.item_states, workload.itemCount, rank,
                                &best, 10)
                        }
                    },
                    Side(name: "reading the bytes") { each { _ in sink &+= yard_read(block.start, bytes) } },
                ], notes: ["bytes": Double(bytes)])
        }
    }
}

/// A scorer over a catalogue of which every item was once taken.
private func retrievalScorer(_ rank: Int, _ storage: ModelSettings.Storage, users: Int, items: Int) -> Scorer {
    var model = ModelSettings(rank: rank, negatives: 0)
    model.storage = storage
    let engine = Engine(settings: EngineSettings(models: [model]))
    let batch = EventBatch(featureCapacity: 1, textCapacity: 16, messageCapacity: 1)
    for item in 0..<items {
        _ = batch.append(
            EventRecord(
                kind: .interaction, user: Key(integer: Int64(item % users), hashing: engine.hashing),
                item: Key(integer: Int64(item), hashing: engine.hashing), value: Float(item & 1)))
        if batch.recordCount == batch.recordCapacity || item == items - 1 {
            engine.learnNow(batch)
            batch.reset()
        }
    }
    return Scorer(engine: engine)
}
