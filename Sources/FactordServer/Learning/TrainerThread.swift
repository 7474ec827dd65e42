import Factorization
import LinuxSystem
import Synchronization

/// The thread of one trainer: applies what waits, sleeps when nothing does.
final class TrainerThread: Service {
    private let trainer: Trainer
    private let gate: PositionGate
    private let wakeUp: EventDescriptor
    private let isStopping = Atomic<Bool>(false)
    private let thread = Lock<SystemThread?>(nil)

    /// Records between two looks at who waits for a position.
    private static let stride = 256

    init(_ trainer: Trainer, gate: PositionGate) throws(SystemError) {
        self.trainer = trainer
        self.gate = gate
        wakeUp = try EventDescriptor()
    }

    let name = "trainer"

    /// Wakes the thread; for the sequencer when it says that this trainer sleeps.
    func signal() { wakeUp.signal() }

    func start() throws {
        let started = try SystemThread(name: "trainer \(trainer.index)") { [self] in run() }
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
            if trainer.drain(limit: TrainerThread.stride) > 0 {
                gate.check()
                continue
            }
            gate.check()
            if stopping { return }
            guard trainer.prepareSleep() else { continue }
            // A failing poll would only make this loop look more often.
            _ = try? poller.wait()
            wakeUp.drain()
        }
    }
}
