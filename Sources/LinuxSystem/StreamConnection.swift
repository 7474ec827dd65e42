import Glibc

/// One connection of a `StreamListener`, non-blocking; closed when it goes.
///
/// Thread safety: one thread at a time.
public final class StreamConnection: Sendable {
    /// For poll sets.
    public let descriptor: CInt

    init(descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// How a read or a write went.
    public enum Outcome: Equatable, Sendable {
        case bytes(Int)
        /// Nothing now; poll.
        case wouldBlock
        /// The peer has gone, or has closed its side.
        case ended
    }

    /// Appends what has come, at most `limit` bytes.
    public func read(appendingTo buffer: inout [UInt8], atMost limit: Int) -> Outcome {
        withUnsafeTemporaryAllocation(byteCount: min(limit, 16 << 10), alignment: 16) { chunk in
            let outcome = StreamConnection.outcome { recv(descriptor, chunk.baseAddress, chunk.count, 0) }
            guard case .bytes(let count) = outcome else { return outcome }
            buffer.append(contentsOf: chunk[..<count])
            return count == 0 ? .ended : outcome
        }
    }

    /// Sends from `offset` on what fits.
    public func write(_ bytes: [UInt8], from offset: Int) -> Outcome {
        bytes.withUnsafeBytes { bytes in
            StreamConnection.outcome { send(descriptor, bytes.baseAddress! + offset, bytes.count - offset, CInt(MSG_NOSIGNAL)) }
        }
    }

    /// Says that nothing more will be sent; what was is still delivered.
    public func finishWriting() { shutdown(descriptor, CInt(SHUT_WR)) }

    private static func outcome(_ call: () -> Int) -> Outcome {
        while true {
            let count = call()
            if count >= 0 { return .bytes(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .ended
            }
        }
    }
}

/// Waits on a set of descriptors that changes from wait to wait. Owned by one thread; keeps its memory.
public final class ReadinessSet {
    private var entries: [pollfd] = []

    public init() {}

    public func removeAll() { entries.removeAll(keepingCapacity: true) }

    /// Adds a descriptor; its place is the number of those before it. One that waits for nothing is still told of its end.
    public func add(_ descriptor: CInt, reads: Bool = true, writes: Bool = false) {
        entries.append(pollfd(fd: descriptor, events: Int16((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), revents: 0))
    }

    /// Waits until one is ready or the time is over.
    public func wait(timeoutMilliseconds: Int) throws(SystemError) {
        let deadline = MonotonicClock.nanoseconds + Int64(timeoutMilliseconds) * 1_000_000
        try systemCall("poll") { poll(&entries, nfds_t(entries.count), remainingMilliseconds(until: deadline)) }
        Pulse.beat()
    }

    /// Whether there is something to read, or an end or error to be found by reading.
    public func isReadable(_ place: Int) -> Bool { entries[place].revents & Int16(POLLIN | POLLHUP | POLLERR | POLLNVAL) != 0 }
    public func isWritable(_ place: Int) -> Bool { entries[place].revents & Int16(POLLOUT | POLLHUP | POLLERR | POLLNVAL) != 0 }
}
