import Synchronization

/// What users did, who has which attributes, and the replay reservoir: pieces that end where they are full.
extension StateCapture {
    /// Users, or entities, whose lists are copied in one pause at most, where they have none; with lists an eighth as many, for to
    /// find them costs more than to copy them.
    static let entitiesPerPiece = 65_536
    private static let costOfList = 8
    /// Bytes after which a piece of lists ends.
    static let listBytes = 2 << 20

    /// Per user, as it stands: the history's capacity (u32, 0 for none), count and items; whether all that was seen is there (u32);
    /// the seen set's slots (u32, 0 for none) and each slot. Answers where the piece ends.
    func copyLists(_ users: Range<Int>, _ buffer: CaptureBuffer) -> Int {
        let lists = engine.shared.userItems
        let most = min(users.upperBound, users.lowerBound + StateCapture.entitiesPerPiece)
        var user = users.lowerBound, cost = 0
        while user < most && cost < StateCapture.entitiesPerPiece && buffer.used < StateCapture.listBytes {
            if user + 8 < most { lists.prefetch(UInt32(user + 8)) }
            if user + 4 < most { lists.prefetchLists(of: UInt32(user + 4)) }
            let row = lists.row(UInt32(user))
            let history = row.pointee.history.load(ordering: .acquiring), seen = row.pointee.seen.load(ordering: .acquiring)
            user += 1
            cost += 1
            guard history != 0 || seen > 1 else {
                let place = buffer.space(12)
                place.storeBytes(of: seen == 0 ? 1 << 32 : 0, as: UInt64.self)
                place.storeBytes(of: 0, toByteOffset: 8, as: UInt32.self)
                continue
            }
            cost += StateCapture.costOfList
            copy(ItemList(bits: history), buffer)
            buffer.put(UInt32(seen & 1 == 0 ? 1 : 0))
            if let set = SeenSet(bits: seen) { buffer.put(set.address, SeenSet.bytes(set.capacity)) } else { buffer.put(UInt32(0)) }
        }
        buffer.piece = .lists(users.lowerBound..<user)
        return user
    }

    private func copy(_ list: ItemList?, _ buffer: CaptureBuffer) {
        guard let list else { return buffer.put(UInt32(0)) }
        buffer.put(UInt32(list.capacity))
        buffer.put(UInt32(list.count))
        // From the oldest up to the block's end, then from its beginning.
        buffer.put(list.address + 4 * list.oldest, 4 * (list.count - list.oldest))
        buffer.put(list.address, 4 * list.oldest)
    }

    func emitLists<Failure: Error>(
        _ users: Range<Int>, _ buffer: CaptureBuffer, _ body: (String, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        var words = WordCursor(buffer.bytes)
        let histories = scratch, seens = secondScratch
        histories.clear()
        seens.clear()
        for _ in users {
            let capacity = words.next()
            histories.put(capacity.littleEndian)
            if capacity > 0 {
                let count = words.next()
                histories.put(count.littleEndian)
                let items = words.bytes(Int(count))
                if count > 0 { histories.put(items.baseAddress!, items.count) }
            }
            seens.put(UInt8(words.next()))
            let slots = words.next()
            seens.put(slots.littleEndian)
            guard slots > 0 else { continue }
            let count = words.next()
            // A set's own order depends on the order of insertion.
            var items = (0..<slots).compactMap { _ in
                let slot = words.next()
                return slot == 0 ? nil : slot - 1
            }
            items.sort()
            seens.put(count.littleEndian)
            for item in items { seens.put(item.littleEndian) }
        }
        try body("history/\(users.lowerBound)", histories.bytes)
        try body("seen/\(users.lowerBound)", seens.bytes)
    }

    /// Per entity its list as `AttributeList` says, 0 (u32) for none. Answers where the piece ends.
    func copyAttributes(_ side: Int, _ range: Range<Int>, _ buffer: CaptureBuffer) -> Int {
        let attributes = engine.shared.attributes, lists = side == 0 ? attributes.users : attributes.items
        guard !lists.holdsNothing else {
            let end = min(range.upperBound, range.lowerBound + StateCapture.listBytes / 4), bytes = 4 * (end - range.lowerBound)
            buffer.space(bytes).initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
            buffer.piece = .attributes(side: side, range.lowerBound..<end)
            return end
        }
        let most = min(range.upperBound, range.lowerBound + StateCapture.entitiesPerPiece)
        var entity = range.lowerBound, cost = 0
        while entity < most && cost < StateCapture.entitiesPerPiece && buffer.used < StateCapture.listBytes {
            cost += 1
            if let list = lists.held(UInt32(entity)) {
                cost += StateCapture.costOfList / 4
                list.save(buffer)
            } else {
                buffer.put(UInt32(0))
            }
            entity += 1
        }
        buffer.piece = .attributes(side: side, range.lowerBound..<entity)
        return entity
    }

    /// Offered u64, count u32, then per place user u32, item u32, label f32, weight f32, type u16.
    func copyReplay(_ shard: Int, _ buffer: CaptureBuffer) {
        guard let replay = engine.shared.replay else { return }
        let (offered, events) = replay.state(shard)
        buffer.put(offered)
        buffer.put(UInt32(events.count))
        for event in events {
            let place = buffer.space(18)
            place.storeBytes(of: event.user, as: UInt32.self)
            place.storeBytes(of: event.item, toByteOffset: 4, as: UInt32.self)
            place.storeBytes(of: event.label, toByteOffset: 8, as: Float.self)
            place.storeBytes(of: event.weight, toByteOffset: 12, as: Float.self)
            place.storeBytes(of: event.type, toByteOffset: 16, as: UInt16.self)
        }
    }
}

/// 32-bit words from the front of a copy that this program made.
private struct WordCursor {
    private let all: UnsafeRawBufferPointer
    private var offset = 0

    init(_ all: UnsafeRawBufferPointer) { self.all = all }

    mutating func next() -> UInt32 {
        defer { offset += 4 }
        return all.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    }

    mutating func bytes(_ words: Int) -> UnsafeRawBufferPointer {
        defer { offset += 4 * words }
        return UnsafeRawBufferPointer(rebasing: all[offset..<offset + 4 * words])
    }
}
