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
        let base = mix64(seed ^ record.pointee.position), catalogue = UInt64(record.pointee.catalogue)
        for draw in 0..<negatives { itemRows.prefetch(Learner.draw(base, draw, of: catalogue)) }
    }

    /// One draw from a catalogue: a function of the event's word and the number of the draw.
    @inline(__always)
    static func draw(_ base: UInt64, _ draw: Int, of catalogue: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: ((mix64(base &+ UInt64(draw)) >> 32) &* catalogue) >> 32)
    }

    /// Draws uniformly from the catalogue as it was at the event's position: a function of seed, position and catalogue,
    /// so that a replay draws the same. A draw that hits the event's item, or (verified) one that the user has seen, is
    /// skipped. Answers how many remain.
    @inline(__always)
    func drawNegatives(of record: UnsafeMutablePointer<TrainingRecord>, weight: Float, userItems: UserItems) -> Int {
        let catalogue = UInt64(record.pointee.catalogue)
        let base = mix64(seed ^ record.pointee.position)
        var drawn = 0
        for draw in 0..<negatives {
            let ordinal = Learner.draw(base, draw, of: catalogue)
            if ordinal == record.pointee.item { continue }
            if verifiesNegatives && userItems.hasSeen(ordinal, user: record.pointee.user) { continue }
            drawn += 1
            setItem(drawn, ordinal, label: 0, weight: weight)
        }
        return drawn
    }
}
