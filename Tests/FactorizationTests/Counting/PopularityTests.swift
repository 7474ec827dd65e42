import Foundation
import Testing

@testable import Factorization

@Suite struct PopularityTests {
    private func shared(halfLife: Int, items: Int) -> SharedState {
        var settings = EngineSettings()
        settings.popularityHalfLife = halfLife
        let shared = SharedState(settings: settings)
        for item in 0..<items {
            let key = Key(integer: Int64(item), hashing: shared.hashing)
            shared.items.publish(shared.items.admit(key)!, key: key)
        }
        return shared
    }

    /// Counts against Σ 2^(−age/h) in double, over several rebases.
    @Test(arguments: 0..<3) func countsFadeByTheHalfLifeAndKeepTheirOrder(_ seed: Int) {
        let halfLife = 1000, items = 40
        let shared = shared(halfLife: halfLife, items: items)
        var dice = Dice(seed), expected = [Double](repeating: 0, count: items), rebases = Set<UInt64>()
        var last = [UInt64](repeating: 0, count: items)
        func settle(_ item: Int, _ position: UInt64) {
            expected[item] *= pow(2, -Double(position - last[item]) / Double(halfLife))
            last[item] = position
        }
        for position in 1...UInt64(200_000) {
            let item = min(dice.below(items), dice.below(items))
            settle(item, position)
            expected[item] += 1
            shared.items.count(UInt32(item), by: shared.increment(at: position))
            let rebased = rebases.insert(shared.decay.shown.bits >> 32).inserted
            guard rebased || position % 7919 == 0 else { continue }
            shared.decay.publish()
            for index in 0..<items { settle(index, position) }
            let counts = (0..<items).map { Double(shared.items.frequency(UInt32($0))) }
            for (count, truth) in zip(counts, expected) { #expect(abs(count - truth) <= 1e-5 * truth, "\(position)") }
            let order = (0..<items).sorted { expected[$0] > expected[$1] }
            for (left, right) in zip(order, order.dropFirst()) where expected[left] > 1.0001 * expected[right] {
                #expect(counts[left] > counts[right])
            }
        }
        #expect(rebases.count == 4, "200 half-lives are three rebases")
    }

    @Test func aReaderAmidARebaseSeesNoOtherCounts() {
        let shared = shared(halfLife: 1000, items: 3)
        shared.items.count(0, by: 3)
        shared.items.count(1, by: 5)
        var position: UInt64 = 0
        repeat { position += 1 } while !shared.decay.advance(to: position)
        shared.decay.publish()
        let before = (0..<3).map { shared.items.frequency($0) }
        #expect(before[0] > 0 && before[1] / before[0] > 1.66)
        shared.decay.rebase()
        let during = (0..<3).map { shared.items.frequency($0) }
        shared.items.beginRebase()
        // A count that is changed before its turn comes.
        let stored = shared.items.storedFrequency(1)
        shared.items.count(1, by: 0)
        #expect(shared.items.storedFrequency(1) == stored && (0..<3).map { shared.items.frequency($0) } == before)
        #expect(shared.items.goOnRebasing(1) == 0 && (0..<3).map { shared.items.frequency($0) } == before)
        #expect(shared.items.goOnRebasing(5) == 3)
        #expect(during == before && (0..<3).map { shared.items.frequency($0) } == before)
        // A new id amid all this starts at nothing and counts one.
        let key = Key(integer: 77, hashing: shared.hashing)
        shared.items.publish(shared.items.admit(key)!, key: key)
        #expect(shared.items.frequency(3) == 0)
        shared.items.count(3, by: Float(shared.decay.increment))
        #expect(abs(shared.items.frequency(3) - 1) < 1e-6)
    }

    @Test func aStateAmidARebaseIsThatAfterIt() {
        var settings = EngineSettings(models: [ModelSettings(rank: 2, negatives: 0)])
        settings.popularityHalfLife = 1000
        let engine = Engine(settings: settings)
        engine.learn((0..<64_400).map { TestEvent(user: Int64($0 % 3000), item: Int64($0 % 7)) })
        // All are in the rebase that is due at 64,000, and a few hundred have taken part by now.
        let amid = MemoryState(engine)
        #expect(engine.shared.decay.sign != 0 && engine.users.goOnRebasing(0) == 0 && engine.users.goOnRebasing(3000) > 0)
        #expect(engine.users.goOnRebasing(1) == 1)
        #expect(MemoryState(engine).differences(amid) == [])
    }

    @Test func whatWasCountedOnceNeverBecomesNothing() {
        let shared = shared(halfLife: 1000, items: 2)
        shared.items.count(0, by: 1)
        for position in stride(from: UInt64(1000), through: 400_000, by: 1000) { _ = shared.increment(at: position) }
        #expect(shared.items.storedFrequency(0) > 0 && shared.items.frequency(1) == 0)
    }

    @Test func withoutAHalfLifeCountsAreWhole() {
        let engine = Engine(settings: EngineSettings(models: [ModelSettings(rank: 2, negatives: 0)]))
        engine.learn((0..<500).map { TestEvent(user: 1, item: Int64($0 % 3)) })
        #expect(engine.users.frequency(0) == 500 && engine.items.frequency(0) == 167)
    }

    @Test func theFallbackFollowsWhatIsPopularNow() {
        var settings = EngineSettings(models: [ModelSettings(rank: 2, negatives: 0)])
        settings.popularityHalfLife = 1000
        let engine = Engine(settings: settings)
        engine.learn((0..<5000).map { _ in TestEvent(user: 1, item: 1) })
        engine.learn((0..<2000).map { _ in TestEvent(user: 1, item: 2) })
        let answer = Scorer(engine: engine).recommend(RecommendQuery(user: Placement.none, count: 2))
        #expect(answer.items.map(\.item) == [1, 0] && answer.isFallback)
    }

    @Test func countsGoOnAlikeAfterASnapshot() throws {
        var settings = EngineSettings(models: [ModelSettings(rank: 2, negatives: 0)])
        settings.popularityHalfLife = 1000
        let engine = Engine(settings: settings), other = Engine(settings: settings)
        engine.learn(randomEvents(4000, context: 0, seed: 1))
        // The last count lies before the last position.
        let builder = BatchBuilder(engine)
        builder.append(.hideItem, item: 3)
        builder.append(.undo, user: 2, item: 3)
        builder.append(.hideItem, item: 4)
        engine.learnNow(builder.batch)
        try other.restore(from: MemoryState(engine))
        let more = randomEvents(3000, context: 0, seed: 2)
        engine.learn(more)
        other.learn(more)
        #expect(MemoryState(engine).differences(MemoryState(other)) == [])
        for item in 0..<UInt32(engine.items.count) { #expect(engine.items.frequency(item) == other.items.frequency(item)) }
    }
}
