import CKernels

@testable import Factorization

/// An engine of few items, and batches, for tests of `HotRows`.
enum HotRowsCase {
    static let items = 40

    /// An engine that knows some users and items; an item is the likelier the lower its number.
    static func engine(trainers: Int, optimizer: ModelSettings.Optimizer = .adagrad, negatives: Int = 0) -> Engine {
        let engine = Engine(
            settings: EngineSettings(
                models: [
                    ModelSettings(
                        rank: 8, loss: negatives > 0 ? .logistic : .squared, optimizer: optimizer, negatives: negatives, verifiedNegatives: false)
                ],
                otherEvents: TypeRule(label: negatives > 0 ? .constant(1) : .value, marksSeen: false), trainers: trainers, historyLength: 0, seenLimit: 0))
        let builder = BatchBuilder(engine, records: 400)
        for number in 0..<400 { builder.append(TestEvent(user: Int64(number), item: Int64(number % items), value: 3)) }
        engine.learnNow(builder.batch)
        return engine
    }

    /// Events of the users of one trainer.
    static func events(_ count: Int, trainer: Int, of trainers: Int, seed: Int) -> [ResolvedInteraction] {
        var dice = Dice(seed)
        let users = (0..<UInt32(400)).filter { Placement.shard($0) % trainers == trainer }
        return (0..<count).map { _ in
            let item = UInt32(Double(items) * dice.real(0...0.999) * dice.real(0...0.999))
            return ResolvedInteraction(user: users[dice.below(users.count)], item: item, value: Float(1 + (item + 2) % 5))
        }
    }

    static func updates(_ engine: Engine) -> Int {
        (0..<UInt32(engine.items.count)).reduce(0) { $0 + Int(fk_read_state(engine.models[0].items.state($1)).updates) }
    }

    /// One item's part of a batch.
    struct Batch {
        var plain = fk_batch()
        init(_ ordinals: [UInt32], _ model: Model, position: UInt64) {
            let count = ordinals.count
            plain.event_count = UInt32(count)
            plain.item_count = UInt32(count)
            plain.ordinals = .allocate(capacity: count)
            plain.factors = .allocate(capacity: count)
            plain.states = .allocate(capacity: count)
            plain.positions = .allocate(capacity: count)
            for (index, ordinal) in ordinals.enumerated() {
                plain.ordinals[index] = ordinal
                plain.factors[index] = model.items.factors(ordinal)
                plain.states[index] = model.items.state(ordinal)
                plain.positions[index] = position + UInt64(index)
            }
        }
        func deallocate() {
            plain.ordinals.deallocate()
            plain.factors.deallocate()
            plain.states.deallocate()
            plain.positions.deallocate()
        }
    }
}
