internal import CZeroMQ
public import LinuxSystem

/// Waits on several sockets and plain descriptors (an `EventDescriptor` to be woken by) at once. Level-triggered: what
/// is left unread is ready again. Owned by the thread that owns the sockets.
///
/// Up to 16 entries a wait allocates nothing.
public final class ZeroMQPoller {
    /// What to wait for.
    public struct Interest: OptionSet, Sendable {
        public let rawValue: Int16
        public init(rawValue: Int16) { self.rawValue = rawValue }

        /// A message, or bytes, can be read.
        public static let input = Interest(rawValue: Int16(ZMQ_POLLIN))
        /// There is room for a message, and a peer to queue it for.
        public static let output = Interest(rawValue: Int16(ZMQ_POLLOUT))
    }

    /// Names an entry of the poller that gave it out.
    public struct Entry: Hashable, Sendable {
        fileprivate let index: Int
    }

    private var items: [zmq_pollitem_t] = []
    /// Keeps what the items point at, by entry; `nil` for plain descriptors.
    private var kept: [AnyObject?] = []

    public init() {}

    /// Watches a socket.
    @discardableResult
    public func add(_ socket: ZeroMQSocket, _ interest: Interest = .input) -> Entry {
        kept.append(socket)
        items.append(zmq_pollitem_t(socket: socket.handle, fd: 0, events: interest.rawValue, revents: 0))
        return Entry(index: items.count - 1)
    }

    /// Watches a wake-up: how another thread, or the stop of the daemon, ends a wait. Drain it when it is readable.
    @discardableResult
    public func add(_ event: EventDescriptor) -> Entry {
        let entry = add(descriptor: event.descriptor)
        kept[entry.index] = event
        return entry
    }

    /// Watches a plain descriptor, which must stay open as long as the poller waits.
    @discardableResult
    public func add(descriptor: CInt, _ interest: Interest = .input) -> Entry {
        kept.append(nil)
        items.append(zmq_pollitem_t(socket: nil, fd: descriptor, events: interest.rawValue, revents: 0))
        return Entry(index: items.count - 1)
    }

    /// Puts a socket made anew in the place of the one that `entry` watched.
    public func replace(_ entry: Entry, with socket: ZeroMQSocket) {
        kept[entry.index] = socket
        items[entry.index].socket = socket.handle
        items[entry.index].revents = 0
    }

    /// Changes what is waited for; an empty set pauses the entry, which is how a full queue stops reading.
    public func setInterest(_ interest: Interest, of entry: Entry) {
        items[entry.index].events = interest.rawValue
        items[entry.index].revents = 0
    }

    /// Waits until an entry is ready or the time is over. Signals do not end it early.
    /// - Parameter timeoutMilliseconds: `nil` waits without end, 0 only looks.
    /// - Returns: how many entries are ready, 0 at the time-out.
    /// - Throws: `contextTerminated` at shutdown.
    @discardableResult
    public func wait(timeoutMilliseconds: Int? = nil) throws(ZeroMQError) -> Int {
        let deadline = deadline(afterMilliseconds: timeoutMilliseconds)
        let count = CInt(items.count)
        let ready = try requireZeroMQ("zmq_poll") {
            // Computed inside: after an interruption only the rest of the time is waited for.
            zmq_poll(&items, count, Int(remainingMilliseconds(until: deadline)))
        }
        Pulse.beat()
        return Int(ready)
    }

    /// Whether the last wait found something to read, or, on a plain descriptor, its end or an error.
    public func isReadable(_ entry: Entry) -> Bool {
        items[entry.index].revents & Int16(ZMQ_POLLIN | ZMQ_POLLERR) != 0
    }

    /// Whether the last wait found room to send.
    public func isWritable(_ entry: Entry) -> Bool {
        items[entry.index].revents & Int16(ZMQ_POLLOUT) != 0
    }
}
