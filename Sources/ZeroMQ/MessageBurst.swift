internal import CZeroMQ

/// Messages of one frame that waited together, received at one go so that a loop pays for its own turn once and not for each.
/// Owned by one thread.
///
/// Messages of several frames do not fit in here: a receive ends with the first, in a `MultipartMessage`.
public final class MessageBurst {
    /// The most messages, and the bytes behind which no further one is received. A message beyond `byteLimit` by itself is
    /// still taken: what bounds it is `SocketOptions.maximumFrameBytes`.
    public let capacity: Int
    public let byteLimit: Int
    /// How many messages are held, and their bytes.
    public private(set) var count = 0
    public private(set) var bytes = 0

    private let messages: UnsafeMutablePointer<zmq_msg_t>
    private let views: UnsafeMutablePointer<UnsafeRawBufferPointer>
    /// Bytes that may stay behind in used messages until they are received into again. libzmq keeps short ones, and those
    /// that came with them, in a few KiB.
    private static let keptBytes = 256 << 10

    public init(capacity: Int = 64, byteLimit: Int = 1 << 20) {
        precondition(capacity > 0 && byteLimit > 0)
        self.capacity = capacity
        self.byteLimit = byteLimit
        messages = allocateMessages(capacity)
        views = .allocate(capacity: capacity)
        for index in 0..<capacity { zmq_msg_init(messages + index) }
    }

    deinit {
        for index in 0..<capacity { zmq_msg_close(messages + index) }
        messages.deallocate()
        views.deallocate()
    }

    /// The messages' contents, valid until the next receive or `removeAll`.
    public var bodies: UnsafeBufferPointer<UnsafeRawBufferPointer> { UnsafeBufferPointer(start: views, count: count) }

    /// Forgets all messages; gives the memory of long ones back now.
    public func removeAll() {
        if bytes > MessageBurst.keptBytes {
            for index in 0..<count {
                zmq_msg_close(messages + index)
                zmq_msg_init(messages + index)
            }
        }
        count = 0
        bytes = 0
    }

    /// Receives through `next` until it answers no size, the burst is full, or a message goes on: that one's first frame is
    /// moved into `whole`, and true answered.
    fileprivate func fill(
        _ whole: MultipartMessage, next: (UnsafeMutablePointer<zmq_msg_t>) throws(ZeroMQError) -> CInt?
    ) throws(ZeroMQError) -> BurstEnd {
        var index = count, total = bytes
        defer {
            count = index
            bytes = total
        }
        while index < capacity, total < byteLimit {
            let slot = messages + index
            // A receive lets go of what the slot held.
            guard let received = try next(slot) else { return .nothing }
            if zmq_msg_more(slot) != 0 {
                whole.removeAll()
                whole.take(moving: slot)
                return .several
            }
            // Beyond what a C integer holds, libzmq answers the greatest one.
            let size = received == .max ? zmq_msg_size(slot) : Int(received)
            views[index] = UnsafeRawBufferPointer(start: zmq_msg_data(slot), count: size)
            index &+= 1
            total &+= size
        }
        return .full
    }
}

/// Why a receive of a burst ended.
enum BurstEnd { case nothing, full, several }

/// What stopped a burst, beside the messages in it.
public enum BurstResult: Sendable {
    /// Nothing more waits.
    case nothing
    /// The burst is full; more may wait.
    case full
    /// A message of several frames came behind those of the burst.
    case message
    /// The same, but it went over its bounds.
    case oversize
}

extension ZeroMQSocket {
    /// Receives what waits, without waiting: messages of one frame into `burst`, which is emptied first, up to the first of
    /// several frames, which goes into `whole`. Allocates nothing.
    /// - Throws: `contextTerminated` at shutdown.
    public func receive(into burst: MessageBurst, or whole: MultipartMessage) throws(ZeroMQError) -> BurstResult {
        burst.removeAll()
        let socket = handle
        let end = try burst.fill(whole) { slot throws(ZeroMQError) in
            if case .value(let size) = try zeroMQCall("zmq_msg_recv", kind.rawValue, { zmq_msg_recv(slot, socket, ZMQ_DONTWAIT) }) { size } else { nil }
        }
        switch end {
        case .nothing: return .nothing
        case .full: return .full
        case .several: return try receiveRest(into: whole) == .oversize ? .oversize : .message
        }
    }
}
