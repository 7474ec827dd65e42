import Factorization
import LinuxSystem
import Synchronization

/// The thread of one trainer: applies what waits, sleeps when nothing does.
final class TrainerThread: Service {
    let trainer: Trainer
    private let gate: PositionGate
    private let wakeUp: EventDescriptor
    /// Wakes the receiver that waits for room in the queue.
    private let room: EventDescriptor
    /// Told when this trainer has come to stand at its gate.
    private let stood: EventDescriptor
    /// The one processor to run on; nil for any.
    private let processor: Int?
    private let isStopping = Atomic<Bool>(false)
    private let thread = Lock<SystemThread?>(nil)

    /// Records between two looks at who waits for a position.
    private static let stride = 256

    init(_ trainer: Trainer, gate: PositionGate, room: EventDescriptor, stood: EventDescriptor, processor: Int?) throws(SystemError) {
        self.trainer = trainer
        self.gate = gate
        self.room = room
        self.stood = stood
        self.processor = processor
        trainer.clock = { UInt64(MonotonicClock.nanoseconds) }
        wakeUp = try EventDescriptor()
    }

    let name = "trainer"

    /// Wakes the thread; for the sequencer when it says that this trainer sleeps.
    func signal() { wakeUp.signal() }

    /// Asks the trainer to stand; one that sleeps stands already.
    func halt() { trainer.gate.close() }

    /// Lets it go on.
    func goOn() {
        trainer.gate.open()
        wakeUp.signal()
    }

    func start() throws {
        let started = try SystemThread(
            name: "trainer \(trainer.index)", processor: processor, pulse: Pulse { [wakeUp] in wakeUp.signal() }
        ) { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// Ends the thread once its queue is empty.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        wakeUp.signal()
        thread.withLock { $0 }?.join()
    }

    private func run() {
        let poller = DescriptorPoller([wakeUp.descriptor])
        while true {
            let stopping = isStopping.load(ordering: .acquiring)
            let applied = trainer.drain(limit: TrainerThread.stride)
            Pulse.beat()
            if trainer.takeWaiter() { room.signal() }
            gate.check()
            if trainer.gate.isWanted, trainer.gate.stand() {
                stood.signal()
                while trainer.gate.isStanding {
                    _ = try? poller.wait()
                    wakeUp.drain()
                }
                continue
            }
            if applied > 0 { continue }
            if stopping { return }
            guard trainer.prepareSleep() else { continue }
            // A failing poll would only make this loop look more often.
            _ = try? poller.wait()
            wakeUp.drain()
        }
    }
}
