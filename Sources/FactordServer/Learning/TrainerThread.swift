import Factorization
import LinuxSystem

/// The thread of one trainer: applies what waits, sleeps when nothing does.
final class TrainerThread: Service {
    let trainer: Trainer
    private let gate: PositionGate
    private let thread: ServiceThread
    /// Wakes the receiver that waits for room in the queue.
    private let room: EventDescriptor
    /// Told when this trainer has come to stand at its gate.
    private let stood: EventDescriptor
    /// The one processor to run on; nil for any.
    private let processor: Int?

    /// Records between two looks at who waits for a position.
    private static let stride = 256

    init(_ trainer: Trainer, gate: PositionGate, room: EventDescriptor, stood: EventDescriptor, processor: Int?) throws(SystemError) {
        self.trainer = trainer
        self.gate = gate
        self.room = room
        self.stood = stood
        self.processor = processor
        trainer.clock = { UInt64(MonotonicClock.nanoseconds) }
        thread = try ServiceThread()
    }

    let name = "trainer"

    /// Wakes the thread; for the sequencer when it says that this trainer sleeps.
    func signal() { thread.wake() }

    /// Asks the trainer to stand; one that sleeps stands already.
    func halt() { trainer.gate.close() }

    /// Lets it go on.
    func goOn() {
        trainer.gate.open()
        thread.wake()
    }

    func start() throws {
        try thread.start("trainer \(trainer.index)", processor: processor, .isWoken) { [self] in run() }
    }

    /// Ends the thread once its queue is empty.
    func stop() { thread.stop() }

    private func run() {
        while true {
            let stopping = thread.isStopping
            let applied = trainer.drain(limit: TrainerThread.stride)
            Pulse.beat()
            if trainer.takeWaiter() { room.signal() }
            gate.check()
            if trainer.gate.isWanted, trainer.gate.stand() {
                stood.signal()
                while trainer.gate.isStanding { thread.sleep() }
                continue
            }
            if applied > 0 { continue }
            if stopping { return }
            guard trainer.prepareSleep() else { continue }
            thread.sleep()
        }
    }
}
