import Factorization
import LinuxSystem
import Synchronization

/// Makes memory for users' lists ready before trainers need it.
///
/// Memory comes two mebibytes at a time, so that few addresses have to be translated, and is cleared by whoever touches it first: a
/// trainer would stand for a fifth of a millisecond, and for several on a virtual machine whose host has to find the memory.
final class ListMemoryKeeper: Service {
    let name = "list memory"
    private let engine: Engine
    private let isStopping = Atomic<Bool>(false)
    private let wakeUp: EventDescriptor
    private let thread = Lock<SystemThread?>(nil)

    init(_ engine: Engine) throws(SystemError) {
        self.engine = engine
        wakeUp = try EventDescriptor()
    }

    func start() throws {
        let started = try SystemThread(name: name, pulse: Pulse { [wakeUp] in wakeUp.signal() }) { [self] in run() }
        thread.withLock { $0 = started }
        engine.attachListMemory { [wakeUp] in wakeUp.signal() }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        wakeUp.signal()
        thread.withLock { $0 }?.join()
    }

    private func run() {
        let poller = DescriptorPoller([wakeUp.descriptor])
        while !isStopping.load(ordering: .acquiring) {
            engine.makeListMemoryReady()
            Pulse.beat()
            // A failing poll would only make this loop look more often.
            _ = try? poller.wait()
            wakeUp.drain()
        }
    }
}
