import CKernels
import CYardstick
import Factorization

/// The row kernels alone, each instruction set of this processor, beside the plain C loop.
func kernelBenchmarks(_ plan: Plan) -> [Benchmark] {
    var all: [Benchmark] = []
    for optimizer in [ModelSettings.Optimizer.sgd, .adagrad] {
        for rank in plan.ranks {
            for (variant, name) in [(fk_variant_avx512, "avx512"), (fk_variant_avx2, "avx2"), (fk_variant_portable, "portable")] {
                guard let kernels = fk_kernels_for(CInt(variant)) else { continue }
                all.append(
                    Benchmark("kernel/\(optimizer.rawValue)/rank \(rank)/\(name)", "updates/s") {
                        let workload = Workload.shared(large: false, quick: plan.isQuick)
                        let subject = try KernelLoop(workload, kernels: kernels, rank: rank, optimizer: optimizer)
                        let yardstick = try Yardstick(workload, rank: rank, optimizer: optimizer, loss: .squared, negatives: 0)
                        let count = Double(workload.events.count)
                        return Prepared(sides: [
                            Side(name: name) { [count / seconds { subject.run() }] },
                            Side(name: "plain C") { [count / (try seconds { _ = try yardstick.train() })] },
                        ])
                    })
            }
        }
    }
    return all
}

/// Drives `pass` over events as a trainer does, on flat rows, with the plain loop's prefetch: what the kernels cost without
/// tables and queues around them.
final class KernelLoop {
    private let kernels: UnsafePointer<fk_kernels>
    private let workload: Workload
    private let rows: Yardstick
    private let rank: Int
    private let stepSettings: fk_settings

    init(_ workload: Workload, kernels: UnsafePointer<fk_kernels>, rank: Int, optimizer: ModelSettings.Optimizer) throws {
        self.kernels = kernels
        self.workload = workload
        self.rank = rank
        rows = try Yardstick(workload, rank: rank, optimizer: optimizer, loss: .squared, negatives: 0)
        let model = rows.model.pointee
        let side = fk_side(rate: model.rate, l2: model.l2, weight_rate: model.weight_rate, weight_l2: model.weight_l2)
        stepSettings = fk_settings(
            item: side, query: side, loss: CInt(fk_loss_squared),
            optimizer: CInt(optimizer == .sgd ? fk_optimizer_sgd : fk_optimizer_adagrad_row),
            inverse_rank: 1 / Float(rank), error_cap: model.error_cap, norm_cap: model.norm_cap, options: fk_options())
    }

    func run() {
        let users = rows.model.pointee.users!, items = rows.model.pointee.items!
        let userStates = UnsafeMutableRawPointer(rows.model.pointee.user_states!).assumingMemoryBound(to: fk_row_state.self)
        let itemStates = UnsafeMutableRawPointer(rows.model.pointee.item_states!).assumingMemoryBound(to: fk_row_state.self)
        let pass = kernels.pointee.pass!, step = kernels.pointee.step!, rank = rank
        var settings = stepSettings, item = fk_item(), bias = rows.model.pointee.bias, side = settings.query, sum: Double = 0
        let biasRate = rows.model.pointee.bias_rate
        workload.events.withUnsafeBufferPointer { events in
            for index in 0..<events.count {
                if index + Yardstick.ahead < events.count {
                    let next = events[index + Yardstick.ahead]
                    fetch(users + Int(next.user) * rank, userStates + Int(next.user), rank)
                    fetch(items + Int(next.item) * rank, itemStates + Int(next.item), rank)
                }
                let event = events[index]
                let state = userStates + Int(event.user)
                item.factors = items + Int(event.item) * rank
                item.state = itemStates + Int(event.item)
                item.label = event.label
                item.weight = 1
                var one = fk_pass()
                one.query = users + Int(event.user) * rank
                one.query_state = state
                one.query_l2 = side.l2
                one.constant = bias + state.pointee.weight
                pass(&one, &settings, &item, 1, rank)
                step(nil, nil, state, fk_linear(), nil, nil, 1, 0, one.error_sum, &side, &settings, 0, &one.clipped)
                bias -= biasRate * one.error_sum
                sum += Double(one.error_square_sum)
            }
        }
        rows.model.pointee.bias = bias
        precondition(sum.isFinite, "the kernels did not stay finite")
    }

    @inline(__always)
    private func fetch(_ row: UnsafeMutablePointer<Float>, _ state: UnsafeMutablePointer<fk_row_state>, _ rank: Int) {
        var offset = 0
        while offset < rank {
            fk_prefetch(row + offset)
            offset &+= 16
        }
        fk_prefetch(state)
    }
}
