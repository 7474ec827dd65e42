/// The window of recent items and the items admitted last, in a state image. Images from before there were any do not have
/// them: the window then begins anew, and of the newest items only the order is known.
extension Engine {
    static let recentSection = "recent", newestSection = "newest"

    func restoreRecent(_ source: some StateSource) throws {
        var saved = RecentItems.Saved(step: 0, counted: 0, items: [], newest: [])
        let count = UInt32(items.count)
        func item(_ reader: inout ByteReader) throws(StateError) -> UInt32 {
            let item = try reader.get(UInt32.self)
            guard item < count || item == Placement.none else { throw .damaged(section: reader.section) }
            return item
        }
        let hasWindow = try readIfThere(Engine.recentSection, source) { (reader) throws(StateError) in
            saved.step = try reader.get()
            saved.counted = try reader.get()
            let entries = Int(try reader.get(UInt32.self))
            guard entries <= RecentItems.mostPlaces, saved.step.nonzeroBitCount == 1, saved.counted >= UInt64(entries) else {
                throw .damaged(section: reader.section)
            }
            for _ in 0..<entries { saved.items.append(try item(&reader)) }
        }
        let hasNewest = try readIfThere(Engine.newestSection, source) { (reader) throws(StateError) in
            let entries = Int(try reader.get(UInt32.self))
            guard entries <= RecentItems.newest else { throw .damaged(section: reader.section) }
            for _ in 0..<entries { saved.newest.append((try item(&reader), try reader.get())) }
        }
        guard hasWindow == hasNewest else {
            throw StateError.missing(section: hasWindow ? Engine.newestSection : Engine.recentSection)
        }
        guard hasWindow else { return shared.recent.forgetPositions() }
        shared.recent.restore(saved)
    }

    private func readIfThere(
        _ section: String, _ source: some StateSource, _ body: (inout ByteReader) throws(StateError) -> Void
    ) throws -> Bool {
        try source.withSection(section) { (bytes) throws(StateError) in
            var reader = ByteReader(bytes, section: section)
            try body(&reader)
            try reader.expectEnd()
        }
    }
}

extension StateCapture {
    func emitRecent<Failure: Error>(_ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        let saved = head.recent
        var writer = ByteWriter()
        writer.put(saved.step)
        writer.put(saved.counted)
        writer.put(UInt32(saved.items.count))
        for item in saved.items { writer.put(item) }
        try emit(Engine.recentSection, writer.bytes, body)
        writer = ByteWriter()
        writer.put(UInt32(saved.newest.count))
        for entry in saved.newest {
            writer.put(entry.item)
            writer.put(entry.position)
        }
        try emit(Engine.newestSection, writer.bytes, body)
    }
}
