internal import LinuxSystem
internal import Synchronization

extension Journal {
    /// Asks for a new segment, so that all that was appended by now can be retired as soon as snapshots are past it. Listeners hear
    /// when it has come; `beginsAfter` tells.
    public func beginSegment() {
        rotationWanted.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Whether the newest segment holds only records behind that number.
    public func beginsAfter(_ number: UInt64) -> Bool {
        shared.withLock { $0.segments.last.map { $0.header.firstNumber > number } ?? true }
    }

    /// Journal thread.
    func rotate() {
        guard !isDegraded.load(ordering: .acquiring) else { return }
        do throws(PersistenceError) {
            try writeOut()
            if writer.offset > writer.start { try startSegment() }
            notify()
        } catch {
            degrade(error)
        }
    }
}
