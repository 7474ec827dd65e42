/// Rows of users re-solved in idle time (`Learner.refine`): when, the clock decides, and so the order to do it is a record like
/// any other. It is in the journal, at its place between the events; a replay does it again there, whatever the clock says.
extension Sequencer {
    /// Hands the users of a record, by ordinals, to all trainers.
    func takeRefinement(_ record: borrowing EventRecord, _ index: Int) -> Bool {
        guard let users = record.refinedUsers(of: shared.users.count) else {
            position += 1
            return true
        }
        for queue in queues where !queue.hasSpace(features: 0) { return false }
        position += 1
        for queue in queues {
            queue.append(
                TrainingRecord(
                    .refine, user: UInt32(users.lowerBound), item: UInt32(users.count), catalogue: shared.items.count, position: position))
        }
        return true
    }
}

extension EventRecord {
    /// Users of one record at most: a fit takes a fraction of a millisecond, and events wait for it.
    public static let mostRefined = 16

    /// The ordinals that a record names and that there are; nil for none.
    fileprivate func refinedUsers(of count: Int) -> Range<Int>? {
        guard !user.isText, !item.isText, let first = Int(exactly: user.payload), first < count, item.payload <= EventRecord.mostRefined else { return nil }
        let users = first..<min(first + Int(item.payload), count)
        return users.isEmpty ? nil : users
    }
}

extension EventBatch {
    /// Adds the record that has the rows of users re-solved: `count` ordinals from `first` on, at most `EventRecord.mostRefined`.
    /// False when the batch is full.
    public func appendRefinement(of first: Int, count: Int, hashing: KeyHash) -> Bool {
        precondition(first >= 0 && (1...EventRecord.mostRefined).contains(count), "a record re-solves 1 to \(EventRecord.mostRefined) rows")
        return append(
            EventRecord(
                kind: .refine, user: Key(integer: Int64(first), hashing: hashing), item: Key(integer: Int64(count), hashing: hashing)))
    }
}
