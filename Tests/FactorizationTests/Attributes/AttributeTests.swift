import CKernels
import Testing

@testable import Factorization

@Suite struct AttributeTests {
    private static let kinds: [ModelSettings.Kind] = [.mf, .fm]

    private func settings(_ kind: ModelSettings.Kind, _ optimizer: ModelSettings.Optimizer = .adagrad, negatives: Int = 0) -> EngineSettings {
        var settings = ModelCase(kind: kind, loss: .squared, optimizer: optimizer).settings(rank: 6, negatives: negatives)
        settings.rates.attribute = 0.08
        settings.l2.attribute = 0.015
        if optimizer == .sgd {
            // Rates at which plain sgd over sums of many rows stays calm.
            settings.rates = .init(user: 0.01, item: 0.012, context: 0.014, weight: 0.006, attribute: 0.008)
            settings.deviation = 0.3
        }
        return EngineSettings(models: [settings], queueCapacity: 256)
    }

    /// Attributes on about half of the entities: categories, several values of one field, and numbers.
    private func attributes(_ dice: inout Dice) -> [TestFeature] {
        (0..<dice.below(5)).map { _ in
            TestFeature(field: "a\(dice.below(3))", value: Int64(dice.below(4)), weight: dice.below(2) == 0 ? 1 : Float(dice.real(-1.5...1.5)))
        }
    }

    private func filled(_ settings: EngineSettings, seed: Int, users: Int = 8, items: Int = 60) -> Engine {
        let engine = Engine(settings: settings)
        var dice = Dice(seed)
        for round in 0..<3 {
            let builder = BatchBuilder(engine)
            for item in 0..<items where dice.below(2) == 0 { builder.append(attributes: attributes(&dice), item: Int64(item)) }
            for user in 0..<users where dice.below(2) == 0 { builder.append(attributes: attributes(&dice), user: Int64(user)) }
            engine.learnNow(builder.batch)
            engine.learn(randomEvents(150, users: users, items: items, seed: seed * 3 + round))
        }
        return engine
    }

    @Test(arguments: kinds) func scoresEqualTheSumOverPairs(_ kind: ModelSettings.Kind) {
        for seed in 0..<8 {
            let engine = filled(settings(kind), seed: seed), scorer = Scorer(engine: engine)
            var dice = Dice(seed), described = 0
            for _ in 0..<30 {
                let context = (0..<dice.below(3)).map { _ in
                    (ordinal: UInt32(dice.below(engine.contexts.count)), weight: Float(dice.real()))
                }
                let user = UInt32(dice.below(engine.users.count)), item = UInt32(dice.below(engine.items.count))
                described += engine.attributes(item: item).count + engine.attributes(user: user).count
                let expected = AttributeReference(engine, user: user, item: item, context: context).score
                let got = Double(scorer.score(user: user, items: [item], features: context)[0])
                #expect(abs(got - expected) <= 1e-5 * max(1, abs(expected)), "\(got) \(expected)")
            }
            #expect(described > 20)
        }
    }

    @Test(arguments: kinds) func recommendEqualsBruteForce(_ kind: ModelSettings.Kind) {
        for seed in 0..<8 {
            let engine = filled(settings(kind), seed: seed), scorer = Scorer(engine: engine)
            for user in 0..<UInt32(engine.users.count) {
                let items = (0..<UInt32(engine.items.count)).map { $0 }
                let expected = zip(items, scorer.score(user: user, items: items)).map { ScoredItem(item: $0, score: $1) }
                    .sorted { $0.precedes($1) }.prefix(10)
                let got = scorer.recommend(RecommendQuery(user: user, count: 10, excludesSeen: false))
                #expect(got.items == Array(expected) && !got.isFallback)
            }
        }
    }

    @Test(arguments: kinds) func everyRowOfBothSidesTakesItsStep(_ kind: ModelSettings.Kind) {
        for seed in 0..<4 {
            let engine = filled(settings(kind, .sgd), seed: seed)
            for event in randomEvents(40, users: 8, items: 60, context: 1, seed: 100 + seed) {
                let user = engine.user(event.user), item = engine.item(event.item)
                guard user != Placement.none, item != Placement.none else { continue }
                let context = event.context.map { (ordinal: engine.context($0), weight: $0.weight) }
                let before = AttributeReference(engine, user: user, item: item, context: context)
                // A row that stands twice in a side takes two steps; the plain formula is for rows that stand once.
                let lists = [engine.attributes(user: user), engine.attributes(item: item)]
                guard lists.allSatisfy({ Set($0.map(\.ordinal)).count == $0.count }) else { continue }
                engine.learn([event])
                let after = AttributeReference(engine, user: user, item: item, context: context)
                let error = before.score - Double(event.value!)
                for (index, row) in before.features.enumerated() {
                    let now: ReferenceFeature = after.features[index]
                    for (f, slope) in before.slope(index).enumerated() {
                        let gradient: Double = error * slope + row.l2 * row.v[f], step: Double = row.rate * gradient
                        let off: Double = abs(row.v[f] - now.v[f] - step)
                        #expect(off <= 1e-4 * abs(step) + 1e-6, "\(kind) row \(index)")
                    }
                    let weightGradient: Double = error * row.x + 0.05 * row.w, weightStep: Double = 0.006 * weightGradient
                    let weightOff: Double = abs(row.w - now.w - weightStep)
                    #expect(weightOff <= 1e-4 * abs(weightStep) + 1e-6)
                }
            }
        }
    }

    /// An attribute that an item names twice counts with the sum of its x, and takes one step.
    @Test(arguments: ModelSettings.Optimizer.allCases) func anAttributeNamedTwiceIsOneOfTheSum(_ optimizer: ModelSettings.Optimizer) {
        func feature(_ weight: Float) -> TestFeature { TestFeature(field: "genre", value: 1, weight: weight) }
        let twice = Engine(settings: settings(.mf, optimizer)), once = Engine(settings: settings(.mf, optimizer))
        for item in 0..<3 as Range<Int64> {
            twice.describe(item: item, [feature(0.5), TestFeature(field: "tag", value: item), feature(0.75)])
            once.describe(item: item, [feature(1.25), TestFeature(field: "tag", value: item)])
        }
        for engine in [twice, once] { engine.learn((0..<60).map { TestEvent(user: Int64($0 % 4), item: Int64($0 % 3), value: Float($0 % 2)) }) }
        for ordinal in 0..<UInt32(once.itemAttributes.count) {
            let got = ReferenceRow(twice.models[0].itemAttributes, ordinal), want = ReferenceRow(once.models[0].itemAttributes, ordinal)
            for (a, b) in zip(got.v + [got.w], want.v + [want.w]) { #expect(abs(a - b) <= 1e-4 * abs(b) + 1e-6, "attribute \(ordinal)") }
            // A row without an accumulator has stepped all the same; one step an event.
            #expect(twice.models[0].itemAttributes.state(ordinal).pointee.updates == once.models[0].itemAttributes.state(ordinal).pointee.updates)
        }
    }

    @Test(arguments: ModelSettings.Optimizer.allCases) func learningLowersTheLossAndStaysFinite(_ optimizer: ModelSettings.Optimizer) {
        for kind in Self.kinds {
            let engine = filled(settings(kind, optimizer, negatives: 3), seed: 5)
            let scorer = Scorer(engine: engine)
            let events = (0..<40).map { (n: Int) in TestEvent(user: Int64(n % 8), item: Int64(n % 20), value: Float(n % 2)) }
            func loss() -> Float {
                var sum: Float = 0
                for event in events {
                    let error = scorer.score(user: engine.user(event.user), items: [engine.item(event.item)])[0] - event.value!
                    sum += error * error
                }
                return sum
            }
            let before = loss()
            for _ in 0..<15 { engine.learn(events) }
            #expect(loss().isFinite && loss() < before)
        }
    }

    @Test func theSameStreamGivesTheSameBitsHoweverItIsCut() {
        func run(_ cut: Int) -> MemoryState {
            let engine = Engine(settings: settings(.fm, negatives: 3))
            var dice = Dice(9)
            let events = randomEvents(200, users: 10, items: 30, seed: 4)
            var builder = BatchBuilder(engine)
            for event in events {
                builder.append(event)
                if dice.below(3) == 0 { builder.append(attributes: attributes(&dice), item: Int64(dice.below(40))) }
                if dice.below(5) == 0 { builder.append(attributes: attributes(&dice), user: Int64(dice.below(12))) }
                if builder.batch.recordCount >= cut {
                    engine.learnNow(builder.batch)
                    builder = BatchBuilder(engine)
                }
            }
            engine.learnNow(builder.batch)
            return MemoryState(engine)
        }
        let whole = run(1000)
        for cut in [1, 7, 100] { #expect(whole.differences(run(cut)) == []) }
    }

    @Test func aStateHoldsAttributesAndGoesOnAlike() throws {
        let engine = filled(settings(.fm, negatives: 3), seed: 3), state = MemoryState(engine)
        let other = Engine(settings: settings(.fm, negatives: 3))
        try other.restore(from: state)
        #expect(state.differences(MemoryState(other)) == [] && engine.userAttributes.count > 0 && engine.itemAttributes.count > 0)
        for engine in [engine, other] {
            engine.describe(item: 5, [TestFeature(field: "a0", value: 1), TestFeature(field: "new", value: 2)])
            engine.learn(randomEvents(100, users: 8, items: 60, seed: 77))
        }
        #expect(MemoryState(engine).differences(MemoryState(other)) == [])
        for section in ["attributes/items/0", "attributes/users/0"] {
            var damaged = state
            damaged.sections[section]!.removeLast()
            #expect(throws: StateError.damaged(section: section)) { try Engine(settings: settings(.fm)).restore(from: damaged) }
            damaged.sections[section] = nil
            #expect(throws: StateError.missing(section: section)) { try Engine(settings: settings(.fm)).restore(from: damaged) }
        }
        // An attribute that was never given out.
        var damaged = state
        var bytes = damaged.sections["attributes/items/0"]!
        let first = stride(from: 0, to: bytes.count, by: 4).first { bytes[$0] != 0 }!
        bytes.replaceSubrange(first + 4..<first + 8, with: [0xFF, 0xFF, 0, 0])
        damaged.sections["attributes/items/0"] = bytes
        #expect(throws: StateError.damaged(section: "attributes/items/0")) { try Engine(settings: settings(.fm)).restore(from: damaged) }
    }

    /// Two tastes, two genres; then items and users that nobody has met, known by their genre alone.
    @Test(arguments: kinds) func attributesSpeakForTheNewAndAnUpdateCountsAtOnce(_ kind: ModelSettings.Kind) {
        let engine = Engine(settings: EngineSettings(models: [ModelSettings(kind: kind, rank: 8, negatives: 4, deviation: 0.1)]))
        let scorer = Scorer(engine: engine)
        func genre(_ number: Int64) -> [TestFeature] { [TestFeature(field: "genre", value: number)] }
        for item in 0..<40 { engine.describe(item: Int64(item), genre(Int64(item % 2))) }
        for user in 0..<20 { engine.describe(user: Int64(user), [TestFeature(field: "club", value: Int64(user % 2))]) }
        var dice = Dice(1)
        engine.learn((0..<4000).map { _ in
            let user = dice.below(20)
            return TestEvent(user: Int64(user), item: Int64(dice.below(20) * 2 + user % 2))
        })
        for number in 0..<2 as Range<Int64> {
            engine.describe(item: 100 + number, genre(number))
            engine.describe(user: 100 + number, [TestFeature(field: "club", value: number)])
        }
        func prefers(_ user: Int64) -> Int64 {
            let scores = scorer.score(user: engine.user(user), items: [engine.item(100), engine.item(101)])
            return scores[0] > scores[1] ? 100 : 101
        }
        for user in [0, 1, 2, 3, 100, 101] as [Int64] { #expect(prefers(user) == 100 + user % 2, "user \(user)") }
        engine.describe(item: 100, genre(1))
        engine.describe(item: 101, genre(0))
        for user in [0, 1, 2, 3, 100, 101] as [Int64] { #expect(prefers(user) == 101 - user % 2, "user \(user) after the change") }
    }

    @Test func listsAreBoundedReplacedAndForgotten() {
        let engine = Engine(settings: settings(.mf))
        engine.describe(user: 1, (0..<70).map { TestFeature(field: "f", value: $0) })
        #expect(engine.attributes(user: 0).map(\.ordinal) == (0..<64).map { UInt32($0) })
        #expect(engine.sequencer.refusals.map(\.reason) == [.badFeature] && engine.sequencer.lastPosition == 1)
        engine.describe(item: 1, [TestFeature(field: "f", value: 1, weight: 2), TestFeature(field: "f", value: 2, weight: 1e6)])
        #expect(engine.attributes(item: 0).map(\.weight) == [2] && engine.itemAttributes.count == 1)
        engine.describe(item: 1, [])
        #expect(engine.attributes(item: 0).isEmpty && engine.shared.attributes.items.isEmpty)
        let builder = BatchBuilder(engine)
        builder.append(.forgetUser, user: 1)
        engine.learnNow(builder.batch)
        #expect(engine.attributes(user: 0).isEmpty && engine.shared.attributes.users.isEmpty)
        #expect(engine.appliedPosition == 4)
    }

    /// Every list that a reader finds is whole: all its ordinals are those of one upsert.
    @Test func readersSeeWholeListsWhileTheyAreReplaced() {
        let epochs = ReaderEpochs(), lists = AttributeLists(epochs: epochs), entities = 50
        for entity in 0..<UInt32(entities) { lists.ensure(entity) }
        let shared = Shared((epochs, lists))
        let writer: @Sendable () -> Void = {
            var dice = Dice(1)
            for version in 0..<40_000 {
                shared.value.1.set(UInt32(dice.below(entities)), count: 1 + dice.below(64)) { _ in
                    ResolvedFeature(ordinal: UInt32(version), weight: Float(version))
                }
            }
        }
        let reader: @Sendable () -> Void = {
            let (epochs, lists) = shared.value, ticket = epochs.register()
            var dice = Dice(10), torn = 0
            for _ in 0..<40_000 {
                epochs.reading(ticket) {
                    guard let list = lists[UInt32(dice.below(entities))] else { return }
                    let first = list[0]
                    for index in 0..<list.count where list[index].ordinal != first.ordinal || list[index].weight != first.weight {
                        torn += 1
                    }
                }
            }
            #expect(torn == 0)
        }
        onThreads([writer, reader, reader])
    }
}
