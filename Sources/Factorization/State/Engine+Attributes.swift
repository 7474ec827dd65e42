/// Attribute lists of a saved state.
extension Engine {
    /// The sides whose ids have lists of attributes.
    static let describedSides: [RowSide] = [.users, .items]

    func restoreAttributes(_ source: some StateSource, _ pieces: PieceTable) throws {
        let areCounted = try Engine.describedSides.map { try restoreSizes($0, source) }
        for entry in pieces.entries where entry.kind == .userAttributes || entry.kind == .itemAttributes {
            let ofUsers = entry.kind == .userAttributes, lists = ofUsers ? shared.attributes.users : shared.attributes.items
            let table = ofUsers ? users : items, isCounted = areCounted[ofUsers ? 0 : 1]
            // Some may have come after the ids were captured: their rows are there, empty.
            let attributes = UInt32(pieces.counts[ofUsers ? RowSide.userAttributes.rawValue : RowSide.itemAttributes.rawValue])
            let section = "attributes/\(ofUsers ? "users" : "items")/\(entry.range.lowerBound)"
            guard entry.range.upperBound <= UInt32(ofUsers ? users.count : items.count) else { throw StateError.damaged(section: "pieces") }
            try read(section, source) { (reader) throws(StateError) in
                for entity in entry.range {
                    var extent = try AttributeExtent(&reader)
                    var features: [ResolvedFeature] = []
                    for _ in 0..<extent.count {
                        let feature = ResolvedFeature(ordinal: try reader.get(), weight: try reader.getFloat())
                        guard feature.ordinal < attributes, abs(feature.weight) <= Sequencer.largestFeature else {
                            throw .damaged(section: section)
                        }
                        features.append(feature)
                    }
                    try extent.finish(&reader)
                    if extent.isNothing { continue }
                    lists.set(entity, extent) { features[$0] }
                    if !isCounted, Int(entity) < table.count, !table.isHole(entity) { table.setList(entity, bytes: extent.block) }
                }
            }
        }
        for side in Engine.describedSides { sequencer.keeper.recount(side) }
    }

    /// Counts the lists that the sequencer had let through at the image's position: those that stand in it may be later ones. False in an
    /// image from before lists were counted, whose lists count as they stand.
    private func restoreSizes(_ side: RowSide, _ source: some StateSource) throws -> Bool {
        let table = sequencer.keeper.tables[side.rawValue]
        for start in stride(from: 0, to: table.count, by: Engine.idsPerSection) {
            let section = "sizes/\(side)/\(start / Engine.idsPerSection)"
            let found = try source.withSection(section) { (bytes) throws(StateError) in
                var reader = ByteReader(bytes, section: section)
                for ordinal in start..<min(start + Engine.idsPerSection, table.count) {
                    let size = try reader.get(UInt8.self)
                    guard EntityTable.listSizes.contains(size), size == 0 || !table.isHole(UInt32(ordinal)) else { throw .damaged(section: section) }
                    table.restoreList(UInt32(ordinal), size: size)
                }
                try reader.expectEnd()
            }
            if !found {
                guard start == 0 else { throw StateError.missing(section: section) }
                return false
            }
        }
        return true
    }
}
