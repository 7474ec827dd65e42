import CKernels

/// Which items stand against a positive.
extension Learner {
    /// Asks for the rows that an event will touch: the user's, the item's, and those of the negatives that will be drawn.
    @inline(__always)
    func prefetch(_ record: UnsafeMutablePointer<TrainingRecord>) {
        // A run asks for its rows itself.
        guard !takesRuns else { return }
        userRows.prefetch(record.pointee.user)
        itemRows.prefetch(record.pointee.item)
        guard negatives > 0 else { return }
        let word = draws.word(at: record.pointee.position), catalogue = UInt64(record.pointee.catalogue)
        for number in 0..<negatives { itemRows.prefetch(draws.item(word, number, of: catalogue)) }
    }

    /// Sets the event's negatives, as `NegativeDraws` says, behind its item. Answers how many remain.
    @inline(__always)
    func drawNegatives(
        of record: UnsafeMutablePointer<TrainingRecord>, _ word: UInt64, weight: Float, userItems: UserItems
    ) -> Int {
        let catalogue = UInt64(record.pointee.catalogue)
        var drawn = 0
        for number in 0..<negatives {
            let ordinal = draws.item(word, number, of: catalogue)
            if ordinal == record.pointee.item || draws.holes.contains(ordinal) { continue }
            if verifiesNegatives && userItems.ownHasSeen(ordinal, user: record.pointee.user) { continue }
            drawn += 1
            setItem(drawn, ordinal, label: 0, weight: weight)
        }
        return drawn
    }
}
