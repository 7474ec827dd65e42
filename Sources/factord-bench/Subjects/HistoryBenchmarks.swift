import CKernels
import CYardstick
import Factorization

/// The default model in process, beside a plain C loop with the same rows in each event: the user's, those of the newest items of the
/// user's history, and those of the item and its negatives. The loop neither asks what users have seen nor keeps what they have.
func historyBenchmarks(_ plan: Plan) -> [Benchmark] {
    var all: [Benchmark] = []
    for large in plan.isLarge ? [false, true] : [false] {
        for rank in plan.ranks where rank >= 16 {
            all.append(
                Benchmark("history/\(large ? "large" : "small")/rank \(rank)", "events/s") {
                    let workload = Workload.shared(large: large, quick: plan.isQuick), model = defaultModel(rank)
                    let subject = try Trainers(model, workload, threads: 1, historyLength: 100)
                    let ahead = try HistoryYardstick(workload, model), plain = try HistoryYardstick(workload, model)
                    // The subject has learned the workload once, to know its ids and histories.
                    _ = (try ahead.train(), try plain.train())
                    let count = Double(workload.events.count)
                    return Prepared(sides: [
                        Side(name: "trainer") { [count / (try subject.secondsOfLearning(passes: 1))] },
                        Side(name: "plain C") { [count / (try seconds { _ = try ahead.train() })] },
                        Side(name: "plain C, no prefetch") { [count / (try seconds { _ = try plain.train(ahead: 0) })] },
                    ])
                })
        }
    }
    return all
}

/// The daemon's default but for its size.
func defaultModel(_ rank: Int) -> ModelSettings {
    ModelSettings(
        rank: rank, optimizer: .sgd, rates: .init(user: 0.07, item: 0.07, context: 0.07, weight: 0.105, history: 0.07), negatives: 8,
        history: .init(length: 20))
}

/// The plain C loop with histories, over a workload.
private final class HistoryYardstick {
    private let base: Yardstick
    private var history: yard_history
    /// Events ahead at which the loop asks for rows of histories: the best of 1, 2, 3 and 4 where this was written.
    private static let ahead = 2

    init(_ workload: Workload, _ model: ModelSettings) throws {
        base = try Yardstick(workload, model)
        base.model.pointee.rate = model.rates.item
        base.model.pointee.weight_rate = model.rates.weight
        func room<T>(_ count: Int, of type: T.Type) throws -> UnsafeMutablePointer<T> {
            guard let memory = yard_allocate(count * MemoryLayout<T>.stride) else { throw BenchmarkError("no memory for \(count) histories") }
            return memory.bindMemory(to: type, capacity: count)
        }
        let slots = 32, rank = model.rank
        history = yard_history(
            rows: try room(workload.itemCount * rank, of: Float.self), states: try room(workload.itemCount, of: yard_state.self),
            newest: try room(workload.userCount * slots, of: UInt32.self), written: try room(workload.userCount, of: UInt32.self),
            slots: slots, length: model.history.length, rate: model.rates.history)
        for row in 0..<workload.itemCount {
            fk_first_factors(history.rows + row * rank, rank, rank, mix64(UInt64(row) + 1 << 40), 0.1 / Float(rank).squareRoot())
        }
    }

    deinit {
        yard_free(history.rows)
        yard_free(history.states)
        yard_free(history.newest)
        yard_free(history.written)
    }

    /// One pass; answers the mean squared error.
    func train(ahead: Int = HistoryYardstick.ahead) throws -> Double {
        let events = base.workload.events
        let squares = events.withUnsafeBufferPointer { yard_train_history(base.model, &history, $0.baseAddress, $0.count, ahead) }
        guard squares.isFinite, squares >= 0 else { throw BenchmarkError("the plain C loop did not stay finite") }
        return squares / Double(events.count * (1 + Int(base.model.pointee.negatives)))
    }
}
