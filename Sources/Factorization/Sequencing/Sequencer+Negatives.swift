/// When the tables of popular negatives are built, and the newest of them. Sequencer only.
struct NegativeSchedule {
    /// Exponents on popularity, by model.
    let exponents: [Float]
    /// The first tables are built here: before, there is little to tell items apart.
    static let first: UInt64 = 1024
    /// Positions between two builds for each item, so that building costs the same few nanoseconds an event whatever the
    /// size of the catalogue, and its least.
    static let eventsPerItem = 2
    static let shortest = 1024

    /// The position after which tables are built next; the greatest number where no model asks for any.
    var next: UInt64
    var tables: NegativeTables?

    init(models: [Model]) {
        exponents = models.map { $0.settings.unobserved == .sampled && $0.settings.negatives > 0 ? $0.settings.popularityExponent : 0 }
        next = exponents.contains { $0 != 0 } ? NegativeSchedule.first : .max
    }
}

extension Sequencer {
    /// Builds tables from what was counted so far and hands them to every trainer, between two records. A trainer changes
    /// over where it meets them in its queue, so each event is learned with those that were valid at its position, however
    /// far behind the trainer is. False when a queue is full.
    @inline(never)
    func handOutTables() -> Bool {
        for queue in queues where !queue.hasSpace(features: 0) { return false }
        let count = shared.items.count
        // As of this position, not as readers see it: they are shown the decay once a batch.
        let scale = 1 / shared.increment(at: position)
        let frequencies = [Float](unsafeUninitializedCapacity: count) { buffer, written in
            for item in 0..<count { buffer[item] = shared.items.storedFrequency(UInt32(item)) * scale }
            written = count
        }
        let tables = NegativeTables(frequencies: frequencies, exponents: negatives.exponents)
        negatives.tables = tables
        negatives.next = position + UInt64(max(NegativeSchedule.shortest, NegativeSchedule.eventsPerItem * count))
        for queue in queues { queue.append(TrainingRecord(tables, position: position)) }
        return true
    }

    /// Goes on after a restored state. Before any thread starts. Answers the tables that the trainers start with.
    func restoreNegatives(next: UInt64, frequencies: [Float]) -> NegativeTables? {
        // Uniform until now, or uniform from now on: the schedule of a new engine stands.
        guard !frequencies.isEmpty, negatives.next != .max else { return nil }
        negatives.next = next
        negatives.tables = NegativeTables(frequencies: frequencies, exponents: negatives.exponents)
        return negatives.tables
    }
}
