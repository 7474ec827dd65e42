/// Attribute lists in a state image.
extension Engine {
    private var attributeSides: [(name: String, lists: AttributeLists, count: Int)] {
        [("users", shared.attributes.users, users.count), ("items", shared.attributes.items, items.count)]
    }

    func captureAttributes(into image: inout StateImage) {
        for (side, lists, entities) in attributeSides {
            for start in stride(from: 0, to: entities, by: Engine.idsPerSection) {
                var writer = ByteWriter()
                for entity in start..<min(start + Engine.idsPerSection, entities) {
                    guard let list = lists[UInt32(entity)] else {
                        writer.put(UInt32(0))
                        continue
                    }
                    writer.put(UInt32(list.count))
                    for index in 0..<list.count {
                        writer.put(list[index].ordinal)
                        writer.put(list[index].weight)
                    }
                }
                image.add("attributes/\(side)/\(start / Engine.idsPerSection)", writer.bytes)
            }
        }
    }

    func restoreAttributes(_ source: some StateSource) throws {
        for (side, lists, entities) in attributeSides {
            let attributes = UInt32(lists.features.count)
            for start in stride(from: 0, to: entities, by: Engine.idsPerSection) {
                let section = "attributes/\(side)/\(start / Engine.idsPerSection)"
                try read(section, source) { (reader) throws(StateError) in
                    for entity in start..<min(start + Engine.idsPerSection, entities) {
                        let count = Int(try reader.get(UInt32.self))
                        guard count <= AttributeLists.longest else { throw .damaged(section: section) }
                        var features: [ResolvedFeature] = []
                        for _ in 0..<count {
                            let feature = ResolvedFeature(ordinal: try reader.get(), weight: try reader.getFloat())
                            guard feature.ordinal < attributes, abs(feature.weight) <= Sequencer.largestFeature else {
                                throw .damaged(section: section)
                            }
                            features.append(feature)
                        }
                        if count > 0 { lists.set(UInt32(entity), count: count) { features[$0] } }
                    }
                }
            }
        }
    }
}
