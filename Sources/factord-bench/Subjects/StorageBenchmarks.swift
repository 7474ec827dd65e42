import Factorization

/// Factors in two bytes beside factors in four: learning with and without history, everything else as in the daemon's default.
func storageBenchmarks(_ plan: Plan) -> [Benchmark] {
    plan.ranks.filter { $0 >= 16 }.flatMap { rank in
        [0, 20].map { history in
            Benchmark("storage/\(history > 0 ? "history/" : "")rank \(rank)", "events/s") {
                let workload = Workload.shared(large: plan.isLarge, quick: plan.isQuick)
                let count = Double(workload.events.count)
                func learning(_ storage: ModelSettings.Storage) -> (Engine, Side) {
                    var model = defaultModel(rank)
                    model.history = .init(length: history)
                    model.storage = storage
                    let engine = Engine(settings: EngineSettings(models: [model], otherEvents: TypeRule(label: .constant(1), marksSeen: true)))
                    let batches = eventBatches(workload.events[...], valued: false, hashing: engine.hashing)
                    return (engine, Side(name: storage.rawValue) { [count / seconds { for batch in batches { engine.learnNow(batch) } }] })
                }
                let (half, subject) = learning(.bfloat16), (whole, baseline) = learning(.float32)
                for batch in eventBatches(workload.events[...], valued: false, hashing: half.hashing) { half.learnNow(batch) }
                for batch in eventBatches(workload.events[...], valued: false, hashing: whole.hashing) { whole.learnNow(batch) }
                func rowBytes(_ engine: Engine) -> Double {
                    Double(engine.tables.reduce(0) { $0 + $1.rowBytes }) / Double(engine.tables.reduce(0) { $0 + $1.ids })
                }
                return Prepared(sides: [subject, baseline], notes: ["bytes a row": rowBytes(half), "bytes a row, float32": rowBytes(whole)])
            }
        }
    }
}
