internal import CZeroMQ

/// How a send ended. What was not sent is the caller's to count or to try again.
public enum SendResult: Sendable {
    case sent
    /// No room in the queue, or no peer to queue for (only without `wait`, and on a ROUTER).
    case wouldBlock
    /// A ROUTER has no peer of that routing id, any more or yet.
    case unreachable
}

extension ZeroMQSocket {
    /// Sends a frame, copied.
    ///
    /// A ROUTER never waits, whatever `wait` says: one slow client would stop all others. When the first frame of a
    /// message was not `sent`, do not send the rest of it.
    /// - Parameters:
    ///   - more: another frame of the same message follows.
    ///   - wait: block while there is no room, or no connected peer; without a bound, so only a thread that has
    ///     nothing else to do should.
    /// - Throws: `contextTerminated` at shutdown, or `failed` for a send out of turn (`req`, `rep`).
    public func send(
        _ bytes: UnsafeRawBufferPointer, more: Bool = false, wait: Bool = true
    ) throws(ZeroMQError) -> SendResult {
        let socket = handle
        let flags = sendFlags(more: more, wait: wait)
        return try sending { zmq_send(socket, bytes.baseAddress, bytes.count, flags) }
    }

    /// Sends a frame, copied.
    public func send(_ bytes: [UInt8], more: Bool = false, wait: Bool = true) throws(ZeroMQError) -> SendResult {
        let socket = handle
        let flags = sendFlags(more: more, wait: wait)
        return try sending { bytes.withUnsafeBytes { zmq_send(socket, $0.baseAddress, $0.count, flags) } }
    }

    /// Sends a frame of text, copied.
    public func send(_ text: String, more: Bool = false, wait: Bool = true) throws(ZeroMQError) -> SendResult {
        let socket = handle
        let flags = sendFlags(more: more, wait: wait)
        var text = text
        return try sending { text.withUTF8 { zmq_send(socket, $0.baseAddress, $0.count, flags) } }
    }

    /// Sends a received frame on without a copy; when it is `sent`, the message is empty.
    public func send(
        moving message: ZeroMQMessage, more: Bool = false, wait: Bool = true
    ) throws(ZeroMQError) -> SendResult {
        try send(message.pointer, sendFlags(more: more, wait: wait))
    }

    /// Sends one frame of a received message on without a copy; when it is `sent`, that frame is empty.
    public func send(
        movingFrame index: Int, of message: MultipartMessage, more: Bool = false, wait: Bool = true
    ) throws(ZeroMQError) -> SendResult {
        try send(message.frame(index), sendFlags(more: more, wait: wait))
    }

    /// Sends a whole message, frame by frame in order: all of it or nothing.
    public func send(_ frames: [[UInt8]], wait: Bool = true) throws(ZeroMQError) -> SendResult {
        precondition(!frames.isEmpty, "a message has at least one frame")
        var result = SendResult.sent
        for (index, frame) in frames.enumerated() {
            let outcome = try send(frame, more: index < frames.count - 1, wait: wait)
            if outcome == .sent { continue }
            // Nothing has gone out yet, so there is no rest to send.
            if index == 0 { return outcome }
            // The peer went away in the middle: libzmq drops the rest of this message, and has to be given it, or it
            // would take the next message for that rest.
            result = outcome
        }
        return result
    }

    private func send(_ message: UnsafeMutablePointer<zmq_msg_t>, _ flags: CInt) throws(ZeroMQError) -> SendResult {
        let socket = handle
        return try sending { zmq_msg_send(message, socket, flags) }
    }

    func sendFlags(more: Bool, wait: Bool) -> CInt {
        (more ? ZMQ_SNDMORE : 0) | (wait && kind != .router ? 0 : ZMQ_DONTWAIT)
    }

    @inline(__always)
    private func sending(_ body: () -> CInt) throws(ZeroMQError) -> SendResult {
        switch try zeroMQCall("zmq_send", kind.rawValue, body) {
        case .value: .sent
        case .wouldBlock: .wouldBlock
        case .unreachable: .unreachable
        }
    }
}
