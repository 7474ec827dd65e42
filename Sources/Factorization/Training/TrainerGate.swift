import Synchronization

/// Where a trainer stands while a piece of the state is copied.
///
/// Whoever copies asks; the trainer looks between two chunks of records, ends its run, and says that it stands; it goes on when
/// it is told to. A trainer that nothing waits for stands, too, as long as the sequencer does.
///
/// Thread safety: `open` and `close` belong to whoever copies, `isUnderWay` and `stand` to the trainer's thread.
public final class TrainerGate: Sendable {
    private static let isOpenState: UInt8 = 0, isWantedState: UInt8 = 1, isStandingState: UInt8 = 2
    /// One word, so that a trainer that is slow to leave one pause is never taken for one that stands in the next.
    private let state = Atomic<UInt8>(TrainerGate.isOpenState)
    /// Whether events were placed and not learned yet, or the next record has the position of the last one applied: no place to stand.
    private let underWay = Atomic<Bool>(false)

    /// Whether somebody wants this trainer to stand.
    @inline(__always)
    public var isWanted: Bool { state.load(ordering: .relaxed) != TrainerGate.isOpenState }

    /// Whether the trainer stands at this gate. What it has written is visible then.
    public var isStanding: Bool { state.load(ordering: .acquiring) == TrainerGate.isStandingState }

    /// Asks the trainer to stand.
    public func close() { state.store(TrainerGate.isWantedState, ordering: .sequentiallyConsistent) }

    /// Lets it go on.
    public func open() { state.store(TrainerGate.isOpenState, ordering: .sequentiallyConsistent) }

    /// By the trainer's thread between two drains: whether it is to wait, with nothing under way, while `isStanding`.
    public func stand() -> Bool {
        guard !isUnderWay else { return false }
        return state.compareExchange(
            expected: TrainerGate.isWantedState, desired: TrainerGate.isStandingState, ordering: .sequentiallyConsistent
        ).exchanged
    }

    var isUnderWay: Bool {
        get { underWay.load(ordering: .relaxed) }
        set { underWay.store(newValue, ordering: .relaxed) }
    }
}
