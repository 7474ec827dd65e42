import CKernels
import Testing

@testable import Factorization

/// What records say of their users, many at a time in C, is what it is one by one.
@Suite struct SettlingTests {
    private let rules = [
        TypeRule(label: .constant(1)), TypeRule(label: .constant(1), marksSeen: false), TypeRule(label: .constant(1), weight: 0), TypeRule(label: .constant(0)),
    ]

    private func records(_ dice: inout Dice, count: Int, from position: Int) -> [TrainingRecord] {
        (0..<count).map { index in
            TrainingRecord(
                position: UInt64(position + index), user: UInt32(dice.below(4) == 0 ? 70 + dice.below(3) : dice.below(200)), item: UInt32(dice.below(60)),
                catalogue: 60, value: 0, weight: 1, type: UInt16(dice.below(3) == 0 ? dice.below(4) : 0), featureCount: 0, kind: .interaction,
                hasValue: false)
        }
    }

    @Test(arguments: [0, 3, 10, 100], [0, 4, 20, 10_000]) func negativesThatWereSeenAreLeftOut(history: Int, seenLimit: Int) throws {
        for (seed, variant) in Kernels.Variant.allCases.enumerated() {
            guard let kernels = Kernels(variant) else { continue }
            let lists = UserItems(historyLength: history, seenLimit: seenLimit, epochs: ReaderEpochs())
            let table = FactorTable(rank: 8, perCoordinate: false, seed: 1, deviation: 0.1), draws = NegativeDraws(seed: 5)
            for user in 0..<300 as Range<UInt32> { lists.ensure(user) }
            table.makeReady(0)
            var dice = Dice(seed + 1), known = [Set<UInt32>](repeating: [], count: 300), past = [[UInt32]](repeating: [], count: 300), left = 0
            let plainRules = rules.map(\.plain), queue = TrainerQueue(capacity: 256)
            for round in 0..<40 {
                let count = 1 + dice.below(150), first = round * 1000 + dice.below(16), records = records(&dice, count: count, from: first)
                for (index, record) in records.enumerated() { queue.record(first + index).initialize(to: record) }
                var source = fk_source(queue.view, plainRules, users: table.rows, items: table.rows, draws.plain(5), labels: 0...1)
                var run = EventRun(width: 8, isSingle: false)
                defer { run.deallocate() }
                let taken = run.take(kernels, &source, from: first, count: count), drawn = run.itemCount
                var plain = lists.plain, place = fk_settling(record: 0, event: 0, read: 0, write: 0)
                while place.record < taken {
                    kernels.settle(&run.batch, &source, &plain, 1, &place, first, taken, count)
                    guard place.record < taken else { break }
                    lists.add(records[place.record].item, user: records[place.record].user)
                    place.record += 1
                }
                if seenLimit > 0 { run.settled(items: place.write) }

                var event = 0, item = 0
                for record in records[..<taken] {
                    let user = Int(record.user), rule = rules[Int(record.type)]
                    if rule.weight > 0 {
                        var wanted = [record.item]
                        let word = draws.word(at: record.position)
                        for number in 0..<(rule.label == .constant(1) ? 5 : 0) {
                            let other = draws.item(word, number, of: 60)
                            if other != record.item && !known[user].contains(other) { wanted.append(other) }
                        }
                        let range = item..<item + Int(run.batch.counts[event])
                        #expect(range.map { run.batch.ordinals[$0] } == wanted, "\(variant), event \(event) of round \(round)")
                        #expect(range.map { run.batch.labels[$0] } == [rule.label == .constant(1) ? 1 : 0] + wanted.dropFirst().map { _ in 0 })
                        (event, item) = (event + 1, range.upperBound)
                    }
                    guard rule.marksSeen else { continue }
                    if known[user].count < seenLimit { known[user].insert(record.item) }
                    past[user].append(record.item)
                }
                #expect(event == run.count && item == run.itemCount)
                left += drawn - run.itemCount
            }
            for user in 0..<300 as Range<UInt32> {
                var seen: Set<UInt32> = [], held = [UInt32](repeating: 0, count: history)
                lists.forEachSeen(by: user) { seen.insert($0) }
                held = Array(held[..<held.withUnsafeMutableBufferPointer { lists.history(of: user, into: $0) }])
                #expect(seen == known[Int(user)] && held == past[Int(user)].suffix(history).reversed())
            }
            #expect((left > 0) == (seenLimit > 0))
        }
    }
}
