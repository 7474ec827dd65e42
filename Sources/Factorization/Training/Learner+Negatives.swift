import CKernels

/// Which items stand against a positive.
extension Learner {
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
