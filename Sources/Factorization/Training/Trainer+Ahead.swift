import CKernels

/// What records that are learned one by one will touch, asked for ahead: first the words that say where a user's lists lie, then the lists,
/// then the rows of user, item and negatives, and last those of the history, each once what names it has come.
extension Trainer {
    /// Records ahead.
    private static let words = 24, lists = 16, rows = 8

    /// For the first records of those that wait.
    @inline(never)
    func beginAsking(_ first: Int, _ waiting: Int) {
        for ahead in 0..<min(Trainer.words, waiting) { askForWords(first &+ ahead) }
        for ahead in 0..<min(Trainer.lists, waiting) { askForLists(first &+ ahead) }
        for ahead in 0..<min(Trainer.rows, waiting) { askForRows(first &+ ahead) }
        for number in 0..<learnerCount {
            learnerList[number]._withUnsafeGuaranteedRef {
                for ahead in 0..<min($0.historyDistance, waiting) { askForHistory(first &+ ahead, $0) }
            }
        }
    }

    /// For the records behind number `index`, of which `waiting` wait from there on.
    @inline(__always)
    func askAhead(_ index: Int, _ waiting: Int) {
        if Trainer.words < waiting { askForWords(index &+ Trainer.words) }
        if Trainer.lists < waiting { askForLists(index &+ Trainer.lists) }
        if Trainer.rows < waiting { askForRows(index &+ Trainer.rows) }
        for number in 0..<learnerCount {
            learnerList[number]._withUnsafeGuaranteedRef {
                let distance = $0.historyDistance
                if distance > 0 && distance < waiting { askForHistory(index &+ distance, $0) }
            }
        }
    }

    /// Only an interaction is sure to name a user and an item.
    @inline(__always)
    private func withInteraction(_ index: Int, _ body: (UnsafeMutablePointer<TrainingRecord>, UserItems) -> Void) {
        let record = ring.record(index)
        guard record.pointee.kind == .interaction else { return }
        userItems._withUnsafeGuaranteedRef { body(record, $0) }
    }

    @inline(__always)
    private func askForWords(_ index: Int) { withInteraction(index) { $1.prefetch($0.pointee.user) } }

    @inline(__always)
    private func askForLists(_ index: Int) { withInteraction(index) { $1.prefetchLists(of: $0.pointee.user, newest: longestHistory) } }

    @inline(__always)
    private func askForRows(_ index: Int) {
        withInteraction(index) { record, userItems in
            for number in 0..<learnerCount { learnerList[number]._withUnsafeGuaranteedRef { $0.prefetch(record, userItems) } }
        }
    }

    @inline(__always)
    private func askForHistory(_ index: Int, _ learner: Learner) { withInteraction(index) { learner.prefetchHistory(of: $0.pointee.user, $1) } }
}
