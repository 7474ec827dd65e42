import Synchronization

/// Where a trainer stands while a piece of the state is copied.
///
/// Whoever copies asks; the trainer looks between two chunks of records, ends its run, and says that it stands; it goes on when
/// it is told to. A trainer that nothing waits for stands, too, as long as the sequencer does.
///
/// Thread safety: `open` and `close` belong to whoever copies, `isOnEdge` and `stand` to the trainer's thread.
public final class TrainerGate: Sendable {
    private let wanted = Atomic<Bool>(false)
    private let standing = Atomic<Bool>(false)
    /// Whether the next record has the position of the last one applied: no place to stand.
    private let edge = Atomic<Bool>(false)

    /// Whether somebody wants this trainer to stand.
    @inline(__always)
    public var isWanted: Bool { wanted.load(ordering: .relaxed) }

    /// Whether the trainer stands at this gate. What it has written is visible then.
    public var isStanding: Bool { standing.load(ordering: .acquiring) }

    /// Asks the trainer to stand.
    public func close() { wanted.store(true, ordering: .sequentiallyConsistent) }

    /// Lets it go on.
    public func open() {
        standing.store(false, ordering: .relaxed)
        wanted.store(false, ordering: .sequentiallyConsistent)
    }

    /// By the trainer's thread between two drains: whether it is to wait, with nothing under way, until `isWanted` is false.
    public func stand() -> Bool {
        guard wanted.load(ordering: .sequentiallyConsistent), !isOnEdge else { return false }
        standing.store(true, ordering: .sequentiallyConsistent)
        return true
    }

    var isOnEdge: Bool {
        get { edge.load(ordering: .relaxed) }
        set { edge.store(newValue, ordering: .relaxed) }
    }
}
