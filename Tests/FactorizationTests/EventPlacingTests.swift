import CKernels
import Testing

@testable import Factorization

/// From a trainer's ring to a batch: what C makes of records, rules, tables and draws is what their Swift definitions say.
@Suite struct EventPlacingTests {
    @Test func whatCReadsLiesAsItSays() { #expect(EventRun.sharesLayout) }

    /// Records with now and then another kind, a context feature, no importance, or no value. By even seeds most are of one type.
    private func records(seed: Int, count: Int) -> [TrainingRecord] {
        var dice = Dice(seed)
        let isAlike = seed % 2 == 0
        return (0..<count).map { index in
            TrainingRecord(
                position: UInt64(1000 + index), user: UInt32(dice.below(300_000)), item: UInt32(dice.below(40)),
                catalogue: UInt32(20 + dice.below(30)), value: Float(dice.below(7)) / 2 - 1, weight: dice.below(9) == 0 ? 0 : Float(1 + dice.below(3)),
                type: UInt16(isAlike && dice.below(20) > 0 ? seed / 2 % 4 : dice.below(4)), featureCount: dice.below(40) == 0 ? 1 : 0,
                kind: dice.below(40) == 0 ? .undo : .interaction, hasValue: isAlike ? seed / 8 % 2 == 0 : dice.below(2) == 0)
        }
    }

    private let rules = [
        TypeRule(label: .constant(1)), TypeRule(label: .value, weight: 0.5), TypeRule(label: .valueOr(2)), TypeRule(label: .constant(0)),
    ]

    private struct Placed: Equatable {
        var position: UInt64
        var user: UInt32
        var ordinals: [UInt32]
        var labels: [Float]
        var weights: [Float]
    }

    /// By the definitions, record by record.
    private func wanted(_ records: [TrainingRecord], _ draws: NegativeDraws, _ negatives: Int, _ labels: ClosedRange<Float>, _ limit: Int) -> (events: [Placed], taken: Int) {
        var events: [Placed] = [], taken = 0
        for record in records {
            guard record.kind == .interaction, record.featureCount == 0 else { break }
            taken += 1
            let rule = rules[Int(record.type)], weight = rule.weight * record.weight
            guard weight > 0 else { continue }
            let given = rule.label(value: record.value, hasValue: record.hasValue)
            let label = given < labels.lowerBound ? labels.lowerBound : given > labels.upperBound ? labels.upperBound : given
            var ordinals = [record.item]
            if label > 0 {
                let word = draws.word(at: record.position)
                for number in 0..<negatives {
                    let drawn = draws.item(word, number, of: UInt64(record.catalogue))
                    if drawn != record.item && !draws.holes.contains(drawn) { ordinals.append(drawn) }
                }
            }
            events.append(
                Placed(
                    position: record.position, user: record.user, ordinals: ordinals,
                    labels: [label] + Array(repeating: 0, count: ordinals.count - 1), weights: ordinals.map { _ in weight }))
            if events.reduce(events.count, { $0 + $1.ordinals.count }) >= limit { break }
        }
        return (events, taken)
    }

    @Test(arguments: [0, 1, 5, 40], [true, false])
    func aBatchHoldsWhatTheRecordsSay(negatives: Int, fromTable: Bool) throws {
        let users = FactorTable(rank: 8, perCoordinate: false, seed: 1, deviation: 0.1)
        let items = FactorTable(rank: 8, perCoordinate: true, seed: 2, deviation: 0.1)
        users.makeReady(0)
        users.makeReady(1 << Placement.roundBits)
        items.makeReady(0)
        let holes = HoleMap(), table = AliasTable(weights: (0..<25).map { Double($0 % 7) })
        for hole in [3, 8, 39] { holes.set(UInt32(hole), true) }
        var draws = NegativeDraws(seed: 77)
        draws.use(holes.view)
        if fromTable { draws.use(table) }
        let plainRules = rules.map(\.plain)
        for seed in 0..<60 {
            let queue = TrainerQueue(capacity: 64), records = records(seed: seed, count: 64), first = seed * 13
            let labels = (seed / 16 % 2 == 0 ? ModelSettings.Loss.logistic : .squared).labels
            for (index, record) in records.enumerated() { queue.record(first + index).initialize(to: record) }
            var source = fk_source(queue.view, plainRules, users: users.rows, items: items.rows, draws.plain(negatives), labels: labels)
            var run = EventRun(width: 8, isSingle: negatives == 0)
            defer { run.deallocate() }
            let kernels = Kernels.Variant.allCases.compactMap { Kernels($0) }, chosen = kernels[seed % kernels.count]
            let taken = run.take(chosen, &source, from: first, count: records.count)
            let wanted = wanted(records, draws, negatives, labels, EventRun.rowLimit)
            #expect(taken == wanted.taken)
            run.lookUp(chosen, &source, event: 0, item: 0)
            var item = 0
            let found = (0..<run.count).map { event in
                let range = item..<item + Int(run.batch.counts[event])
                item = range.upperBound
                #expect(run.batch.queries[event] == users.factors(run.batch.users[event]))
                #expect(run.batch.query_states[event] == users.state(run.batch.users[event]))
                for place in range {
                    #expect(run.batch.factors[place] == items.factors(run.batch.ordinals[place]))
                    #expect(run.batch.states[place] == items.state(run.batch.ordinals[place]))
                }
                return Placed(
                    position: run.batch.positions[event], user: run.batch.users[event], ordinals: range.map { run.batch.ordinals[$0] },
                    labels: range.map { run.batch.labels[$0] }, weights: range.map { run.batch.weights[$0] })
            }
            #expect(item == run.itemCount)
            #expect(found == wanted.events)
        }
        withExtendedLifetime((holes, table)) {}
    }

    /// Rows that come from memory are asked for long before their step, of events that wait for the next call meanwhile.
    @Test(arguments: [0, 4])
    func tablesBeyondTheCachesAreReachedFor(negatives: Int) {
        let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 8, negatives: negatives)], trainers: 1))
        let model = engine.models[0], learner = engine.trainers[0].learners[0], rules = [TypeRule(label: .constant(1)).plain]
        for ordinal in 0..<64 {
            model.users.makeReady(UInt32(ordinal))
            model.items.makeReady(UInt32(ordinal))
        }
        let queue = TrainerQueue(capacity: 128)
        for index in 0..<128 {
            queue.record(index).initialize(
                to: TrainingRecord(
                    position: UInt64(index + 1), user: UInt32(index % 64), item: UInt32(index % 64), catalogue: 64, value: 0, weight: 1,
                    type: 0, featureCount: 0, kind: .interaction, hasValue: false))
        }
        var run = EventRun(width: 8, isSingle: negatives == 0)
        defer { run.deallocate() }
        run.restore(model)
        var left: [Int] = [], reaches: [UInt32] = []
        // Rows of 48 bytes: just below 8 MiB, just above, and below again.
        for rows in [174_762, 174_763, 1000] {
            var source = fk_source(queue.view, rules, users: model.users.rows, items: model.items.rows, NegativeDraws(seed: 3).plain(negatives), labels: 0...1)
            _ = run.take(model.kernels, &source, from: 0, count: 128)
            run.lookUp(model.kernels, &source, event: 0, item: 0)
            run.measure(rows: rows, width: 8)
            let learned = run.learn(model, learner.settings, keepsTail: true)
            left.append(run.count - learned)
            reaches.append(run.state.reach)
            #expect(Int(run.state.brought) == (run.state.reach > 0 ? left.last! : 0))
            run.drop(run.count, items: run.itemCount)
            run.state.fetched = 0
            run.state.brought = 0
        }
        #expect(reaches[0] == 0 && reaches[2] == 0 && left[0] == left[2])
        #expect(left[1] == Int(reaches[1]) && left[1] > left[0], "\(left), \(reaches)")
        #expect(left[1] == (negatives == 0 ? 48 : 19))
    }

    @Test func whatIsSettledKeepsItsOrder() {
        var run = EventRun(width: 8, isSingle: false)
        defer { run.deallocate() }
        let items = FactorTable(rank: 8, perCoordinate: false, seed: 2, deviation: 0.1), queue = TrainerQueue(capacity: 16)
        let rules = rules.map(\.plain)
        var source = fk_source(queue.view, rules, users: items.rows, items: items.rows, NegativeDraws(seed: 3).plain(20), labels: 0...1)
        for index in 0..<5 {
            queue.record(index).initialize(
                to: TrainingRecord(
                    position: UInt64(index), user: 1, item: UInt32(index), catalogue: 40, value: 0, weight: 1, type: 0, featureCount: 0,
                    kind: .interaction, hasValue: false))
        }
        #expect(run.take(.best, &source, from: 0, count: 5) == 5)
        var first = 0
        let before = (0..<5).map { event in
            defer { first += Int(run.batch.counts[event]) }
            return (first..<first + Int(run.batch.counts[event])).map { run.batch.ordinals[$0] }
        }
        var read = 0, write = 0
        for event in 0..<5 { run.settle(event: event, read: &read, write: &write) { $0 % 3 != 0 } }
        run.settled(items: write)
        first = 0
        for event in 0..<5 {
            let kept = [before[event][0]] + before[event].dropFirst().filter { $0 % 3 != 0 }
            #expect((first..<first + Int(run.batch.counts[event])).map { run.batch.ordinals[$0] } == kept)
            #expect((first..<first + kept.count).map { run.batch.labels[$0] } == [1] + Array(repeating: 0, count: kept.count - 1))
            first += kept.count
        }
        #expect(run.itemCount == first)
    }

    /// Many events counted together are what they are one by one, whatever the size of the batches; scores that are not finite
    /// do not count.
    @Test(arguments: [ModelSettings.Loss.squared, .logistic], [1, 4])
    func eventsCountTheSameTogether(loss: ModelSettings.Loss, size: Int) throws {
        let portable = try #require(Kernels(.portable))
        let apart = Prequential(loss: loss, kernels: portable), together = Prequential(loss: loss, kernels: portable)
        var dice = Dice(size), position: UInt64 = 0
        let queue = TrainerQueue(capacity: 64), rules = [TypeRule(label: .value).plain]
        let table = FactorTable(rank: 8, perCoordinate: false, seed: 2, deviation: 0.1)
        for _ in 0..<80 {
            var run = EventRun(width: 8, isSingle: false)
            defer { run.deallocate() }
            let count = 1 + dice.below(40)
            for index in 0..<count {
                position += 1
                queue.record(index).initialize(
                    to: TrainingRecord(
                        position: position, user: 1, item: 2, catalogue: 1000, value: Float(dice.below(2)), weight: 1, type: 0,
                        featureCount: 0, kind: .interaction, hasValue: true))
            }
            var source = fk_source(queue.view, rules, users: table.rows, items: table.rows, NegativeDraws(seed: 3).plain(size - 1), labels: 0...1)
            let taken = run.take(.best, &source, from: 0, count: count)
            for item in 0..<run.itemCount { run.batch.scores[item] = dice.below(500) == 0 ? .nan : Float(dice.real(-3...3)) }
            var first = 0
            for event in 0..<run.count {
                let items = (first..<first + Int(run.batch.counts[event])).map {
                    var item = fk_item()
                    item.label = run.batch.labels[$0]
                    item.score = run.batch.scores[$0]
                    return item
                }
                apart.record(items, count: items.count, position: run.batch.positions[event])
                first += items.count
            }
            #expect(together.record(&run, count: run.count) == run.itemCount)
            position -= UInt64(count - taken)
        }
        let (a, b) = (apart.state, together.state)
        #expect(a.sums.events == b.sums.events && a.sums.comparisons == b.sums.comparisons && a.sums.wins == b.sums.wins)
        #expect(a.plain.lowest == b.plain.lowest && a.plain.highest == b.plain.highest && a.plain.batch_count == b.plain.batch_count && a.alarm.batches == b.alarm.batches)
        for (one, other) in [
            (a.sums.loss, b.sums.loss), (a.sums.recentLoss, b.sums.recentLoss), (a.sums.recentEvents, b.sums.recentEvents),
            (a.sums.recentWins, b.sums.recentWins), (a.sums.recentComparisons, b.sums.recentComparisons), (a.batchLoss, b.batchLoss),
            (a.alarm.mean, b.alarm.mean),
        ] { #expect(abs(one - other) <= 1e-9 * max(1, abs(one)), "\(one) \(other)") }
        #expect(a.alarm.batches > 0)
    }
}
