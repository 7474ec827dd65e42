extension EntityTable {
    /// Ids whose index line, and whose row, is asked for ahead.
    private static let indexAhead = 16, rowsAhead = 8

    /// The ordinals of ids, in order, `Placement.none` for unknown ones; into `ordinals`, which is emptied first. The memory
    /// of one look-up is waited for while others are done. Inside `ReaderEpochs.reading`.
    public func find(_ keys: [Key], into ordinals: inout [UInt32]) {
        ordinals.removeAll(keepingCapacity: true)
        if keys.count == 1 { return ordinals.append(find(keys[0])) }
        ordinals.append(contentsOf: repeatElement(Placement.none, count: keys.count))
        keys.withUnsafeBufferPointer { keys in
            ordinals.withUnsafeMutableBufferPointer { ordinals in
                let count = keys.count
                for index in 0..<min(EntityTable.indexAhead, count) { prefetch(keys[index]) }
                for index in 0..<count &+ EntityTable.rowsAhead {
                    if index < count {
                        let next = index &+ EntityTable.indexAhead
                        if next < count { prefetch(keys[next]) }
                        ordinals[index] = candidate(keys[index])
                    }
                    let done = index &- EntityTable.rowsAhead
                    if done >= 0 { ordinals[done] = confirmed(ordinals[done], keys[done]) }
                }
            }
        }
    }
}
