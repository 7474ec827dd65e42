import Factorization
import LinuxSystem
import Synchronization

/// Lets one thread wait until the models have reached a position (`"after": P`), without a lock on the trainers' path.
///
/// Thread safety: `want` and `clear` belong to the waiting thread, `check` to the trainers.
final class PositionGate: Sendable {
    private let engine: Engine
    /// The lowest position somebody waits for; none is the highest number.
    private let wanted = Atomic<UInt64>(.max)
    /// Signalled when the wanted position is reached.
    let reached: EventDescriptor

    init(engine: Engine) throws(SystemError) {
        self.engine = engine
        reached = try EventDescriptor()
    }

    /// Up to where the models have learned.
    var position: UInt64 { engine.appliedPosition }

    /// Asks for a signal at `position`. The caller looks at `appliedPosition` once more afterwards.
    func want(_ position: UInt64) { wanted.store(position, ordering: .sequentiallyConsistent) }

    func clear() { wanted.store(.max, ordering: .relaxed) }

    /// Called by a trainer after it has applied something.
    func check() {
        let position = wanted.load(ordering: .sequentiallyConsistent)
        guard position != .max, engine.appliedPosition >= position else { return }
        if wanted.compareExchange(expected: position, desired: .max, ordering: .relaxed).exchanged { reached.signal() }
    }
}
