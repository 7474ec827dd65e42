internal import CLinux
import Glibc

/// A wake-up that a blocked thread keeps in its poll set: an eventfd, non-blocking and closed on exec.
///
/// Any thread may call `signal()`; signals that nobody has drained yet merge into one. The descriptor is open for as
/// long as the object lives, so whoever polls `descriptor` keeps a reference to the object.
public final class EventDescriptor: Sendable {
    /// Readable while a signal waits to be drained. For poll sets only: do not read or close it.
    public let descriptor: CInt

    /// - Throws: `SystemError` where the process may open no more descriptors.
    public init() throws(SystemError) {
        descriptor = try systemCall("eventfd") { eventfd(0, CInt(EFD_NONBLOCK) | CInt(EFD_CLOEXEC)) }
    }

    deinit {
        close(descriptor)
    }

    /// Makes `descriptor` readable. Thread-safe; never blocks.
    public func signal() {
        var one: UInt64 = 1
        // The only possible failure is EAGAIN, a counter at its ceiling: then the descriptor is readable already.
        _ = try? systemCall("write") { write(descriptor, &one, MemoryLayout<UInt64>.size) }
    }

    /// Waits for a signal, if there is none yet, and takes all that wait. Signals to the process do not end it early.
    ///
    /// Look at the shared state after, as with `drain`.
    /// - Parameter timeoutMilliseconds: at most so long; `nil` waits without end.
    /// - Returns: whether there was a signal.
    @discardableResult
    public func wait(timeoutMilliseconds: Int? = nil) -> Bool {
        let deadline = deadline(afterMilliseconds: timeoutMilliseconds)
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        // It fails where the kernel has no memory for it: that is a wait left out, and a loop around it looks more often.
        _ = try? systemCall("poll") { poll(&entry, 1, remainingMilliseconds(until: deadline)) }
        Pulse.beat()
        return drain()
    }

    /// Takes all waiting signals, so that `descriptor` is quiet until the next one.
    ///
    /// Drain first and look at the shared state after, or a signal that comes in between is lost.
    /// - Returns: whether there was a signal.
    @discardableResult
    public func drain() -> Bool {
        var count: UInt64 = 0
        // EAGAIN is the normal answer of a quiet descriptor; nothing else can fail on a descriptor that we own.
        let size = try? systemCall("read") { read(descriptor, &count, MemoryLayout<UInt64>.size) }
        return size != nil
    }
}
