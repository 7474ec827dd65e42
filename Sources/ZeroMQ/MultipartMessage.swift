internal import CZeroMQ

/// A whole message of several frames within fixed bounds, received into again and again without allocation.
/// Owned by one thread.
///
/// A message that goes over a bound is read to its end and thrown away, apart from the frames before the one that went
/// over: those tell a ROUTER whom to send the refusal to. The bounds hold for what *this* object keeps. libzmq gathers
/// a message whole before it gives out the first frame, so it takes its own memory for one that never ends
/// (`SocketOptions.maximumFrameBytes` bounds a frame only); nothing outside libzmq can stop that.
public final class MultipartMessage {
    /// The most frames that a message may have.
    public let frameLimit: Int
    /// The most bytes that its frames may have together.
    public let byteLimit: Int
    /// How many frames are held.
    public private(set) var count = 0
    /// How many frames and bytes the last message had on the wire, kept or not.
    public private(set) var receivedFrames = 0
    public private(set) var receivedBytes = 0

    /// `frameLimit` messages, all initialised at all times; those from `count` on are empty.
    private let frames: UnsafeMutablePointer<zmq_msg_t>

    public init(frameLimit: Int = 16, byteLimit: Int = 32 << 20) {
        precondition(frameLimit > 0 && byteLimit >= 0)
        self.frameLimit = frameLimit
        self.byteLimit = byteLimit
        frames = allocateMessages(frameLimit)
        for index in 0..<frameLimit { zmq_msg_init(frames + index) }
    }

    deinit {
        for index in 0..<frameLimit { zmq_msg_close(frames + index) }
        frames.deallocate()
    }

    /// The content of a frame, valid until the next receive, `removeAll`, or until the frame is sent on.
    public subscript(index: Int) -> UnsafeRawBufferPointer {
        view(frame(index))
    }

    /// A frame as text; bytes that are not UTF-8 become replacement characters.
    public func string(_ index: Int) -> String {
        String(decoding: self[index], as: UTF8.self)
    }

    /// What libzmq knows of the sender: `Peer-Address`, or `User-Id` where it was authenticated. `nil` if it knows
    /// nothing of the name.
    ///
    /// Ask a body frame: libzmq 4.3.4 loses the properties of a ROUTER message's first frame.
    public func property(_ name: String, frame index: Int) -> String? {
        zmq_msg_gets(frame(index), name).map { String(cString: $0) }
    }

    /// How many leading frames of a request that came through a ROUTER name the way back: the routing id and, from a
    /// REQ client or one that imitates it, everything up to and with the empty delimiter.
    ///
    /// A last frame is always content, even an empty one. So a DEALER may leave the delimiter out, but not where its
    /// request has an empty frame in the middle.
    public var envelopeCount: Int {
        var index = 1
        // In a message that went over a bound, content follows the last frame kept.
        while index < min(count, receivedFrames - 1) {
            if zmq_msg_size(frame(index)) == 0 { return index + 1 }
            index += 1
        }
        return min(1, count)
    }

    /// Lets go of the frames' memory now and not at the next receive.
    public func removeAll() {
        for index in 0..<count {
            zmq_msg_close(frames + index)
            zmq_msg_init(frames + index)
        }
        count = 0
        receivedFrames = 0
        receivedBytes = 0
    }

    func frame(_ index: Int) -> UnsafeMutablePointer<zmq_msg_t> {
        precondition(index >= 0 && index < count, "frame \(index) of \(count)")
        return frames + index
    }

    /// Where the next frame is to be received: behind the last one kept, or in `spare` once a bound is passed.
    func slot(spare: UnsafeMutablePointer<zmq_msg_t>) -> UnsafeMutablePointer<zmq_msg_t> {
        count < frameLimit && receivedFrames == count ? frames + count : spare
    }

    /// Takes note of a frame that was received into `slot`, and keeps it if the bounds allow.
    func accept(_ slot: UnsafeMutablePointer<zmq_msg_t>) {
        receivedFrames += 1
        receivedBytes += zmq_msg_size(slot)
        if receivedFrames == count + 1 && count < frameLimit && receivedBytes <= byteLimit {
            count += 1
        } else {
            // Over a bound, or behind one that was: given back at once, so that a refused message holds nothing.
            zmq_msg_close(slot)
            zmq_msg_init(slot)
        }
    }

    /// Takes over a first frame that was received elsewhere, and leaves that one empty.
    func take(moving first: UnsafeMutablePointer<zmq_msg_t>) {
        zmq_msg_move(frames, first)
        accept(frames)
    }

    /// Whether the last message went over a bound.
    public var isOversize: Bool { receivedFrames > count }
}
