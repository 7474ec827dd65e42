import Synchronization

/// Which model answers where a request names none, and what speaks for another.
extension Engine {
    /// The number of the model that answers by default: the first until another is promoted.
    public var answering: Int { sequencer.answering.load(ordering: .acquiring) }

    /// The position of the last promotion; 0 without any.
    public var promotedAt: UInt64 { sequencer.promotedAt.load(ordering: .relaxed) }

    /// The test of whether `comparison.model` is better than `comparison.against`, over all trainers; nil where none is compared.
    public var comparison: SequentialTest? {
        guard settings.comparison != nil else { return nil }
        return trainers.compactMap { $0.comparison?.published }.reduce(SequentialTest(), +)
    }

    /// Which model answers, and since when: the section `answering`, position u64, then the model's name.
    func restoreAnswering(_ source: some StateSource) throws {
        let section = StateCapture.answeringSection
        let found = try source.withSection(section) { (bytes) throws(StateError) in
            var reader = ByteReader(bytes, section: section)
            let position: UInt64 = try reader.get()
            let name = try reader.getBytes(bytes.count - 8)
            guard let model = models.firstIndex(where: { name.elementsEqual($0.settings.name.utf8) }) else { throw .damaged(section: section) }
            sequencer.answering.store(model, ordering: .releasing)
            sequencer.promotedAt.store(position, ordering: .relaxed)
        }
        // A state of a time before there were promotions.
        if !found { sequencer.answering.store(0, ordering: .releasing) }
    }
}

extension StateCapture {
    static let answeringSection = "answering"

    /// As it was at P0.
    func answering() -> [UInt8] {
        var writer = ByteWriter()
        writer.put(head.promotedAt)
        writer.put(engine.models[head.answering].settings.name.utf8)
        return writer.bytes
    }
}
