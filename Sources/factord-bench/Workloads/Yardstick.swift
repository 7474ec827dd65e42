import CKernels
import CYardstick
import Factorization

/// The plain C model over a workload, with the product's settings.
final class Yardstick {
    let model: UnsafeMutablePointer<yard_model>
    let workload: Workload
    /// Events ahead at which the loop asks for rows.
    static let ahead = 12

    init(_ workload: Workload, rank: Int, optimizer: ModelSettings.Optimizer, loss: ModelSettings.Loss, negatives: Int) throws {
        self.workload = workload
        let settings = ModelSettings()
        model = .allocate(capacity: 1)
        func rows(_ count: Int) throws -> UnsafeMutablePointer<Float> {
            guard let memory = yard_allocate(count * rank * 4) else { throw BenchmarkError("no memory for \(count) rows") }
            let rows = memory.assumingMemoryBound(to: Float.self)
            for row in 0..<count {
                fk_first_factors(rows + row * rank, rank, rank, mix64(UInt64(row)), 0.1 / Float(rank).squareRoot())
            }
            return rows
        }
        func states(_ count: Int) throws -> UnsafeMutablePointer<yard_state> {
            guard let memory = yard_allocate(count * 16) else { throw BenchmarkError("no memory for \(count) states") }
            return memory.assumingMemoryBound(to: yard_state.self)
        }
        model.initialize(
            to: yard_model(
                users: try rows(workload.userCount), items: try rows(workload.itemCount),
                user_states: try states(workload.userCount), item_states: try states(workload.itemCount), rank: rank,
                item_count: workload.itemCount, bias: 0, rate: optimizer == .sgd ? 0.02 : 0.1, l2: 0.001,
                weight_rate: optimizer == .sgd ? 0.02 : 0.1, weight_l2: 0.001, bias_rate: 0.001,
                error_cap: settings.errorCap, norm_cap: settings.normCap * settings.normCap,
                loss: CInt(loss == .squared ? yard_squared : yard_logistic),
                optimizer: CInt(optimizer == .sgd ? yard_sgd : yard_adagrad), negatives: CInt(negatives), seed: 1))
    }

    /// With the optimiser, loss and negatives of a model of the product.
    convenience init(_ workload: Workload, _ model: ModelSettings) throws {
        try self.init(workload, rank: model.rank, optimizer: model.optimizer, loss: model.loss, negatives: model.negatives)
    }

    deinit {
        yard_free(model.pointee.users)
        yard_free(model.pointee.items)
        yard_free(model.pointee.user_states)
        yard_free(model.pointee.item_states)
        model.deallocate()
    }

    /// Some passes over the events; answers the mean squared error of all of them, each event scored before it is learned.
    func train(ahead: Int = Yardstick.ahead, threads: Int = 1, passes: Int = 1, privateItems: Bool = false) throws -> Double {
        var squares = 0.0
        workload.events.withUnsafeBufferPointer { events in
            guard threads > 1 else {
                for _ in 0..<passes { squares += yard_train(model, events.baseAddress, events.count, ahead) }
                return
            }
            squares = yard_train_threads(model, events.baseAddress, events.count, ahead, CInt(threads), CInt(passes), privateItems ? 1 : 0)
        }
        guard squares.isFinite, squares >= 0 else { throw BenchmarkError("the plain C loop did not stay finite, or a thread was refused") }
        return squares / Double(passes * workload.events.count * (1 + Int(model.pointee.negatives)))
    }
}
