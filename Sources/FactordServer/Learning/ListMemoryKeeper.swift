import Factorization
import LinuxSystem

/// Makes memory for users' lists ready before trainers need it.
///
/// Memory comes two mebibytes at a time, so that few addresses have to be translated, and is cleared by whoever touches it first: a
/// trainer would stand for a fifth of a millisecond, and for several on a virtual machine whose host has to find the memory.
final class ListMemoryKeeper: Service {
    let name = "list memory"
    private let engine: Engine
    private let thread: ServiceThread

    init(_ engine: Engine) throws(SystemError) {
        self.engine = engine
        thread = try ServiceThread()
    }

    func start() throws {
        try thread.start(name, .isWoken) { [self] in run() }
        engine.attachListMemory { [thread] in thread.wake() }
    }

    func stop() { thread.stop() }

    private func run() {
        while !thread.isStopping {
            engine.makeListMemoryReady()
            Pulse.beat()
            thread.sleep()
        }
    }
}
