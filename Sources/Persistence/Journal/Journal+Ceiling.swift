internal import LinuxSystem
internal import Synchronization

/// The durable ceiling of positions: an empty file whose name is the number; the greatest one counts. A name is made
/// durable by the sync of its directory, in one step, and there is nothing in it to be damaged.
extension Journal {
    /// No event may get a position above this one: after a power cut it could be given again. It rises ahead of use.
    public var reservedCeiling: UInt64 { ceiling.load(ordering: .acquiring) }

    /// Says that positions up to `position` are about to be used; the journal thread raises the ceiling when it comes near.
    /// Whoever finds `position` above `reservedCeiling` waits: a listener is signalled when it has risen.
    public func reserve(aheadOf position: UInt64) {
        let before = used.max(position, ordering: .sequentiallyConsistent).oldValue
        if before < position, ceilingIsLow { wakeIfAsleep() }
    }

    /// Half a block left: time enough to raise it before anybody has to wait.
    var ceilingIsLow: Bool {
        let ceiling = ceiling.load(ordering: .acquiring)
        let used = used.load(ordering: .acquiring)
        return used > ceiling || ceiling - used < block.load(ordering: .relaxed) / 2
    }

    /// Journal thread.
    func raiseCeiling(now: Int64) {
        adaptBlock(now: now)
        do throws(PersistenceError) { try raiseCeilingOrThrow() } catch { degrade(error) }
    }

    func raiseCeilingOrThrow() throws(PersistenceError) {
        try setCeiling(used.load(ordering: .acquiring) + block.load(ordering: .relaxed))
        notify()
    }

    /// Blocks that are soon used up grow, those that last shrink.
    private func adaptBlock(now: Int64) {
        let lasted = writer.ceilingRaised.map { now - $0 } ?? .max, size = block.load(ordering: .relaxed)
        writer.ceilingRaised = now
        if lasted < 500_000_000 {
            block.store(min(2 * size, settings.reservationLimit), ordering: .relaxed)
        } else if lasted > 4_000_000_000 {
            block.store(max(size / 2, settings.reservationBlock), ordering: .relaxed)
        }
    }

    func lowerCeiling(to position: UInt64) throws(PersistenceError) {
        if position < ceiling.load(ordering: .acquiring) { try setCeiling(position) }
    }

    /// First the new name, durable; then the others go. What is left between counts as the greater one, which is safe.
    private func setCeiling(_ position: UInt64) throws(PersistenceError) {
        let name = JournalName.ceiling(position)
        try system { () throws(SystemError) in
            do throws(SystemError) {
                try fileSystem.createFile("\(directory)/\(name)").close()
            } catch where error.code == existsErrorCode {
            }
            try fileSystem.syncDirectory(directory)
        }
        ceiling.store(position, ordering: .releasing)
        try system { () throws(SystemError) in
            let others = try fileSystem.list(directory).filter { JournalName.parseCeiling($0) != nil && $0 != name }
            for other in others { try fileSystem.remove("\(directory)/\(other)") }
            if !others.isEmpty { try fileSystem.syncDirectory(directory) }
        }
    }
}
