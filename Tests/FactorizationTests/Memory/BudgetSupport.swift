import CKernels

@testable import Factorization

/// An engine whose tables are full with about `rows` users and items together.
func boundedEngine(
    rows: Int, model: ModelSettings = ModelSettings(rank: 4, negatives: 2), trainers: Int = 1, histories: Bool = true, replay: Int = 0,
    idle: Int = 0, sightings: Int = 2, halfLife: Int = 2000
) -> Engine {
    var settings = EngineSettings(
        models: [model], trainers: trainers, queueCapacity: 64, historyLength: histories ? 8 : 0, seenLimit: histories ? 100 : 0)
    settings.historyBudget = 1 << 20
    settings.replayCapacity = replay
    settings.popularityHalfLife = halfLife
    settings.memory.idleEvents = idle
    settings.memory.admissionSightings = sightings
    guard rows > 0 else { return Engine(settings: settings) }
    let probe = Engine(settings: settings), cost = probe.sequencer.keeper.costs[0]
    settings.memory.budget = (RowKeeper.reserved(settings, models: probe.models) + rows * cost) / 31 * 32
    return Engine(settings: settings)
}

/// Events whose items follow Zipf's law with exponent 1 over `items` ids, users uniform.
func zipfEvents(_ count: Int, users: Int, items: Int, offset: Int64 = 0, seed: Int) -> [TestEvent] {
    var dice = Dice(seed)
    return (0..<count).map { _ in
        let rank = min(Int(Double(items + 1).power(dice.real(0...1))), items)
        return TestEvent(user: Int64(dice.below(users)), item: Int64(rank) + offset)
    }
}

extension Double {
    fileprivate func power(_ exponent: Double) -> Double { fk_power(self, exponent) }
}

extension Engine {
    /// All places where an item's ordinal can stand beside its own row.
    func mentions(ofItem item: UInt32) -> [String] {
        var found: [String] = []
        for user in 0..<UInt32(users.count) {
            let blocks = shared.userItems.blocks(of: user)
            if blocks.history?.items.contains(item) == true { found.append("history of \(user)") }
            if blocks.seen?.items.contains(item) == true { found.append("seen by \(user)") }
        }
        if let replay = shared.replay {
            for shard in 0..<Placement.shardCount {
                for event in replay.state(shard).events where event.user != Placement.none && event.item == item { found.append("replay") }
            }
        }
        if shared.attributes.items[item] != nil { found.append("attributes") }
        return found
    }
}
