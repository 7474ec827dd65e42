import Factorization
import LinuxSystem
import Synchronization

/// The way into the models: receivers take turns as the sequencer, a batch each, and wait where a trainer's queue is full.
///
/// The journal's memory tail will stand between the sequencer and the trainers: a batch is in position order here.
final class Ingest: Sendable {
    private let sequencer: Sequencer
    private let engine: Engine
    private let trainers: [TrainerThread]
    /// Whose turn it is. Held for a batch, never for an event.
    private let turn = Lock<Void>(())
    /// Signalled by a trainer that has room again.
    private let room: EventDescriptor
    /// Times that a receiver had to wait for a trainer.
    let waits = Atomic<Int>(0)

    init(engine: Engine, trainers: [TrainerThread], room: EventDescriptor) {
        self.engine = engine
        sequencer = engine.sequencer
        self.trainers = trainers
        self.room = room
    }

    /// Takes a batch whole. Answers what was refused of it: record index and reason, a bounded number.
    func take(_ batch: EventBatch) -> [(record: Int, reason: Sequencer.Refusal)] {
        turn.withLock { _ in
            var index = 0
            var refusals: [(record: Int, reason: Sequencer.Refusal)] = []
            while true {
                index = sequencer.take(batch, from: index)
                wakeTrainers()
                if !sequencer.lastRefusals.isEmpty { refusals += sequencer.lastRefusals }
                if index == batch.recordCount { return refusals }
                waitForRoom()
            }
        }
    }

    /// Sleeps until half of a full queue is free again. Behind a full queue nobody loses time by that: what waits in its
    /// other half takes a trainer longer than the waking of this thread.
    private func waitForRoom() {
        waits.add(1, ordering: .relaxed)
        room.drain()
        // Some room, or none for a record with very many features: neither is to be waited for long.
        guard sequencer.prepareWait() else { return MonotonicClock.sleep(microseconds: 50) }
        // Bounded, for a trainer may have looked just before: see `TrainerQueue.takeWaiter`.
        _ = try? DescriptorPoller([room.descriptor]).wait(timeoutMilliseconds: 2)
    }

    private func wakeTrainers() {
        var bits = sequencer.takeWakeUps()
        while bits != 0 {
            trainers[bits.trailingZeroBitCount].signal()
            bits &= bits - 1
        }
    }

    /// Runs `body` while nobody is sequencer and every trainer is idle: the state is exactly that after the last position.
    func whileIdle<Value: ~Copyable>(_ body: () -> sending Value) -> sending Value {
        turn.withLock { _ in
            while engine.appliedPosition < sequencer.lastPosition { MonotonicClock.sleep(microseconds: 50) }
            return body()
        }
    }
}
