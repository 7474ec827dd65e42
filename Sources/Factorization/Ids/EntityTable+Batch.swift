extension EntityTable {
    /// Ids whose index line, and whose row, is asked for ahead.
    private static let indexAhead = 16, rowsAhead = 8

    /// The ordinals of ids, in order, `Placement.none` for unknown ones; into `ordinals`, which is emptied first. The memory
    /// of one look-up is waited for while others are done. Inside `ReaderEpochs.reading`.
    public func find(_ keys: [Key], into ordinals: inout [UInt32]) {
        ordinals.removeAll(keepingCapacity: true)
        guard keys.count >= EntityTable.rowsAhead else {
            for key in keys { ordinals.append(find(key)) }
            return
        }
        keys.withUnsafeBufferPointer { keys in
            for index in 0..<min(EntityTable.indexAhead, keys.count) { prefetch(keys[index]) }
            for index in 0..<EntityTable.rowsAhead { prefetchRow(keys[index]) }
            for index in 0..<keys.count {
                if index &+ EntityTable.indexAhead < keys.count { prefetch(keys[index &+ EntityTable.indexAhead]) }
                if index &+ EntityTable.rowsAhead < keys.count { prefetchRow(keys[index &+ EntityTable.rowsAhead]) }
                ordinals.append(find(keys[index]))
            }
        }
    }
}
