import Glibc

/// Waits on several plain descriptors: eventfds, signalfd, timers. (Sockets of ZeroMQ have a poller of their own.)
///
/// Owned by one thread. A wait allocates nothing.
public final class DescriptorPoller {
    private var entries: [pollfd]

    /// Watches `descriptors` for input; an entry's place in the list is its index. They must stay open.
    public init(_ descriptors: [CInt]) {
        entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    }

    /// Waits until a descriptor is ready or the time is over. Signals do not end it early.
    /// - Parameter timeoutMilliseconds: `nil` waits without end, 0 only looks.
    /// - Returns: how many are ready, 0 at the time-out.
    @discardableResult
    public func wait(timeoutMilliseconds: Int? = nil) throws(SystemError) -> Int {
        let deadline = deadline(afterMilliseconds: timeoutMilliseconds)
        let ready = try systemCall("poll") {
            // Computed inside: after an interruption only the rest of the time is waited for.
            poll(&entries, nfds_t(entries.count), remainingMilliseconds(until: deadline))
        }
        Pulse.beat()
        return Int(ready)
    }

    /// Whether the last wait found input, an end or an error on the descriptor at `index`.
    public func isReady(_ index: Int) -> Bool {
        entries[index].revents != 0
    }
}

/// When a wait that begins now is over; nil for one without end.
package func deadline(afterMilliseconds milliseconds: Int?) -> Int64? {
    milliseconds.map { MonotonicClock.nanoseconds + Int64($0) * 1_000_000 }
}

/// The rest of a wait in the form that `poll` and its kin take: -1 without a deadline, else rounded up, so that a wait
/// never ends before its deadline and a loop around it never spins.
package func remainingMilliseconds(until deadline: Int64?) -> CInt {
    guard let deadline else { return -1 }
    let rest = deadline - MonotonicClock.nanoseconds
    return rest <= 0 ? 0 : CInt(clamping: (rest + 999_999) / 1_000_000)
}
