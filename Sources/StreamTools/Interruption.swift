import Glibc
import Synchronization

/// Whether the person at the terminal asked to stop (^C), or a service manager did (SIGTERM).
///
/// Everything in this module that waits does so in short steps and looks here between them.
public enum Interruption {
    /// Set by the signal handler, read by any thread.
    private static let flag = Atomic<Bool>(false)

    /// From now on the first ^C asks to stop; a second one ends the process at once.
    public static func catchSignals() {
        // The handler must find the flag made: making it is not allowed in a handler.
        flag.store(false, ordering: .relaxed)
        for number in [SIGINT, SIGTERM] { signal(number) { Interruption.handle($0) } }
    }

    private static func handle(_ number: CInt) {
        flag.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
    }

    public static var isRequested: Bool { flag.load(ordering: .relaxed) }

    /// Throws `interrupted` once a stop is asked for.
    public static func check() throws(StreamToolsError) {
        if isRequested { throw .interrupted }
    }

    /// Sleeps, but not past a request to stop.
    public static func sleep(seconds: Double) throws(StreamToolsError) {
        var left = seconds
        while left > 0 {
            try check()
            let step = min(left, 0.05)
            usleep(UInt32(step * 1e6))
            left -= step
        }
        try check()
    }
}
