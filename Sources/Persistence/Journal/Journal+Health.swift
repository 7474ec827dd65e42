internal import LinuxSystem
internal import Synchronization

extension Journal {
    /// After a call that failed: the file is given up, and nobody is told that anything is durable until it is healed.
    func degrade(_ error: PersistenceError) {
        try? writer.file?.close()
        writer.file = nil
        writer.commitDue = nil
        shared.withLock { $0.failure = error }
        isDegraded.store(true, ordering: .releasing)
        notify()
    }

    /// Asks the journal thread to try a new segment file: all that memory still holds goes there, and from then on
    /// everything that is appended. Progress listeners hear of it: then `health` is good, or says why not.
    ///
    /// Healed, records that the failed file took and memory no longer holds are in `holes`; the caller takes a snapshot at once.
    public func tryToHeal() {
        healWanted.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Journal thread.
    func heal() {
        guard isDegraded.load(ordering: .acquiring) else { return }
        let hole = JournalHole(
            after: (writer.durable.number, writer.durable.position),
            until: (writer.freed.number + 1, writer.freed.position + 1))
        do throws(PersistenceError) {
            // Another attempt after this one, should it fail, starts from the same records.
            writer.written = writer.freed
            tail.noteWritten(through: writer.freed.counter)
            try createSegment(after: writer.freed)
            if let hole {
                // Known before anything behind it counts as durable.
                shared.withLock { state in
                    state.holes.removeAll { $0.numbers.lowerBound == hole.numbers.lowerBound }
                    state.holes.append(hole)
                }
                hasHoles.store(true, ordering: .releasing)
            }
            try writeOut()
            try sync()
            if ceilingIsLow { try raiseCeilingOrThrow() }
            isDegraded.store(false, ordering: .releasing)
            shared.withLock { $0.failure = nil }
            notify()
        } catch {
            degrade(error)
        }
    }
}
