import Synchronization

/// Where a state comes from: sections by name, checked against their sums by whoever reads them.
public protocol StateSource {
    associatedtype Failure: Error
    /// Calls `body` with the bytes of a section; false when there is no such section.
    func withSection(_ name: String, _ body: (UnsafeRawBufferPointer) throws(StateError) -> Void) throws -> Bool
}

extension Engine {
    /// Takes up a saved state. For a new engine, before any thread starts; after an error the engine is of no use.
    public func restore(from source: some StateSource) throws {
        precondition(sequencer.lastPosition == 0 && users.count == 0, "a state is restored into a new engine")
        var position: UInt64 = 0
        var counts: [Int] = []
        try read("counts", source) { (reader) throws(StateError) in
            position = try reader.get()
            for _ in 0..<sides.count + 1 {
                let count = try reader.get(UInt64.self)
                guard count <= UInt64(Placement.none) else { throw .damaged(section: "counts") }
                counts.append(Int(count))
            }
        }
        guard let modelCount = counts.last, modelCount == models.count else {
            throw StateError.changed(key: "models", saved: "\(counts.last ?? 0) models", now: "\(models.count)")
        }
        for (index, name) in try readNames("fields", source).enumerated() {
            let namespace = name.withUnsafeBytes { fields.namespace(adding: $0) }
            guard namespace.map(Int.init) == index + 1 else { throw StateError.damaged(section: "fields") }
        }
        guard shared.types.restore(try readNames("types", source)) else { throw StateError.damaged(section: "types") }
        for (index, side) in sides.enumerated() { try restoreIds(side.name, side.table, RowSide.allCases[index], count: counts[index], source) }
        try restoreRows(source)
        try restoreUserItems(source)
        try restoreAttributes(source)
        for model in models { try restore(model, position: position, source) }
        try restoreCounting(source, position: position)
        try checkWatermarks(source, position: position)
        sequencer.restore(position: position)
        for trainer in trainers { trainer.restore(position: position) }
    }

    func read(
        _ section: String, _ source: some StateSource, _ body: (inout ByteReader) throws(StateError) -> Void
    ) throws {
        let found = try source.withSection(section) { (bytes) throws(StateError) in
            var reader = ByteReader(bytes, section: section)
            try body(&reader)
            try reader.expectEnd()
        }
        if !found { throw StateError.missing(section: section) }
    }

    /// An image is captured while trainers are idle: every shard stands at the image's position.
    private func checkWatermarks(_ source: some StateSource, position: UInt64) throws {
        try read("watermarks", source) { (reader) throws(StateError) in
            guard try reader.get(UInt32.self) == UInt32(Placement.shardCount) else { throw .damaged(section: "watermarks") }
            for _ in 0..<Placement.shardCount {
                guard try reader.get(UInt64.self) == position else { throw .damaged(section: "watermarks") }
            }
        }
    }

    private func readNames(_ section: String, _ source: some StateSource) throws -> [[UInt8]] {
        var names: [[UInt8]] = []
        try read(section, source) { (reader) throws(StateError) in
            for _ in 0..<(try reader.get(UInt32.self)) {
                names.append(Array(try reader.getBytes(Int(try reader.get(UInt32.self)))))
            }
        }
        return names
    }

    private func restoreIds(_ side: String, _ table: EntityTable, _ row: RowSide, count: Int, _ source: some StateSource) throws {
        for start in stride(from: 0, to: count, by: Engine.idsPerSection) {
            let section = "ids/\(side)/\(start / Engine.idsPerSection)"
            try read(section, source) { (reader) throws(StateError) in
                for expected in start..<min(start + Engine.idsPerSection, count) {
                    let tag = try reader.get(UInt8.self)
                    if tag == 0 {
                        guard row.isEvictable, sequencer.restoreHole(row) == UInt32(expected) else { throw .damaged(section: section) }
                        continue
                    }
                    let namespace = try reader.get(UInt16.self), hidden = try reader.get(UInt8.self)
                    let stamp = UInt32(try reader.get(UInt16.self)), frequency = try reader.getFloat()
                    let key: Key
                    switch tag {
                    case 1: key = Key(integer: try reader.get(Int64.self), namespace: namespace, hashing: hashing)
                    case 2:
                        let length = Int(try reader.get(UInt16.self))
                        guard length >= 1, length <= Key.longestText else { throw .damaged(section: section) }
                        key = Key(text: try reader.getBytes(length), namespace: namespace, hashing: hashing)
                    default: throw .damaged(section: section)
                    }
                    let ordinal = sequencer.restore(key, row)
                    guard ordinal == UInt32(expected), frequency.isFinite, frequency >= 0, stamp <= EntityTable.stampMask else {
                        throw .damaged(section: section)
                    }
                    table.touch(ordinal, stamp: stamp)
                    table.count(ordinal, by: frequency)
                    if hidden != 0 { table.setHidden(ordinal, true) }
                }
            }
        }
    }

    private func restoreUserItems(_ source: some StateSource) throws {
        let itemCount = UInt32(items.count)
        func block(_ reader: inout ByteReader) throws(StateError) -> HeldBlock? {
            let capacity = Int(try reader.get(UInt32.self))
            guard capacity > 0 else { return nil }
            var block = HeldBlock(capacity: capacity, items: [])
            for _ in 0..<(try reader.get(UInt32.self)) {
                let item = try reader.get(UInt32.self)
                guard item < itemCount else { throw .damaged(section: reader.section) }
                block.items.append(item)
            }
            return block
        }
        for start in stride(from: 0, to: users.count, by: Engine.idsPerSection) {
            let range = UInt32(start)..<UInt32(min(start + Engine.idsPerSection, users.count))
            try read("history/\(start / Engine.idsPerSection)", source) { (reader) throws(StateError) in
                for user in range {
                    guard let block = try block(&reader) else { continue }
                    guard block.isHistory else { throw .damaged(section: reader.section) }
                    shared.userItems.restore(history: block, user: user)
                }
            }
            try read("seen/\(start / Engine.idsPerSection)", source) { (reader) throws(StateError) in
                for user in range {
                    let isComplete = try reader.get(UInt8.self) != 0, block = try block(&reader)
                    guard block?.isSet != false else { throw .damaged(section: reader.section) }
                    shared.userItems.restore(seen: block, isComplete: isComplete, user: user)
                }
            }
        }
    }

    private static func expectSame(_ key: String, saved: String, now: String) throws(StateError) {
        if saved != now { throw .changed(key: key, saved: saved, now: now) }
    }

    private func restore(_ model: Model, position: UInt64, _ source: some StateSource) throws {
        let prefix = "model/\(model.settings.name)"
        try read("\(prefix)/global", source) { (reader) throws(StateError) in
            model.restoreGlobalState(
                bias: try reader.getFloat(), accumulator: try reader.getFloat(), updates: try reader.get())
            let settings = model.settings, rank = try reader.get(UInt32.self)
            try Engine.expectSame("models.\(settings.name).rank", saved: "\(rank)", now: "\(settings.rank)")
            for (key, now) in settings.identity {
                let saved = String(decoding: try reader.getBytes(Int(try reader.get(UInt32.self))), as: UTF8.self)
                try Engine.expectSame("models.\(settings.name).\(key)", saved: saved, now: now)
            }
        }
        if let parameters = model.parameters {
            try read("\(prefix)/parameters", source) { (reader) throws(StateError) in try parameters.read(&reader) }
        }
        let hasGrams = try model.grams.map { grams in
            try source.withSection("\(prefix)/gram") { (bytes) throws(StateError) in
                var reader = ByteReader(bytes, section: "\(prefix)/gram")
                try grams.read(&reader)
                try reader.expectEnd()
            }
        }
        try restoreRows(of: model, prefix, hasGrams: hasGrams, position: position, source)
    }

    /// The rows. Stamps that were not kept when the state was saved start anew: no row has slept yet.
    private func restoreRows(
        of model: Model, _ prefix: String, hasGrams: Bool?, position: UInt64, _ source: some StateSource) throws {
        var unstamped: Set<String> = []
        try read("\(prefix)/stamped", source) { (reader) throws(StateError) in
            for group in model.groups where try reader.get(UInt8.self) == 0 { unstamped.insert("\(group.name)/\(FactorTable.stampStore)") }
        }
        for (name, side, store) in model.stores where !unstamped.contains(name) && (hasGrams != false || name != Model.settledStore) {
            for shard in 0..<Placement.shardCount {
                let rows = Placement.rows(in: shard, of: rowCount(side))
                for local in stride(from: 0, to: rows, by: Placement.rowsPerSlab) {
                    let run = store.run(shard: shard, from: local, limit: rows - local)
                    let section = "\(prefix)/\(name)/\(shard)/\(local >> Int(Placement.slabBits))"
                    try read(section, source) { (reader) throws(StateError) in
                        let bytes = try reader.getBytes(run.count * store.rowBytes)
                        run.address.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
                    }
                }
            }
        }
        for group in model.groups { group.table.stamps?.restore(count: rowCount(group.side)) }
        // The regulariser was switched on since: a sampled model saves no matrices without it.
        if hasGrams == false {
            guard model.settings.unobserved == .sampled else { throw StateError.missing(section: "\(prefix)/gram") }
            model.grams!.begin(model, itemCount: items.count, position: position)
        }
    }
}
