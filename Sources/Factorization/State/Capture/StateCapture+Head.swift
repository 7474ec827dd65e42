import Synchronization

extension StateCapture {
    /// What the sequencer has beside ids, taken at P0: values, and references to what never changes.
    struct Head {
        let position: UInt64
        /// Ordinals by side.
        let counts: [Int]
        let types: [[UInt8]]
        let fields: [[UInt8]]
        let keeper: Keeper
        /// Sightings counted: the sketch goes on.
        let sightingsSeen: UInt64
        let evictions: Int
        /// Which model answers by default, and since when.
        let answering: Int
        let promotedAt: UInt64
        let increment: Double
        /// Of counts that have taken part in the last rebase.
        let sign: UInt32
        let nextTables: UInt64
        let tables: NegativeTables?
        let recent: RecentItems.Saved

        init(_ engine: Engine) {
            let sequencer = engine.sequencer, shared = engine.shared
            position = sequencer.lastPosition
            // The increment as of this position, however long the last count is past.
            _ = shared.increment(at: position)
            counts = engine.sides.map { $0.table.count }
            types = shared.types.allNames
            fields = shared.fields.allNames
            keeper = Keeper(sequencer.keeper)
            sightingsSeen = sequencer.keeper.sightings?.seen ?? 0
            evictions = engine.evictions
            answering = engine.answering
            promotedAt = engine.promotedAt
            increment = shared.decay.increment
            sign = shared.decay.sign
            nextTables = sequencer.negatives.next
            tables = sequencer.negatives.tables
            recent = shared.recent.saved
        }
    }

    /// A row keeper's values: it goes on itself.
    struct Keeper {
        let taken: UInt64
        let isDone: Bool
        let hands, idleHands: [UInt32]
        let idleCredits: [UInt64]
        let free: [[UInt32]]
        let quarantine: Quarantine
        let sightingsBytes: Int

        init(_ keeper: RowKeeper) {
            taken = keeper.taken
            isDone = keeper.isDone
            (hands, idleHands, idleCredits) = (keeper.hands, keeper.idleHands, keeper.idleCredits)
            free = keeper.free
            quarantine = keeper.quarantine
            sightingsBytes = keeper.sightings?.bytes ?? 0
        }
    }

    func emitHead<Failure: Error>(_ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        var writer = ByteWriter()
        writer.put(head.position)
        for count in head.counts { writer.put(UInt64(count)) }
        writer.put(UInt64(engine.models.count))
        try emit("counts", writer.bytes, body)
        try emit("types", StateCapture.encode(head.types), body)
        try emit("fields", StateCapture.encode(head.fields), body)
        try emit("rows", encodedKeeper(), body)
        try emit(StateCapture.answeringSection, answering(), body)
        writer = ByteWriter()
        writer.put(head.increment)
        try emit("popularity", writer.bytes, body)
        try emitNegatives(body)
        try emitRecent(body)
        writer = ByteWriter()
        writer.put(UInt64(engine.shared.replay?.places ?? 0))
        try emit("replay", writer.bytes, body)
        for model in engine.models {
            try emit("model/\(model.settings.name)/stamped", model.groups.map { $0.table.stamps == nil ? 0 : 1 }, body)
        }
    }

    private static func encode(_ names: [[UInt8]]) -> [UInt8] {
        var writer = ByteWriter()
        writer.put(UInt32(names.count))
        for name in names {
            writer.put(UInt32(name.count))
            writer.put(name)
        }
        return writer.bytes
    }

    /// What the tables of negatives were built from.
    private func emitNegatives<Failure: Error>(_ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        let frequencies = head.tables?.frequencies ?? []
        var writer = ByteWriter()
        writer.put(head.nextTables)
        writer.put(UInt64(frequencies.count))
        try emit("negatives", writer.bytes, body)
        for start in stride(from: 0, to: frequencies.count, by: Engine.idsPerSection) {
            var writer = ByteWriter()
            for frequency in frequencies[start..<min(start + Engine.idsPerSection, frequencies.count)] { writer.put(frequency) }
            try emit("negatives/\(start / Engine.idsPerSection)", writer.bytes, body)
        }
    }

    private func encodedKeeper() -> [UInt8] {
        let keeper = head.keeper, quarantine = keeper.quarantine
        var writer = ByteWriter()
        for value in [keeper.taken, UInt64(head.evictions), quarantine.end, quarantine.endTaken, quarantine.lastRound] { writer.put(value) }
        for flag in [keeper.isDone, quarantine.isUrgent] { writer.put(UInt8(flag ? 1 : 0)) }
        for side in RowSide.allCases {
            writer.put(keeper.hands[side.rawValue])
            writer.put(keeper.idleHands[side.rawValue])
            writer.put(keeper.idleCredits[side.rawValue])
            StateCapture.write(keeper.free[side.rawValue].map { FreedRow(side: side, ordinal: $0) }, &writer)
        }
        StateCapture.write(quarantine.fresh, &writer)
        StateCapture.write(quarantine.resting?.rows ?? [], &writer)
        StateCapture.write(quarantine.sweeping?.rows ?? [], &writer)
        writer.put(UInt64(quarantine.sweeping?.users ?? 0))
        writer.put(UInt64(quarantine.sweeping?.steps ?? 0))
        writer.put(UInt64(quarantine.sweeping == nil ? 0 : quarantine.stepsDone))
        writer.put(UInt64(keeper.sightingsBytes))
        writer.put(head.sightingsSeen)
        return writer.bytes
    }

    private static func write(_ rows: [FreedRow], _ writer: inout ByteWriter) {
        writer.put(UInt32(rows.count))
        for row in rows {
            writer.put(UInt8(row.side.rawValue))
            writer.put(row.ordinal)
        }
    }
}
