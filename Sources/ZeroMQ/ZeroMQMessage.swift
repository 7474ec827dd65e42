internal import CZeroMQ

/// One frame, owned: received into, read, sent on, and used again. Owned by one thread.
///
/// libzmq's message must not move, so it lies on the heap; a message that is kept and reused allocates nothing.
public final class ZeroMQMessage {
    let pointer: UnsafeMutablePointer<zmq_msg_t>

    public init() {
        pointer = allocateMessages(1)
        zmq_msg_init(pointer)
    }

    deinit {
        zmq_msg_close(pointer)
        pointer.deallocate()
    }

    /// The frame's content, valid until the message is received into, sent or released.
    public var bytes: UnsafeRawBufferPointer { view(pointer) }

    /// Whether more frames of the same message follow on the socket.
    public var hasMore: Bool { zmq_msg_more(pointer) != 0 }

    /// The content as text; bytes that are not UTF-8 become replacement characters.
    public var string: String { String(decoding: bytes, as: UTF8.self) }
}

/// Messages at addresses that do not change, aligned as libzmq's own.
func allocateMessages(_ count: Int) -> UnsafeMutablePointer<zmq_msg_t> {
    let stride = MemoryLayout<zmq_msg_t>.stride
    let memory = UnsafeMutableRawPointer.allocate(byteCount: stride * count, alignment: 64)
    return memory.bindMemory(to: zmq_msg_t.self, capacity: count)
}

/// A message's content. An empty one has no address that means anything.
func view(_ message: UnsafeMutablePointer<zmq_msg_t>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message))
}
