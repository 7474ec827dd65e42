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

    /// Asks for a new segment whose records are learned under something else. Whoever appends waits until it `says` so, for what was
    /// appended before belongs to the segment before. May be asked again.
    public func beginSegment(configuration: [UInt8]) {
        precondition(JournalFormat.headerSize(configuration: configuration.count) <= JournalFormat.headerLimit, "configuration too long")
        shared.withLock { $0.wantedConfiguration = configuration }
        beginSegment()
    }

    /// Whether the newest segment says that, durably.
    public func says(configuration: [UInt8]) -> Bool { shared.withLock { $0.saidConfiguration == configuration } }

    /// Takes back what `beginSegment` has asked for; nothing where it has come already.
    public func withdrawConfiguration() { shared.withLock { $0.wantedConfiguration = nil } }

    /// Journal thread.
    func rotate() {
        guard !isDegraded.load(ordering: .acquiring) else { return }
        do throws(PersistenceError) {
            try writeOut()
            let wanted = shared.withLock { $0.wantedConfiguration }
            if let wanted, wanted != configuration {
                let before = configuration
                configuration = wanted
                do throws(PersistenceError) {
                    try startSegment()
                } catch {
                    configuration = before
                    throw error
                }
                shared.withLock { state in
                    state.saidConfiguration = wanted
                    state.wantedConfiguration = nil
                }
            } else if writer.offset > writer.start {
                try startSegment()
            }
            notify()
        } catch {
            degrade(error)
        }
    }
}
