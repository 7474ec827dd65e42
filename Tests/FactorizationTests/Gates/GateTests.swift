import Testing

@testable import Factorization

/// States that were copied while the stream went on: taken up, and the stream applied again, everything is there once.
@Suite struct GateTests {
    /// A stream with every kind of record; different for each seed.
    private static func stream(_ count: Int, seed: Int, users: Int = 60, items: Int = 80) -> [StreamStep] {
        var dice = Dice(seed &* 31 &+ 5), steps: [StreamStep] = []
        for event in randomEvents(count, users: users, items: items, context: 2, values: 0.2...1, seed: seed) {
            steps.append { $0.append(event) }
            let user = Int64(dice.below(users + 10)), item = Int64(dice.below(items + 10)), value = Int64(dice.below(5 + count / 200))
            let attribute = TestFeature(field: "a\(dice.below(3))", value: value, weight: Float(dice.real(0.4...1.2)))
            switch dice.below(40) {
            case 0, 1: steps.append { $0.append(attributes: [attribute], item: item) }
            case 2: steps.append { $0.append(attributes: [attribute], user: user) }
            case 3: steps.append { $0.append(.undo, user: event.user, item: event.item) }
            case 4: steps.append { $0.append(item % 2 == 0 ? .hideItem : .unhideItem, item: item) }
            case 5: steps.append { $0.append(item % 3 == 0 ? .forgetItem : .forgetUser, user: user, item: item) }
            default: break
            }
        }
        return steps
    }

    private func everything(_ seed: Int, trainers: Int) -> Engine {
        let test = EverythingCase.all[seed % EverythingCase.all.count]
        return test.engine(trainers: trainers)
    }

    /// Sections that must be as if nothing had happened, whatever trainers did when.
    private func differences(_ a: MemoryState, _ b: MemoryState) -> [String] {
        a.differences(b).filter { !$0.hasPrefix("model/") }
    }

    @Test(arguments: 0..<120) func everyPartIsThereOnce(_ seed: Int) throws {
        var dice = Dice(seed + 1000)
        let trainers = 1 + seed % 4, steps = Self.stream(900, seed: seed)
        let whole = everything(seed, trainers: trainers)
        GateDriver(whole, steps[...], seed: seed).finish()
        let first = GateDriver(everything(seed, trainers: trainers), steps[...], seed: seed + 1)
        let start = dice.below(steps.count * 2 / 3)
        while first.next < start { first.move() }
        let (state, next) = first.capture(moves: 1 + dice.below(12))
        // Another number of trainers now and then.
        let second = everything(seed, trainers: seed % 3 == 0 ? 1 + dice.below(4) : trainers)
        try second.restore(from: state)
        let again = GateDriver(second, steps[next...], seed: seed + 2)
        again.finish()
        #expect(second.windowEnd == nil && second.nonFiniteValues() == 0)
        #expect(second.appliedPosition == whole.appliedPosition)
        #expect(second.witness(0) == whole.witness(0))
        #expect(differences(MemoryState(second), MemoryState(whole)) == [])
        // And the engine that was captured has noticed nothing.
        first.finish()
        #expect(first.engine.witness(0) == whole.witness(0))
        #expect(differences(MemoryState(first.engine), MemoryState(whole)) == [])
    }
}
