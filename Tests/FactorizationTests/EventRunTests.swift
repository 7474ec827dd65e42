import CKernels
import Glibc
import Testing

@testable import Factorization

/// A run of events in one call of the kernel is what the events are one by one: the same scores, rows and weights, with w0
/// three events behind.
@Suite struct EventRunTests {
    /// Rows of a small model in one piece.
    private final class Rows {
        let width: Int
        let floats: UnsafeMutablePointer<Float>
        let states: UnsafeMutablePointer<fk_row_state>
        let count: Int

        init(_ count: Int, _ width: Int, seed: Int, spread: Double) {
            self.width = width
            self.count = count
            var dice = Dice(seed)
            floats = .allocate(capacity: count * width)
            for index in 0..<count * width { floats[index] = Float(dice.real(-spread...spread)) / Float(width).squareRoot() }
            states = .allocate(capacity: count)
            for index in 0..<count {
                (states + index).initialize(
                    to: fk_row_state(
                        weight: Float(dice.real(-0.5...0.5)), weight_accumulator: 0.2, factor_accumulator: 0.1, updates: 0))
            }
        }

        deinit {
            floats.deallocate()
            states.deallocate()
        }

        func row(_ index: Int) -> UnsafeMutablePointer<Float> { floats + index * width }
        var values: [Float] {
            (0..<count * width).map { floats[$0] }
                + (0..<count).flatMap { [states[$0].weight, states[$0].weight_accumulator, states[$0].factor_accumulator, Float(states[$0].updates)] }
        }
    }

    private struct Event {
        var user: Int
        var items: [Int]
        var label: Float
    }

    private func events(seed: Int, most: Int) -> [Event] {
        var dice = Dice(seed)
        // Few items: an item stands in many events, and now and then twice in one.
        return (0..<30).map { _ in
            Event(user: dice.below(7), items: (0..<1 + dice.below(most)).map { _ in dice.below(11) }, label: Float(dice.below(2)))
        }
    }

    private func settings(_ width: Int, _ optimizer: Int, _ loss: Int, normCap: Float) -> fk_settings {
        fk_settings(
            item: fk_side(rate: 0.06, l2: 0.02, weight_rate: 0.05, weight_l2: 0.01),
            query: fk_side(rate: 0.08, l2: 0.03, weight_rate: 0.04, weight_l2: 0.02), loss: CInt(loss), optimizer: CInt(optimizer),
            inverse_rank: 1 / Float(width), error_cap: 0.9, norm_cap: normCap, options: fk_options())
    }

    /// One by one, through `pass` and `step` of the portable kernels.
    private func learnApart(_ users: Rows, _ items: Rows, _ events: [Event], _ settings: fk_settings) -> (scores: [Float], bias: Float) {
        let kernels = Kernels(.portable)!
        var settings = settings, scores: [Float] = [], bias: Float = 0.2, pending: [Float] = [0, 0, 0], sum: Float = 0.3
        for event in events {
            let state = users.states + event.user
            var places = event.items.enumerated().map { place, item in
                fk_item(
                    factors: items.row(item), accumulators: nil, state: items.states + item, linear: fk_linear(),
                    label: place == 0 ? event.label : 0, weight: 1.1, score: 0)
            }
            var pass = fk_pass(), clipped: UInt32 = 0, side = settings.query
            pass.query = users.row(event.user)
            pass.query_state = state
            pass.query_l2 = settings.query.l2
            pass.constant = bias + state.pointee.weight
            kernels.pass(&pass, &settings, &places, places.count, users.width)
            kernels.step(nil, nil, state, fk_linear(), nil, nil, 1, 0, pass.error_sum, &side, &settings, 0, &clipped)
            scores += places.map(\.score)
            var rate: Float = 0.07
            if settings.optimizer != CInt(fk_optimizer_sgd) {
                sum += pass.error_sum * pass.error_sum
                rate /= sum.squareRoot()
            }
            bias += pending.removeFirst()
            pending.append(-rate * pass.error_sum)
        }
        return (scores, bias + pending.reduce(0, +))
    }

    /// A batch over rows that lie anywhere.
    private final class Batch {
        var plain = fk_batch()

        init(_ users: Rows, _ items: Rows, _ events: ArraySlice<Event>) {
            func column<T>(_ values: [T]) -> UnsafeMutablePointer<T> {
                let column = UnsafeMutablePointer<T>.allocate(capacity: values.count)
                column.initialize(from: values, count: values.count)
                return column
            }
            let all = events.flatMap { event in event.items.enumerated().map { (item: $1, label: $0 == 0 ? event.label : 0) } }
            plain.event_count = UInt32(events.count)
            plain.item_count = UInt32(all.count)
            plain.users = column(events.map { UInt32($0.user) })
            plain.ordinals = column(all.map { UInt32($0.item) } + [UInt32](repeating: 0, count: 16))
            plain.counts = column(events.map { UInt32($0.items.count) })
            plain.queries = column(events.map { users.row($0.user) })
            plain.query_states = column(events.map { users.states + $0.user })
            plain.labels = column(all.map(\.label))
            plain.weights = column(all.map { _ in 1.1 })
            plain.factors = column(all.map { items.row($0.item) })
            plain.states = column(all.map { items.states + $0.item })
            plain.scores = column(all.map { _ in .nan })
        }

        deinit {
            plain.users.deallocate()
            plain.ordinals.deallocate()
            plain.counts.deallocate()
            plain.queries.deallocate()
            plain.query_states.deallocate()
            plain.labels.deallocate()
            plain.weights.deallocate()
            plain.factors.deallocate()
            plain.states.deallocate()
            plain.scores.deallocate()
        }

        func scores(_ range: Range<Int>) -> [Float] { range.map { plain.scores[$0] } }
    }

    /// In calls of a few events each, the last ones of a call left for the next: no fewer than are asked for ahead.
    private func learnTogether(
        _ kernels: Kernels, _ users: Rows, _ items: Rows, _ events: [Event], _ settings: fk_settings, callsOf size: Int, reach: Int = 0
    ) -> (scores: [Float], bias: Float) {
        var settings = settings, run = fk_run(), all: [Float] = []
        run.bias = 0.2
        run.bias_rate = 0.07
        run.bias_accumulator = 0.3
        run.distance = 3
        run.reach = UInt32(reach)
        run.single = events.allSatisfy { $0.items.count == 1 } ? 1 : 0
        var first = 0
        while first < events.count {
            let count = min(size, events.count - first), rest = events[first...].prefix(count + 24)
            let batch = Batch(users, items, rest)
            run.placed = UInt32(rest.count)
            kernels.train(&run, &settings, &batch.plain, count, users.width)
            // Rows are asked for of what lies ready, and of nothing else.
            #expect(Int(run.fetched) <= rest.count - count && Int(run.brought) <= rest.count - count)
            all += batch.scores(0..<rest.prefix(count).reduce(0) { $0 + $1.items.count })
            first += count
        }
        return (all, run.bias + run.pending.0 + run.pending.1 + run.pending.2)
    }

    @Test(arguments: Kernels.Variant.present, [8, 16, 24, 32, 64, 128, 144, 256, 504, 512])
    func runsLearnWhatEventsDo(variant: Kernels.Variant, width: Int) throws {
        let kernels = try #require(Kernels(variant))
        for (optimizer, loss, most) in [
            (fk_optimizer_sgd, fk_loss_logistic, 1), (fk_optimizer_sgd, fk_loss_logistic, 18), (fk_optimizer_sgd, fk_loss_squared, 7),
            (fk_optimizer_sgd, fk_loss_squared, 1), (fk_optimizer_adagrad_row, fk_loss_logistic, 18),
            (fk_optimizer_adagrad_row, fk_loss_squared, 1), (fk_optimizer_adagrad_row, fk_loss_logistic, 1),
        ] {
            // The second cap on norms is met now and then, and so is that on errors under squared loss.
            for normCap in [1e6, 1.05] as [Float] {
                let events = events(seed: width + most, most: most), settings = settings(width, Int(optimizer), Int(loss), normCap: normCap)
                let apart = (Rows(7, width, seed: 1, spread: 1.6), Rows(11, width, seed: 2, spread: 1.6))
                let together = (Rows(7, width, seed: 1, spread: 1.6), Rows(11, width, seed: 2, spread: 1.6))
                let wanted = learnApart(apart.0, apart.1, events, settings)
                let found = learnTogether(kernels, together.0, together.1, events, settings, callsOf: 1 + width % 5 * 9, reach: width % 3 * 4)
                let a = wanted.scores + [wanted.bias] + apart.0.values + apart.1.values
                let b = found.scores + [found.bias] + together.0.values + together.1.values
                try #require(a.count == b.count)
                let off = zip(a, b).map { abs($0 - $1) / max(1, abs($0)) }.max()!
                #expect(off <= 2e-4, "width \(width), optimizer \(optimizer), loss \(loss), \(most) items, cap \(normCap): \(off)")
            }
        }
    }

    /// What is learned, to the last bit, does not depend on how events fall into calls, nor on which of them go side by side, nor on how
    /// early their rows are asked for.
    @Test(arguments: Kernels.Variant.present, [fk_optimizer_sgd, fk_optimizer_adagrad_row])
    func callsLeaveNoTrace(variant: Kernels.Variant, optimizer: Int) throws {
        let kernels = try #require(Kernels(variant))
        for (width, loss) in [
            (8, fk_loss_squared), (16, fk_loss_logistic), (32, fk_loss_squared), (40, fk_loss_squared), (128, fk_loss_logistic),
            (256, fk_loss_squared), (504, fk_loss_logistic), (512, fk_loss_squared),
        ] {
            for normCap in [1e6, 1.05] as [Float] {
                let settings = settings(width, Int(optimizer), Int(loss), normCap: normCap)
                for most in [1, 5, 12] {
                    let events = (0..<12).flatMap { self.events(seed: width + $0, most: most) }
                    let found = [1, 2, 3, 5, 64, 360].map { size in
                        let users = Rows(7, width, seed: 1, spread: 1.6), items = Rows(11, width, seed: 2, spread: 1.6)
                        let (scores, bias) = learnTogether(kernels, users, items, events, settings, callsOf: size, reach: size % 3 * 6)
                        return (scores + [bias] + users.values + items.values).map(\.bitPattern)
                    }
                    for other in found.dropFirst() { #expect(other == found[0], "width \(width), loss \(loss), \(most) items, cap \(normCap)") }
                }
            }
        }
    }

    @Test func aBadItemIsRejectedAndTouchesNoOther() {
        let users = Rows(1, 16, seed: 1, spread: 1), items = Rows(3, 16, seed: 2, spread: 1)
        items.row(1)[3] = .infinity
        var run = fk_run(), settings = settings(16, Int(fk_optimizer_sgd), Int(fk_loss_logistic), normCap: 1e6)
        run.placed = 1
        let batch = Batch(users, items, [Event(user: 0, items: [0, 1, 2], label: 1)])
        for place in 0..<3 { batch.plain.labels[place] = 1 }
        Kernels.best.train(&run, &settings, &batch.plain, 1, 16)
        let scores = batch.scores(0..<3)
        #expect(run.rejected == 1 && !scores[1].isFinite && scores[0].isFinite && scores[2].isFinite)
        let values = users.values + (0..<16).flatMap { [items.row(0)[$0], items.row(2)[$0]] }
        #expect(!values.contains { !$0.isFinite })
        #expect(items.states[0].updates == 1 && items.states[1].updates == 0 && items.states[2].updates == 1)
    }

    /// Where no event has negatives: whatever is wrong with a row, an accumulator or a weight, the events before and after are
    /// learned as if this one had not been.
    @Test(arguments: Kernels.Variant.present, [fk_optimizer_sgd, fk_optimizer_adagrad_row])
    func aBadRowIsRejectedAmongSingleItems(variant: Kernels.Variant, optimizer: Int) throws {
        let kernels = try #require(Kernels(variant))
        for loss in [fk_loss_squared, fk_loss_logistic] {
            for width in [8, 16, 32, 40, 128] {
                for bad in [Float.nan, .infinity, -.infinity] {
                    let users = Rows(3, width, seed: 1, spread: 1), items = Rows(3, width, seed: 2, spread: 1)
                    items.row(1)[3] = bad
                    var run = fk_run(), settings = settings(width, Int(optimizer), Int(loss), normCap: 1e6)
                    run.placed = 3
                    run.single = 1
                    run.distance = 2
                    let batch = Batch(users, items, (0..<3).map { Event(user: $0, items: [$0], label: 1) }[...])
                    kernels.train(&run, &settings, &batch.plain, 3, width)
                    #expect(run.rejected == 1 && run.fetched == 0)
                    #expect((0..<3).map { users.states[$0].updates > 0 && items.states[$0].updates > 0 } == [true, false, true])
                    #expect(!users.values.contains { !$0.isFinite })
                    #expect(batch.scores(0..<3).map(\.isFinite) == [true, false, true])
                }
            }
        }
    }

    @Test func softplusAndTheLogisticFunctionOfManyAreThoseOfOne() {
        let x = (-800...1000).map { Float($0) / 10 }
        var out = [Float](repeating: 0, count: x.count)
        for variant in Kernels.Variant.allCases {
            guard let kernels = Kernels(variant) else { continue }
            kernels.softplus(x, x.count, &out)
            for (x, y) in zip(x, out) {
                let wanted = max(Double(x), 0) + log1p(exp(-abs(Double(x))))
                #expect(abs(Double(y) - wanted) <= 4e-6 * max(wanted, 1e-30), "\(x)")
            }
        }
        for x in x where abs(x) <= 80 {
            let wanted = 1 / (1 + exp(-Double(x)))
            #expect(abs(Double(fk_sigmoid(x)) - wanted) <= 4e-6 * wanted, "\(x)")
        }
    }

    /// What others step as well is asked for late, and to be written; one trainer's rows early, and to be read.
    @Test func rowsAreAskedForAsTheNumberOfTrainersWants() {
        func state(trainers: Int, negatives: Int) -> fk_run {
            let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 32, negatives: negatives)], trainers: trainers))
            engine.learn((0..<200).map { TestEvent(user: $0, item: $0 % 7) })
            return engine.trainers[0].learners[0].run.pointee.state
        }
        let alone = state(trainers: 1, negatives: 0), beside = state(trainers: 2, negatives: 0)
        #expect(alone.distance == 8 && alone.shared == 0 && beside.distance == 4 && beside.shared == 1)
        // 24 rows, in events of about five.
        let several = state(trainers: 2, negatives: 4)
        #expect((4...8).contains(several.distance) && several.shared == 1)
    }
}
