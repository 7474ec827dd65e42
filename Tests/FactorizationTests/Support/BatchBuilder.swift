import Testing

@testable import Factorization

/// Seeded numbers for tests.
struct Dice: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: Int) { state = mix64(UInt64(seed) &+ 77) }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return mix64(state)
    }
    mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
    mutating func real(_ range: ClosedRange<Double> = -1...1) -> Double { Double.random(in: range, using: &self) }
}

/// A context feature as tests write it.
struct TestFeature {
    var field: String
    var value: Int64
    var weight: Float = 1
}

/// One interaction as tests write it.
struct TestEvent {
    var user: Int64
    var item: Int64
    var value: Float?
    var weight: Float = 1
    var type = ""
    var context: [TestFeature] = []
}

/// Fills an `EventBatch` for an engine.
struct BatchBuilder {
    let batch: EventBatch
    let hashing: KeyHash

    init(_ engine: Engine, records: Int = 4096, features: Int = 4) {
        batch = EventBatch(recordCapacity: records, featureCapacity: records * features)
        hashing = engine.hashing
    }

    func key(_ id: Int64) -> Key { Key(integer: id, hashing: hashing) }

    func text(_ string: String) -> TextRange {
        var string = string
        return string.withUTF8 { batch.copyText(UnsafeRawBufferPointer($0))! }
    }

    func append(_ event: TestEvent) {
        let first = batch.featureCount
        for feature in event.context {
            #expect(batch.append(FeatureEntry(field: text(feature.field), value: key(feature.value), weight: feature.weight)))
        }
        #expect(
            batch.append(
                EventRecord(
                    kind: .interaction, user: key(event.user), item: key(event.item), type: text(event.type),
                    value: event.value, weight: event.weight, firstFeature: UInt32(first),
                    featureCount: UInt16(event.context.count))))
    }

    func append(_ kind: RecordKind, user: Int64 = 0, item: Int64 = 0, type: String = "") {
        #expect(batch.append(EventRecord(kind: kind, user: key(user), item: key(item), type: text(type))))
    }
}

extension Engine {
    /// Learns events in one batch.
    func learn(_ events: [TestEvent]) {
        let builder = BatchBuilder(self, records: max(events.count, 1))
        for event in events { builder.append(event) }
        learnNow(builder.batch)
    }

    func user(_ id: Int64) -> UInt32 { users.find(Key(integer: id, hashing: hashing)) }
    func item(_ id: Int64) -> UInt32 { items.find(Key(integer: id, hashing: hashing)) }
    func context(_ feature: TestFeature) -> UInt32 {
        let name = Array(feature.field.utf8)
        guard let namespace = name.withUnsafeBytes({ fields.namespace($0) }) else { return Placement.none }
        return contexts.find(Key(integer: feature.value, namespace: namespace, hashing: hashing))
    }
}

/// Random interactions over small sets of users and items.
func randomEvents(_ count: Int, users: Int = 20, items: Int = 30, context: Int = 2, values: ClosedRange<Double> = 0...1, seed: Int)
    -> [TestEvent]
{
    var dice = Dice(seed)
    return (0..<count).map { _ in
        var features: [TestFeature] = []
        for field in 0..<(context == 0 ? 0 : dice.below(context + 1)) {
            features.append(TestFeature(field: "f\(field)", value: Int64(dice.below(4)), weight: Float(dice.real(0.5...1.5))))
        }
        return TestEvent(
            user: Int64(dice.below(users)), item: Int64(dice.below(items)), value: Float(dice.real(values)), context: features)
    }
}

extension BatchBuilder {
    /// An upsert of an item's or a user's attributes.
    func append(attributes: [TestFeature], user: Int64? = nil, item: Int64? = nil) {
        let first = batch.featureCount
        for attribute in attributes {
            #expect(
                batch.append(
                    FeatureEntry(field: text(attribute.field), value: key(attribute.value), weight: attribute.weight)))
        }
        #expect(
            batch.append(
                EventRecord(
                    kind: user == nil ? .itemAttributes : .userAttributes, user: key(user ?? 0), item: key(item ?? 0),
                    firstFeature: UInt32(first), featureCount: UInt16(attributes.count))))
    }
}

extension Engine {
    /// Upserts the attributes of one entity.
    func describe(user: Int64? = nil, item: Int64? = nil, _ attributes: [TestFeature]) {
        let builder = BatchBuilder(self)
        builder.append(attributes: attributes, user: user, item: item)
        learnNow(builder.batch)
    }

    /// An entity's attributes as they are held.
    func attributes(user: UInt32) -> [ResolvedFeature] { attributes(shared.attributes.users[user]) }
    func attributes(item: UInt32) -> [ResolvedFeature] { attributes(shared.attributes.items[item]) }
    private func attributes(_ list: AttributeList?) -> [ResolvedFeature] { list.map { list in (0..<list.count).map { list[$0] } } ?? [] }
}

extension Engine {
    /// Events learned in runs see w0 three events late; from here on the next one sees it as it is, as the formulas have it.
    func settleGlobalBias() {
        for trainer in trainers { for (learner, model) in zip(trainer.learners, models) { learner.run.pointee.restore(model) } }
    }
}
