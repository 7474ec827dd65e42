import CKernels
import Testing

@testable import Factorization

/// An engine of few items, and batches, for tests of `HotRows`.
enum HotRowsCase {
    static let items = 40

    /// An engine that knows some users and items; an item is the likelier the lower its number.
    static func engine(trainers: Int, optimizer: ModelSettings.Optimizer = .adagrad, negatives: Int = 0, rate: Float = 0.1) -> Engine {
        let engine = Engine(
            settings: EngineSettings(
                models: [
                    ModelSettings(
                        rank: 8, loss: negatives > 0 ? .logistic : .squared, optimizer: optimizer,
                        rates: .init(user: rate, item: rate, context: rate, weight: rate), negatives: negatives, verifiedNegatives: false)
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
        /// - Parameter importance: of each event; its user's factors are all the root of `square` divided by their number.
        init(_ ordinals: [UInt32], _ model: Model, position: UInt64, importance: Float = 1, square: Float = 0) {
            let count = ordinals.count
            plain.event_count = UInt32(count)
            plain.item_count = UInt32(count)
            plain.ordinals = .allocate(capacity: count)
            plain.factors = .allocate(capacity: count)
            plain.states = .allocate(capacity: count)
            plain.positions = .allocate(capacity: count)
            plain.weights = .allocate(capacity: count)
            plain.weights.initialize(repeating: importance, count: count)
            plain.queries = .allocate(capacity: 1)
            plain.queries[0] = .allocate(capacity: model.width)
            plain.queries[0]!.initialize(repeating: (square / Float(model.width)).squareRoot(), count: model.width)
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
            plain.weights.deallocate()
            plain.queries[0]!.deallocate()
            plain.queries.deallocate()
        }
    }

    /// Meets item 7 many times, and turns: from the next batch on its row is copied.
    static func meetSeven(_ hot: HotRows, _ model: Model, importance: Float = 1, square: Float = 0) {
        var met = Batch([UInt32](repeating: 7, count: 200), model, position: 1, importance: importance, square: square)
        defer { met.deallocate() }
        hot.redirect(&met.plain, event: 0, item: 0, waiting: 0)
        #expect((0..<200).allSatisfy { met.plain.factors[$0] == model.items.factors(7) } && hot.heldFrom == .max && !hot.isOpen, "few events wait")
        hot.turn()
        hot.redirect(&met.plain, event: 0, item: 0, waiting: HotRows.leastWaiting)
        #expect((0..<200).allSatisfy { met.plain.factors[$0] == model.items.factors(7) } && hot.heldFrom == 1 && hot.isOpen, "the copy is made now")
        hot.measure(&met.plain, items: 200)
        hot.settle(all: false)
    }
}
