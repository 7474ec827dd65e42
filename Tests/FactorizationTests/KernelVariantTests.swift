import CKernels
import Testing

@testable import Factorization

@Suite struct KernelVariantTests {
    /// Every rank, and rows of kinds that need several floats for a factor.
    static let widths = Array(stride(from: 8, through: 512, by: 8)) + [1024, ModelSettings.longestRow]
    static let optimizers = [fk_optimizer_sgd, fk_optimizer_adagrad_row, fk_optimizer_adagrad_coordinate].map { Int32($0) }

    /// Values that cancel to nearly nothing are held to the size of a vector's entries, of which a score sums `width`; of the longest
    /// rows to more: a sum of errors near 1 is no more exact than one of them.
    private func floor(_ width: Int) -> Float { width <= 512 ? 0.1 / Float(width).squareRoot() : 0.01 }

    /// Everything that one run of all kernels leaves behind.
    private func run(_ kernels: Kernels, width: Int, optimizer: Int32, loss: Int32, moving: Bool, options: fk_options = fk_options())
        -> [Float]
    {
        var dice = Dice(width)
        func array(_ count: Int, _ range: ClosedRange<Double> = -1...1) -> [Float] {
            (0..<count).map { _ in Float(dice.real(range)) / Float(width).squareRoot() }
        }
        let count = 5
        var query = array(width), queryAccumulators = array(width, 0.1...1), gradient = array(width), rows = array(width * count)
        var accumulators = array(width * count, 0.1...1)
        var states = [fk_row_state](repeating: fk_row_state(weight: 0.3, weight_accumulator: 0.2, factor_accumulator: 0.1, updates: 1), count: count)
        var own = fk_row_state(weight: -0.2, weight_accumulator: 0.4, factor_accumulator: 0.3, updates: 2)
        let side = fk_side(rate: 0.1, l2: 0.01, weight_rate: 0.05, weight_l2: 0.02)
        var settings = fk_settings(
            item: side, query: side, loss: loss, optimizer: optimizer, inverse_rank: 1 / Float(width), error_cap: 100, norm_cap: 1.2, options: options)
        let zs = UnsafeMutablePointer<Float>.allocate(capacity: count)
        defer { zs.deallocate() }
        for index in 0..<count { zs[index] = Float(index) - 2 }
        let isFtrl = options.ftrl.inverse_alpha > 0
        var clipped: UInt32 = 0
        var out = [Float](repeating: 0, count: count)
        rows.withUnsafeMutableBufferPointer { rows in
            accumulators.withUnsafeMutableBufferPointer { accumulators in
                states.withUnsafeMutableBufferPointer { states in
                    query.withUnsafeMutableBufferPointer { query in
                        queryAccumulators.withUnsafeMutableBufferPointer { queryAccumulators in
                            gradient.withUnsafeMutableBufferPointer { gradient in
                                withUnsafeMutablePointer(to: &own) { own in
                                    var items = (0..<count).map {
                                        fk_item(
                                            factors: rows.baseAddress! + $0 * width,
                                            accumulators: accumulators.baseAddress! + $0 * width, state: states.baseAddress! + $0,
                                            linear: fk_linear(z: isFtrl ? zs + $0 : nil, seed: UInt64($0)),
                                            label: Float($0 % 2), weight: 1.5, score: 0)
                                    }
                                    var pass = fk_pass()
                                    pass.query = query.baseAddress
                                    pass.query_accumulators = queryAccumulators.baseAddress
                                    pass.query_state = moving ? own : nil
                                    pass.gradient = moving ? nil : gradient.baseAddress
                                    pass.query_l2 = 0.01
                                    pass.constant = 0.1
                                    pass.constant_rate = 0.05
                                    kernels.pass(&pass, &settings, &items, count, width)
                                    out += items.map(\.score) + [pass.error_sum, pass.error_square_sum, pass.constant, Float(pass.clipped)]
                                    var side = side
                                    kernels.step(
                                        rows.baseAddress, accumulators.baseAddress, states.baseAddress, fk_linear(), gradient.baseAddress,
                                        query.baseAddress, 0.7, 0.3, 0.2, &side, &settings, width, &clipped)
                                    kernels.scoreRows(query.baseAddress, 0.4, rows.baseAddress, states.baseAddress, count, width, width, &out)
                                    kernels.add(gradient.baseAddress, rows.baseAddress! + width, 0.6, width)
                                    out.append(kernels.dot(query.baseAddress, rows.baseAddress, width))
                                }
                            }
                        }
                    }
                }
            }
        }
        out += states.flatMap { [$0.weight, $0.weight_accumulator, $0.factor_accumulator, Float($0.updates)] }
        out += [own.weight, own.factor_accumulator, Float(clipped)]
        // Sums that began at −2…2 and may have cancelled: held to the size that they had.
        out += (0..<count).map { zs[$0] + 4 }
        return out + rows + accumulators + query + queryAccumulators + gradient
    }

    @Test(arguments: Kernels.Variant.present.filter { $0 != .portable }) func agreesWithPortable(_ variant: Kernels.Variant) throws {
        let kernels = try #require(Kernels(variant))
        let portable = Kernels(.portable)!
        for width in KernelVariantTests.widths {
            for optimizer in KernelVariantTests.optimizers {
                for (loss, moving) in [(Int32(fk_loss_logistic), true), (Int32(fk_loss_squared), false)] {
                    let a = run(portable, width: width, optimizer: optimizer, loss: loss, moving: moving)
                    let b = run(kernels, width: width, optimizer: optimizer, loss: loss, moving: moving)
                    let floor = floor(width)
                    let bad = zip(a, b).contains { abs($0 - $1) > max(1e-5 * abs($0), 3e-5 * floor) }
                    #expect(!bad && a.count == b.count, "width \(width), optimizer \(optimizer), moving \(moving)")
                }
            }
        }
    }

    /// The passes with options against the usual ones: alike where the options ask for nothing, and in every variant.
    @Test func specialPassesAgreeWithTheUsual() {
        var neutral = fk_options(), all = fk_options()
        neutral.special = 1
        neutral.keep = 1
        all.special = 1
        all.keep = 0.75
        all.inverse_horizon = 0.3
        all.ftrl = fk_ftrl(inverse_alpha: 4, beta: 1, l1: 0.8, l2: 0.1)
        all.sparse = 1
        all.deviation = 0.1
        let portable = Kernels(.portable)!
        for kernels in Kernels.Variant.allCases.compactMap({ Kernels($0) }) {
            for width in KernelVariantTests.widths {
                (all.rank, all.width) = (UInt32(width - 3), UInt32(width))
                for optimizer in KernelVariantTests.optimizers {
                    for moving in [true, false] {
                        func result(_ kernels: Kernels, _ options: fk_options) -> [Float] {
                            run(kernels, width: width, optimizer: optimizer, loss: Int32(fk_loss_logistic), moving: moving, options: options)
                        }
                        let floor = floor(width)
                        func areAlike(_ a: [Float], _ b: [Float]) -> Bool {
                            a.count == b.count && !zip(a, b).contains { !(abs($0 - $1) <= 1e-5 * max(abs($0), floor)) }
                        }
                        #expect(areAlike(result(kernels, neutral), result(kernels, fk_options())), "\(kernels.variant), width \(width)")
                        #expect(areAlike(result(kernels, all), result(portable, all)), "\(kernels.variant), width \(width)")
                    }
                }
            }
        }
    }

    @Test(arguments: ModelSettings.Optimizer.allCases) func paddingStaysZero(_ optimizer: ModelSettings.Optimizer) {
        for rank in 1...40 {
            let model = ModelCase(kind: rank % 2 == 0 ? .mf : .fm, loss: .logistic, optimizer: optimizer)
            let engine = Engine(settings: EngineSettings(models: [model.settings(rank: rank, negatives: 3)], queueCapacity: 64))
            engine.learn(randomEvents(30, users: 3, items: 5, seed: rank))
            for (_, side, table) in engine.models[0].groups {
                for ordinal in 0..<UInt32(engine.rowCount(side)) {
                    for f in table.rank..<table.width {
                        #expect(table.factors(ordinal)[f] == 0 && table.accumulators(ordinal).map { $0[f] == 0 } ?? true)
                    }
                }
            }
        }
    }
}
