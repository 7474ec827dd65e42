/// Taking messages back out of a batch before anybody has seen its records.
extension EventBatch {
    /// What is to become of a message of the batch.
    public enum Fate: Sendable, Equatable {
        /// It stays, without the first so many of its records.
        case kept(from: Int)
        case dropped
    }

    /// Leaves only what `fates`, one for each message, says. Records close up; texts and features stay where they are.
    /// - Precondition: messages hold all records of the batch, in order.
    public func keep(_ fates: [Fate]) {
        precondition(fates.count == messageCount, "a fate for each of \(messageCount) messages")
        var records = 0, kept = 0
        for (index, fate) in fates.enumerated() {
            guard case .kept(let skipped) = fate else { continue }
            var message = messageStore[index]
            let count = Int(message.recordCount) - skipped
            precondition(count >= 0, "a message of \(message.recordCount) records cannot lose \(skipped)")
            let first = Int(message.firstRecord) + skipped
            if first != records { (recordStore + records).update(from: recordStore + first, count: count) }
            message.firstRecord = UInt32(records)
            message.recordCount = UInt32(count)
            messageStore[kept] = message
            records += count
            kept += 1
        }
        filled.pointee.records = records
        filled.pointee.messages = kept
    }
}
