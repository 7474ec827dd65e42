import CKernels
import Testing

@testable import Factorization

/// Sums that are kept in parts say what one sum would, however events fall into calls.
@Suite struct SumsInPartsTests {
    /// Events of a run with labels and scores of chance, some of them no numbers.
    private func filled(_ run: inout EventRun, _ dice: inout Dice, negatives: Int) -> Int {
        let queue = TrainerQueue(capacity: 64), table = FactorTable(rank: 8, perCoordinate: false, seed: 1, deviation: 0.1)
        withUnsafeTemporaryAllocation(of: fk_rule.self, capacity: 1) { rules in
            rules[0] = fk_rule(label: 1, weight: 1, label_from: Int32(fk_label_value), marks_seen: 0)
            for index in 0..<64 {
                queue.record(index).initialize(
                    to: TrainingRecord(
                        position: UInt64(index + 1), user: 1, item: 2, catalogue: 1000, value: Float(dice.real(1...5)), weight: 1, type: 0,
                        featureCount: 0, kind: .interaction, hasValue: true))
            }
            var source = fk_source(queue.view, rules.baseAddress!, users: table.rows, items: table.rows, NegativeDraws(seed: 3).plain(negatives), labels: 0...1)
            _ = run.take(.best, &source, from: 0, count: 64)
        }
        for item in 0..<run.itemCount { run.batch.scores[item] = dice.below(40) == 0 ? .nan : Float(dice.real(0...6)) }
        return run.count
    }

    private func parts(_ state: PrequentialState) -> [UInt8] {
        var writer = ByteWriter()
        state.write(&writer)
        state.writeParts(&writer)
        return writer.bytes
    }

    @Test(arguments: Kernels.Variant.present, [0, 2]) func callsOfAnyLengthSumAlike(_ variant: Kernels.Variant, _ negatives: Int) throws {
        let kernels = try #require(Kernels(variant))
        var dice = Dice(7), run = EventRun(width: 8, isSingle: negatives == 0), together = PrequentialState(), apart = PrequentialState()
        defer { run.deallocate() }
        for _ in 0..<40 {
            let count = filled(&run, &dice, negatives: negatives)
            let softplus = negatives == 0 ? nil : UnsafePointer(run.softplus)
            if negatives > 0 { kernels.softplus(run.batch.scores, run.itemCount, run.softplus) }
            _ = together.count(&run.batch, softplus, count: count, kernels)
            // The same in calls of one to seven events, whose batches begin where the last ended.
            var event = 0, item = 0
            while event < count {
                var part = run.batch
                let some = min(1 + dice.below(7), count - event)
                let items = (event..<event + some).reduce(0) { $0 + Int(run.batch.counts[$1]) }
                (part.event_count, part.item_count) = (UInt32(some), UInt32(items))
                part.counts += event
                part.positions += event
                part.labels += item
                part.scores += item
                #expect(apart.count(&part, softplus.map { $0 + item }, count: some, kernels) == items)
                event += some
                item += items
            }
            run.drop(count, items: run.itemCount)
        }
        #expect(parts(together) == parts(apart) && together.sums.events > 2000 && together.alarm.batches > 7)
    }

    @Test func partsAddUpToWhatOneSumWouldBe() {
        var dice = Dice(3), state = PrequentialState(), loss = 0.0, recent = 0.0, recentEvents = 0.0
        let keep = Prequential.keep(trainers: 1)
        for position in 1...UInt64(1000) {
            let error = Float(dice.real(-1...1)), label = Float(position % 2 == 0 ? 1 : 5)
            withUnsafePointer(to: label + error) { state.count($0, $0, label: label, count: 1, position: position, .squared) }
            // A score is counted within the labels so far.
            let near = position == 1 ? label + error : min(max(label + error, position == 2 ? 5 : 1), 5)
            let square = Double(near - label) * Double(near - label)
            loss += square
            recent = recent * keep + square
            recentEvents = recentEvents * keep + 1
            #expect(abs(state.sums.loss - loss) < 1e-3 && abs(state.sums.recentLoss - recent) < 1e-3)
            #expect(abs(state.sums.recentEvents - recentEvents) < 1e-9 && state.sums.events == Double(position))
        }
    }

    @Test func aStateWithoutPartsGoesOnWithItsSums() throws {
        var dice = Dice(5), state = PrequentialState()
        for position in 1...UInt64(257 + dice.below(3)) {
            let score = Float(dice.real(0...6))
            withUnsafePointer(to: score) { state.count($0, $0, label: 3, count: 1, position: position, .squared) }
        }
        var writer = ByteWriter()
        state.write(&writer)
        let restored = try writer.bytes.withUnsafeBytes {
            var reader = ByteReader($0, section: "s")
            return try PrequentialState(&reader, trainers: 1)
        }
        #expect(restored.sums.all == state.sums.all && restored.batchLoss == state.batchLoss && restored.plain.batch_count == state.plain.batch_count)
    }
}
