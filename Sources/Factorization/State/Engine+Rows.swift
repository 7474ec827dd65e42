import Synchronization

/// Who has a row, who is to get one and what is in quarantine, in a state image.
extension Engine {
    private static let sightingsPerSection = 4 << 20

    /// After the ids: every hole must be on its way to another id, once.
    func restoreRows(_ source: some StateSource) throws {
        let keeper = sequencer.keeper
        var quarantine = Quarantine()
        var sightings = 0, seen: UInt64 = 0
        try read("rows", source) { (reader) throws(StateError) in
            keeper.taken = try reader.get()
            sequencer.evictions.store(Int(try reader.get(UInt64.self) & UInt64(Int.max)), ordering: .relaxed)
            quarantine.end = try reader.get()
            quarantine.endTaken = try reader.get()
            quarantine.lastRound = try reader.get()
            keeper.isDone = try reader.get(UInt8.self) != 0
            quarantine.isUrgent = try reader.get(UInt8.self) != 0
            var waiting: Set<UInt64> = []
            for side in RowSide.allCases {
                let count = UInt32(keeper.tables[side.rawValue].count)
                keeper.hands[side.rawValue] = try reader.get(UInt32.self)
                keeper.idleHands[side.rawValue] = try reader.get(UInt32.self)
                keeper.idleCredits[side.rawValue] = try reader.get()
                guard keeper.hands[side.rawValue] < max(count, 1), keeper.idleHands[side.rawValue] < max(count, 1),
                    keeper.idleCredits[side.rawValue] <= 1 << 62
                else { throw .damaged(section: "rows") }
                let free = try readRows(&reader, &waiting)
                guard free.allSatisfy({ $0.side == side }) else { throw .damaged(section: "rows") }
                keeper.free[side.rawValue] = free.map(\.ordinal)
            }
            quarantine.fresh = try readRows(&reader, &waiting)
            let resting = try readRows(&reader, &waiting), sweeping = try readRows(&reader, &waiting)
            let users = try reader.get(UInt64.self), steps = try reader.get(UInt64.self), done = try reader.get(UInt64.self)
            let most = UInt64(max(self.users.count, shared.replay?.places ?? 0, 1 << 32))
            guard users <= UInt64(self.users.count), steps <= most, steps == 0 || done < steps, sweeping.isEmpty == (steps == 0),
                waiting.count == keeper.tables.reduce(0, { $0 + $1.holeCount })
            else { throw .damaged(section: "rows") }
            func batch(_ rows: [FreedRow], users: Int, steps: Int) -> SweepBatch? {
                rows.isEmpty ? nil : SweepBatch(rows: rows, users: users, steps: steps, trainers: trainers.count)
            }
            quarantine.resting = batch(resting, users: 0, steps: 1)
            quarantine.sweeping = batch(sweeping, users: Int(users), steps: Int(steps))
            quarantine.stepsDone = Int(min(done, steps))
            sightings = Int(try reader.get(UInt64.self) & UInt64(Int.max))
            seen = try reader.get()
        }
        keeper.quarantine = quarantine
        for side in RowSide.allCases { keeper.recount(side) }
        for trainer in trainers {
            trainer.use(quarantine.sweeping)
            for item in 0..<UInt32(items.count) where items.isHole(item) { trainer.markHole(item, true) }
        }
        try restoreSightings(source, bytes: sightings, seen: seen)
    }

    private func readRows(_ reader: inout ByteReader, _ known: inout Set<UInt64>) throws(StateError) -> [FreedRow] {
        var rows: [FreedRow] = []
        for _ in 0..<(try reader.get(UInt32.self)) {
            let side = RowSide(rawValue: Int(try reader.get(UInt8.self))), ordinal = try reader.get(UInt32.self)
            guard let side, ordinal < UInt32(sides[side.rawValue].table.count), sides[side.rawValue].table.isHole(ordinal),
                known.insert(UInt64(side.rawValue) << 32 | UInt64(ordinal)).inserted
            else { throw .damaged(section: reader.section) }
            rows.append(FreedRow(side: side, ordinal: ordinal))
        }
        return rows
    }

    /// Counters of another size say nothing here: where the budget has changed, sightings are counted anew.
    private func restoreSightings(_ source: some StateSource, bytes: Int, seen: UInt64) throws {
        guard let sightings = sequencer.keeper.sightings, sightings.bytes == bytes else { return }
        for start in stride(from: 0, to: bytes, by: Engine.sightingsPerSection) {
            let count = min(Engine.sightingsPerSection, bytes - start)
            try read("sightings/\(start / Engine.sightingsPerSection)", source) { (reader) throws(StateError) in
                sightings.restore(seen: seen, at: start, try reader.getBytes(count))
            }
        }
    }
}
