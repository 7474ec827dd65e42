import LinuxSystem
import Synchronization

/// The thread of a service: begun once, woken by anyone, told to end and waited for.
///
/// Threads: `sleep` belongs to the thread itself; everything else is for anyone.
final class ServiceThread: Sendable {
    /// Wakes the thread. For one that waits for sockets besides, or whom somebody else wakes; others `sleep`.
    let wakeUp: EventDescriptor
    private let isTold = Atomic<Bool>(false)
    private let thread = Lock<SystemThread?>(nil)

    /// How the watchdog finds out that the thread is alive.
    enum Life {
        /// It looks around by itself every second.
        case looksAround
        /// It sleeps until it is woken, and so is woken for that, too.
        case isWoken
        /// Not at all: the watchdog's own.
        case isTrusted
    }

    init() throws(SystemError) { wakeUp = try EventDescriptor() }

    /// A thread that is woken by what others signal already.
    init(wokenBy event: EventDescriptor) { wakeUp = event }

    /// Begins to run `body`, which returns once `isStopping`.
    /// - Parameter processor: the one to run on; nil for any.
    func start(
        _ name: String, processor: Int? = nil, _ life: Life = .looksAround, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        let pulse: Pulse? =
            switch life {
            case .looksAround: Pulse()
            case .isWoken: Pulse { [wakeUp] in wakeUp.signal() }
            case .isTrusted: nil
            }
        let started = try SystemThread(name: name, processor: processor, pulse: pulse, body: body)
        thread.withLock { $0 = started }
    }

    /// Whether the thread is to end.
    var isStopping: Bool { isTold.load(ordering: .acquiring) }

    func wake() { wakeUp.signal() }

    /// Sleeps until it is woken, at most so long.
    func sleep(milliseconds: Int? = nil) { wakeUp.wait(timeoutMilliseconds: milliseconds) }

    /// Tells the thread to end and waits until it has. At once where none was started.
    func stop() {
        isTold.store(true, ordering: .releasing)
        wake()
        thread.withLock { $0 }?.join()
    }
}
