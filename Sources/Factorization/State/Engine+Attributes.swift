/// Attribute lists of a saved state.
extension Engine {
    func restoreAttributes(_ source: some StateSource, _ pieces: PieceTable) throws {
        for entry in pieces.entries where entry.kind == .userAttributes || entry.kind == .itemAttributes {
            let ofUsers = entry.kind == .userAttributes, lists = ofUsers ? shared.attributes.users : shared.attributes.items
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
                    if !extent.isNothing { lists.set(entity, extent) { features[$0] } }
                }
            }
        }
    }
}
