import CKernels
import Foundation
import Testing

@testable import Factorization

/// Rows of users re-solved from what is held of them (`Learner.refine`).
@Suite struct RefinementTests {
    static let cases = KindCase.kinds.map { AnswerCase(kind: $0) } + [AnswerCase(kind: KindCase(kind: .fm, loss: .bpr))]
        + [AnswerCase(kind: KindCase(kind: .mf), history: 0, isDescribed: false), AnswerCase(kind: KindCase(kind: .mf), unobserved: .regularized)]

    private func refine(_ engine: Engine, first: Int = 0, count: Int = EventRecord.mostRefined) {
        let batch = EventBatch(recordCapacity: 1, textCapacity: 1)
        #expect(batch.appendRefinement(of: first, count: count, hashing: engine.hashing))
        engine.learnNow(batch)
    }

    private func row(_ engine: Engine, _ user: UInt32) -> [Double] {
        let own = ReferenceRow(engine.models[0].users, user)
        return own.v + [own.w]
    }

    @Test(arguments: cases) func aRowMovesToTheMinimumThatBruteForceFinds(_ test: AnswerCase) throws {
        for optimizer in [ModelSettings.Optimizer.sgd, .adagrad] where test.unobserved == .sampled || optimizer == .sgd {
            var settings = test.settings(optimizer)
            settings.refinement = .init(passes: 2, decay: 0.7)
            // Who has seen all few items has no pair left.
            settings.verifiedNegatives = optimizer == .sgd && !settings.loss.isPairwise
            let engine = test.engine(settings), model = engine.models[0], user = engine.user(2)
            engine.settleGlobalBias()
            let before = row(engine, user)
            var held = [UInt32](repeating: 0, count: engine.shared.userItems.historyLength)
            let count = held.withUnsafeMutableBufferPointer { engine.shared.userItems.history(of: user, into: $0) }
            let taken = held[..<count].enumerated().map { (item: $1, weight: pow(0.7, Double($0))) }.filter { $0.weight > 0.05 }.reversed()
            try #require(count >= 3)
            let word = mix64(NegativeDraws(seed: settings.seed).word(at: engine.appliedPosition + 1) &+ UInt64(user))
            let seen = (0..<UInt32(engine.items.count)).filter { settings.verifiedNegatives && engine.shared.userItems.hasSeen($0, user: user) }
            let objective = FitObjective(
                engine, Array(taken), attributes: engine.attributes(user: user), context: [], draws: 16, passes: 2,
                anchor: (before, Double(fk_read_state(model.users.state(user)).factor_accumulator)), word: word, barred: Set(seen))
            let want = objective.minimum(), least = objective.value(want), start = objective.value(before)
            refine(engine)
            let got = row(engine, user)
            #expect(start - least > 1e-4, "there must be something to gain")
            #expect(objective.value(got) <= least + 1e-3 * (start - least), "\(optimizer): \(objective.value(got)), brute force \(least), before \(start)")
            #expect(got.last == before.last, "the weight stays")
            #expect(engine.refined(0) > 0)
        }
    }

    private func settings(trainers: Int = 1, replays: Bool = false) -> EngineSettings {
        var settings = EngineSettings(
            models: [ModelSettings(name: "a", rank: 4, negatives: 2), ModelSettings(name: "b", rank: 4, negatives: 2, history: .init(length: 3))],
            trainers: trainers, queueCapacity: 64, historyLength: 5)
        settings.models[0].refinement.passes = 3
        return settings
    }

    @Test func onlyRowsOfTheNamedUsersMove() {
        let engine = Engine(settings: settings()), other = Engine(settings: settings())
        let events = randomEvents(500, users: 40, items: 60, seed: 3)
        for each in [engine, other] { each.learn(events) }
        refine(engine, first: 8, count: 4)
        #expect(engine.appliedPosition == 501 && engine.refined(0) == 4 && engine.refined(1) == 0)
        let (mine, its) = (MemoryState(engine).sections, MemoryState(other).sections)
        let changed = Set(mine.keys.filter { mine[$0] != its[$0] && $0.contains("/factors") })
        #expect(!changed.isEmpty && changed.allSatisfy { $0.hasPrefix("model/a/users/factors") }, "\(changed)")
        for user in 0..<UInt32(engine.users.count) {
            let moved = row(engine, user) != row(other, user)
            #expect(moved == (8..<12).contains(user), "user \(user)")
        }
        // Ordinals that nobody has, and orders that are none, take their positions all the same: a replay comes to the same ones.
        refine(engine, first: 1000)
        #expect(engine.appliedPosition == 502 && engine.refined(0) == 4)
    }

    @Test func whoHasTakenNothingIsLeftAlone() {
        let engine = Engine(settings: settings())
        engine.describe(user: 7, [TestFeature(field: "age", value: 3, weight: 0.6)])
        engine.learn([TestEvent(user: 1, item: 1)])
        let before = row(engine, engine.user(7))
        refine(engine)
        #expect(row(engine, engine.user(7)) == before && engine.refined(0) == 1)
    }

    @Test func theJournalHoldsIt() throws {
        let batch = EventBatch(recordCapacity: 4, textCapacity: 16), hashing = KeyHash(seed: 0)
        #expect(batch.appendRefinement(of: 123_456, count: 9, hashing: hashing))
        let encoder = BatchEncoder(), again = EventBatch(recordCapacity: 4, textCapacity: 16)
        try withExtendedLifetime(encoder) { try again.decode(encoder.encode(batch, withMessages: false), hashing: hashing) }
        #expect(again.records[0].kind == .refine && again.records[0].user.payload == 123_456 && again.records[0].item.payload == 9)
    }

    /// A state that was copied while the stream went on, with orders before, within and after its window. Items stand still, and so
    /// do lists from the capture on: then a user's row follows from its own events and orders alone, bit by bit, whoever works when.
    @Test(arguments: 0..<40) func rowsAreReSolvedOnceWhateverTheStateCaught(_ seed: Int) throws {
        var dice = Dice(seed + 900), settings = settings(trainers: 1 + seed % 3)
        settings.models = [settings.models[0]]
        settings.models[0].rates = .init(user: 0.1, item: 0, context: 0, weight: 0, history: 0)
        settings.models[0].globalRate = 0
        settings.eventTypes = ["look": TypeRule(marksSeen: false)]
        let events = randomEvents(700, users: 40, items: 60, context: 0, seed: seed).enumerated().map { place, event in
            var event = event
            if place >= 250 { event.type = "look" }
            return event
        }
        var steps: [StreamStep] = events.map { event in { $0.append(event) } }
        for _ in 0..<60 {
            let first = dice.below(40), place = 250 + dice.below(steps.count - 250)
            steps.insert({ #expect($0.batch.appendRefinement(of: first, count: 1 + first % 16, hashing: $0.hashing)) }, at: place)
        }
        let whole = GateDriver(Engine(settings: settings), steps[...], seed: seed)
        whole.finish()
        let first = GateDriver(Engine(settings: settings), steps[...], seed: seed + 1)
        let start = 250 + dice.below(200)
        while first.next < start { first.move() }
        first.settle()
        let (state, next) = first.capture(moves: 1 + dice.below(12))
        let second = Engine(settings: settings)
        try second.restore(from: state)
        GateDriver(second, steps[next...], seed: seed + 2).finish()
        #expect(second.appliedPosition == whole.engine.appliedPosition)
        for user in 0..<UInt32(whole.engine.users.count) { #expect(row(second, user) == row(whole.engine, user), "user \(user)") }
    }

    /// A state of a moment at which everybody stood: bit by bit.
    @Test(arguments: 0..<10) func aReplayFromAStandingStateIsExact(_ seed: Int) throws {
        var dice = Dice(seed)
        let whole = Engine(settings: settings()), first = Engine(settings: settings()), second = Engine(settings: settings())
        let events = randomEvents(600, users: 40, items: 60, seed: seed), cut = 100 + dice.below(400)
        var orders: [Int: Int] = [:]
        for _ in 0..<40 { orders[dice.below(600)] = dice.below(40) }
        func feed(_ engine: Engine, _ range: Range<Int>) {
            for place in range {
                engine.learn([events[place]])
                if let user = orders[place] { refine(engine, first: user, count: 5) }
            }
        }
        feed(whole, 0..<600)
        feed(first, 0..<cut)
        try second.restore(from: MemoryState(first))
        feed(second, cut..<600)
        #expect(whole.refined(0) > 0)
        #expect(MemoryState(second).sections == MemoryState(whole).sections)
    }
}
