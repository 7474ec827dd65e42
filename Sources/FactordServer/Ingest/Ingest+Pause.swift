import Factorization
import LinuxSystem
import Synchronization

/// Pauses of less than a millisecond, in which a snapshot copies a piece of the state.
extension Ingest {
    /// Lets a snapshot that waits go first: a lock alone may fall to the same receiver again and again.
    func giveWay(to isWanted: borrowing Atomic<Bool>) {
        while isWanted.load(ordering: .relaxed) { MonotonicClock.sleep(microseconds: 20) }
    }

    /// Runs `body` while those stand whom it names. Answers how long they stood, in nanoseconds.
    func pause(_ who: StateCapture.Pause, _ body: () -> Void) -> Int64 {
        guard who != .nobody else {
            body()
            return 0
        }
        isStandWanted.store(true, ordering: .relaxed)
        var start: Int64 = 0
        standing.withLock { _ in
            start = MonotonicClock.nanoseconds
            if who == .everybody { closeGates() }
            body()
            if who == .everybody { for thread in trainers { thread.goOn() } }
        }
        isStandWanted.store(false, ordering: .relaxed)
        return MonotonicClock.nanoseconds - start
    }

    /// Waits until every trainer stands at its gate, or has nothing to do: nobody gives it anything now.
    private func closeGates() {
        for thread in trainers { thread.halt() }
        let last = sequencer.lastPosition
        while true {
            if trainers.allSatisfy({ $0.trainer.gate.isStanding || $0.trainer.appliedPosition >= last }) { return }
            stood.wait(timeoutMilliseconds: 1)
        }
    }
}
