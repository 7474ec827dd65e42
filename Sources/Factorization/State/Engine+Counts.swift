/// What was counted, in a state image: the popularity that fades, the tables of negatives, the replay reservoir and the
/// prequential metrics.
extension Engine {
    /// Trainers that a state can name: as many as there are shards.
    private static let mostTrainers = UInt32(Placement.shardCount)

    func restoreCounting(_ source: some StateSource, position: UInt64, _ pieces: PieceTable) throws {
        try read("popularity", source) { (reader) throws(StateError) in
            let increment = try reader.getDouble()
            guard increment >= 1, increment < PopularityDecay.limit else { throw .damaged(section: "popularity") }
            shared.decay.restore(increment: increment, position: position)
        }
        try restoreRecent(source)
        try restoreNegatives(source)
        try restoreReplay(source, pieces)
        for (index, model) in models.enumerated() {
            let section = "model/\(model.settings.name)/prequential"
            var saved: [PrequentialState] = []
            try read(section, source) { (reader) throws(StateError) in
                let count = try reader.get(UInt32.self)
                guard (1...Engine.mostTrainers).contains(count) else { throw .damaged(section: section) }
                for _ in 0..<count { saved.append(try PrequentialState(&reader, trainers: Int(count))) }
            }
            try restoreWindows(model, &saved, source)
            try restoreParts(model, &saved, source)
            for (trainer, state) in zip(trainers, PrequentialState.spread(saved, over: trainers.count)) {
                trainer.learners[index].prequential.restore(state)
            }
            try restoreLate(model, index, source)
        }
    }

    /// A state of a time before there were windows has none: they begin with it.
    private func restoreWindows(_ model: Model, _ states: inout [PrequentialState], _ source: some StateSource) throws {
        let section = "model/\(model.settings.name)/window"
        var windows: [PrequentialWindow] = []
        let count = states.count
        _ = try source.withSection(section) { (bytes) throws(StateError) in
            var reader = ByteReader(bytes, section: section)
            for _ in 0..<count { windows.append(try PrequentialWindow(&reader, trainers: count)) }
            try reader.expectEnd()
        }
        for (index, window) in windows.enumerated() { states[index].window = window }
    }

    /// In a state of a time before sums had parts each is in one.
    private func restoreParts(_ model: Model, _ states: inout [PrequentialState], _ source: some StateSource) throws {
        let section = "model/\(model.settings.name)/parts"
        var known = states
        _ = try source.withSection(section) { (bytes) throws(StateError) in
            var reader = ByteReader(bytes, section: section)
            for index in known.indices { try known[index].readParts(&reader) }
            try reader.expectEnd()
        }
        states = known
    }

    // MARK: w0 of events learned in runs

    /// With another number of trainers nothing waits: w0 has all changes.
    private func restoreLate(_ model: Model, _ index: Int, _ source: some StateSource) throws {
        let section = "model/\(model.settings.name)/late"
        var saved: [[Float]] = []
        try read(section, source) { (reader) throws(StateError) in
            let count = try reader.get(UInt32.self)
            guard count <= Engine.mostTrainers else { throw .damaged(section: section) }
            for _ in 0..<count {
                var late: [Float] = []
                for _ in 0..<EventRun.lateCount { late.append(try reader.getFloat()) }
                saved.append(late)
            }
        }
        let learners = trainers.map { $0.learners[index] }.filter(\.takesRuns)
        for (number, learner) in learners.enumerated() {
            if saved.count == learners.count { learner.run.pointee.late = saved[number] } else { learner.run.pointee.restore(model) }
        }
    }

    // MARK: Negatives: what the tables were built from

    private func restoreNegatives(_ source: some StateSource) throws {
        var next: UInt64 = 0, count = 0
        try read("negatives", source) { (reader) throws(StateError) in
            next = try reader.get()
            let saved = try reader.get(UInt64.self)
            guard saved <= UInt64(items.count) else { throw .damaged(section: "negatives") }
            count = Int(saved)
        }
        var frequencies: [Float] = []
        for start in stride(from: 0, to: count, by: Engine.idsPerSection) {
            let section = "negatives/\(start / Engine.idsPerSection)"
            try read(section, source) { (reader) throws(StateError) in
                for _ in start..<min(start + Engine.idsPerSection, count) {
                    let frequency = try reader.getFloat()
                    guard frequency >= 0, frequency.isFinite else { throw .damaged(section: section) }
                    frequencies.append(frequency)
                }
            }
        }
        guard let tables = sequencer.restoreNegatives(next: next, frequencies: frequencies) else { return }
        for trainer in trainers { trainer.use(tables) }
    }

    // MARK: Replay

    /// A sample of another size is no uniform one of this: where the capacity has changed, the reservoir begins anew.
    private func restoreReplay(_ source: some StateSource, _ pieces: PieceTable) throws {
        var places: UInt64 = 0
        try read("replay", source) { (reader) throws(StateError) in places = try reader.get() }
        guard let replay = shared.replay, places == UInt64(replay.places) else { return }
        let users = UInt32(pieces.counts[0]), items = UInt32(pieces.counts[1]), types = shared.types.allNames.count
        for shard in 0..<Placement.shardCount {
            let section = "replay/\(shard)"
            try read(section, source) { (reader) throws(StateError) in
                let offered = try reader.get(UInt64.self), count = Int(try reader.get(UInt32.self))
                guard count <= replay.places, offered >= UInt64(count) else { throw .damaged(section: section) }
                var events: [ReplayEvent] = []
                for _ in 0..<count {
                    let event = ReplayEvent(
                        user: try reader.get(), item: try reader.get(), label: try reader.getFloat(), weight: try reader.getFloat(),
                        type: try reader.get())
                    let isUser = event.user < users && Placement.shard(event.user) == shard || event.user == Placement.none
                    guard isUser, event.item < items, Int(event.type) < types, event.label.isFinite, event.weight.isFinite else {
                        throw .damaged(section: section)
                    }
                    events.append(event)
                }
                replay.restore(shard, offered: offered, events: events)
            }
        }
    }
}
