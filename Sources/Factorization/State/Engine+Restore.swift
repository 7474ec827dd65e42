import Synchronization

/// Where a state comes from: sections by name, checked against their sums by whoever reads them.
public protocol StateSource {
    associatedtype Failure: Error
    /// Calls `body` with the bytes of a section; false when there is no such section.
    func withSection(_ name: String, _ body: (UnsafeRawBufferPointer) throws(StateError) -> Void) throws -> Bool
    /// Calls `body` with each number below `count`, on as many threads as are worth their while, each with a source of its own.
    func forEach(_ count: Int, _ body: (Int, Self) throws -> Void) throws
}

extension StateSource {
    public func forEach(_ count: Int, _ body: (Int, Self) throws -> Void) throws {
        for index in 0..<count { try body(index, self) }
    }
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
        let pieces = try restorePieces(source, position: position)
        try restoreUserItems(source, pieces)
        try restoreAttributes(source, pieces)
        for (number, model) in models.enumerated() { try restore(model, number, position: position, source, pieces) }
        try restoreCounting(source, position: position, pieces)
        try restoreAnswering(source)
        try restoreComparison(source)
        sequencer.restore(position: position)
        for trainer in trainers { trainer.restore(position: position) }
        if pieces.highest > position { openWindow(ReplayWindow(pieces, models: models, trainers: trainers.count)) }
    }

    /// Where the pieces stand. Makes room for what came while they were copied, so that whoever meets such an ordinal in a list,
    /// before the stream gets there again, finds a row of zeros.
    private func restorePieces(_ source: some StateSource, position: UInt64) throws -> PieceTable {
        var pieces = PieceTable()
        try read("pieces", source) { (reader) throws(StateError) in
            pieces = try PieceTable(&reader)
            guard pieces.position == position, zip(pieces.counts, sides).allSatisfy({ $0 >= $1.table.count }) else {
                throw .damaged(section: "pieces")
            }
        }
        try read("watermarks", source) { (reader) throws(StateError) in
            let models = try reader.get(UInt32.self), shards = try reader.get(UInt32.self)
            guard models == UInt32(self.models.count), shards == UInt32(Placement.shardCount) else { throw .damaged(section: "watermarks") }
            for _ in 0..<models * shards {
                let low = try reader.get(UInt64.self), high = try reader.get(UInt64.self)
                guard low >= position, low <= high, high <= pieces.highest else { throw .damaged(section: "watermarks") }
            }
        }
        for (side, table) in sides.enumerated() where pieces.counts[side] > table.table.count {
            ensureRoom(RowSide.allCases[side], from: table.table.count, to: pieces.counts[side])
        }
        return pieces
    }

    private func ensureRoom(_ side: RowSide, from count: Int, to end: Int) {
        for ordinal in UInt32(count)..<UInt32(end) {
            switch side {
            case .users:
                shared.userItems.ensure(ordinal)
                shared.attributes.users.ensure(ordinal)
            case .items: shared.attributes.items.ensure(ordinal)
            case .contexts, .userAttributes, .itemAttributes: break
            }
            for model in models { for row in model.stores where row.side == "\(side)" { row.store.ensure(ordinal) } }
        }
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
                    guard Int(namespace) <= Fields.capacity else { throw .damaged(section: section) }
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

    private func restoreUserItems(_ source: some StateSource, _ pieces: PieceTable) throws {
        let itemCount = UInt32(pieces.counts[RowSide.items.rawValue])
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
        for range in pieces.entries.filter({ $0.kind == .lists }).map(\.range) {
            guard range.upperBound <= UInt32(pieces.counts[RowSide.users.rawValue]) else { throw StateError.damaged(section: "pieces") }
            try read("history/\(range.lowerBound)", source) { (reader) throws(StateError) in
                for user in range {
                    guard let block = try block(&reader) else { continue }
                    guard block.isHistory else { throw .damaged(section: reader.section) }
                    shared.userItems.restore(history: block, user: user)
                }
            }
            try read("seen/\(range.lowerBound)", source) { (reader) throws(StateError) in
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

    private func restore(
        _ model: Model, _ number: Int, position: UInt64, _ source: some StateSource, _ pieces: PieceTable
    ) throws {
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
        try restoreRows(of: model, number, prefix, hasGrams: hasGrams, position: position, source, pieces)
    }

    /// The rows. Stamps that were not kept when the state was saved start anew: no row has slept yet.
    private func restoreRows(
        of model: Model, _ number: Int, _ prefix: String, hasGrams: Bool?, position: UInt64, _ source: some StateSource,
        _ pieces: PieceTable
    ) throws {
        var unstamped: Set<String> = []
        try read("\(prefix)/stamped", source) { (reader) throws(StateError) in
            for group in model.groups where try reader.get(UInt8.self) == 0 { unstamped.insert(group.name) }
        }
        var blocks = [Int](repeating: 0, count: model.groups.count)
        var entries: [PieceTable.Entry] = []
        for entry in pieces.entries where entry.kind == .rows && Int(entry.model) == number {
            let group = Int(entry.group)
            guard group < model.groups.count, Int(entry.range.lowerBound) == blocks[group],
                entry.count <= UInt64(pieces.counts[sideNumber(model.groups[group].side)])
            else { throw StateError.damaged(section: "pieces") }
            blocks[group] = Int(entry.range.upperBound)
            try restoreSums(entry, of: model, number, prefix, source)
            entries.append(entry)
        }
        try source.forEach(entries.count) { index, source in
            try restorePiece(entries[index], of: model, prefix, source) { group, store in
                store == FactorTable.stampStore && unstamped.contains(group) || store == Model.settledName && hasGrams == false
            }
        }
        for (group, blocks) in zip(model.groups, blocks) {
            guard blocks == RowBlock.count(of: rowCount(group.side)) else { throw StateError.damaged(section: "pieces") }
            group.table.stamps?.restore(count: pieces.counts[sideNumber(group.side)])
        }
        // The regulariser was switched on since: a sampled model saves no matrices without it.
        if hasGrams == false {
            guard model.settings.unobserved == .sampled else { throw StateError.missing(section: "\(prefix)/gram") }
            model.grams!.begin(model, itemCount: items.count, position: position)
        }
    }

    private func restoreSums(
        _ entry: PieceTable.Entry, of model: Model, _ number: Int, _ prefix: String, _ source: some StateSource
    ) throws {
        let group = Int(entry.group)
        guard let part = model.witnessPart(group) else { return }
        try read("\(prefix)/\(model.groups[group].name)/\(Model.sumStore)/\(entry.range.lowerBound)", source) { (reader) throws(StateError) in
            for block in entry.range {
                let sum = try reader.get(UInt64.self)
                if part == .users { witnessBases[number].add(sum, user: Int(block)) } else { witnessBases[number].add(sum, item: Int(block)) }
            }
        }
    }

    /// Touches no rows but those of the piece: several threads may restore pieces at once.
    private func restorePiece(
        _ entry: PieceTable.Entry, of model: Model, _ prefix: String, _ source: some StateSource, isLeftOut: (String, String) -> Bool
    ) throws {
        let group = Int(entry.group), name = model.groups[group].name, first = entry.range.lowerBound
        for (store, rows) in model.stores(of: group) where !isLeftOut(name, store) {
            try read("\(prefix)/\(name)/\(store)/\(first)", source) { (reader) throws(StateError) in
                for block in entry.range {
                    let count = RowBlock.rows(in: Int(block), of: Int(entry.count))
                    guard count > 0 else { continue }
                    let run = rows.run(shard: RowBlock.shard(Int(block)), from: RowBlock.firstLocal(Int(block)), limit: count)
                    let bytes = try reader.getBytes(count * rows.rowBytes)
                    run.address.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
                }
            }
        }
    }
}
