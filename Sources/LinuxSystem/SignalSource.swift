internal import CLinux
import Glibc

/// Signals as a descriptor to poll, in place of handlers that interrupt threads.
///
/// Make one first thing in `main`, before any other thread: it blocks the signals, and threads inherit that. SIGPIPE
/// is ignored from then on, since a peer that went away is an error value here and no reason to die.
public final class SignalSource: Sendable {
    /// Readable while a signal waits. Closed with the object.
    public let descriptor: CInt

    /// Blocks `signals` for the calling thread and those it will create, and ignores SIGPIPE for the process.
    /// - Throws: `SystemError` where the process may open no more descriptors, or a signal number is none.
    public init(_ signals: [CInt]) throws(SystemError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals {
            try systemCall("sigaddset", "signal \(signal)") { sigaddset(&set, signal) }
        }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        Glibc.signal(SIGPIPE, SIG_IGN)
        descriptor = try systemCall("signalfd") { signalfd(-1, &set, CInt(SFD_NONBLOCK) | CInt(SFD_CLOEXEC)) }
    }

    deinit {
        close(descriptor)
    }

    /// The next waiting signal's number, or `nil` when none waits. Never blocks.
    public func next() -> CInt? {
        var info = signalfd_siginfo()
        // EAGAIN, no signal, is the only failure on a descriptor that we own.
        let size = try? systemCall("read") { read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) }
        guard size == MemoryLayout<signalfd_siginfo>.size else { return nil }
        return CInt(info.ssi_signo)
    }
}

/// The signal masks that threads are given.
enum SignalMask {
    /// Everything but the signals that a fault of the thread itself raises: blocked, those would kill the process
    /// without a report.
    static var allButCrashes: sigset_t {
        var set = sigset_t()
        sigfillset(&set)
        for signal in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS] { sigdelset(&set, signal) }
        return set
    }
}
