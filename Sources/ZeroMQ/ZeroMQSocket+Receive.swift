internal import CZeroMQ

/// What a receive found.
public enum ReceiveResult: Sendable {
    /// Nothing waits (only without `wait`).
    case nothing
    /// A message within the bounds.
    case message
    /// A message over the bounds: read to its end; the frames before the one that went over are held.
    case oversize
}

extension ZeroMQSocket {
    /// Receives one frame.
    /// - Parameter wait: block until one comes; else look only.
    /// - Returns: whether there was one.
    /// - Throws: `contextTerminated` at shutdown, blocked or not.
    public func receive(into message: ZeroMQMessage, wait: Bool) throws(ZeroMQError) -> Bool {
        try receiveFrame(message.pointer, wait: wait)
    }

    /// Receives one whole message. Allocates nothing.
    ///
    /// A loop reads what waits and then goes back to its poller:
    /// ```swift
    /// while try poller.wait() >= 0 {
    ///     while true {
    ///         switch try socket.receive(into: message, wait: false) { ... case .nothing: break }
    ///     }
    /// }
    /// ```
    /// - Parameter wait: block until a message comes; else look only.
    /// - Throws: `contextTerminated` at shutdown, blocked or not.
    public func receive(into message: MultipartMessage, wait: Bool) throws(ZeroMQError) -> ReceiveResult {
        message.removeAll()
        let slot = message.slot(spare: spare)
        guard try receiveFrame(slot, wait: wait) else { return .nothing }
        let hasMore = zmq_msg_more(slot) != 0
        message.accept(slot)
        return hasMore ? try receiveRest(into: message) : message.isOversize ? .oversize : .message
    }

    /// Receives the frames that follow those in hand.
    func receiveRest(into message: MultipartMessage) throws(ZeroMQError) -> ReceiveResult {
        while true {
            let slot = message.slot(spare: spare)
            // libzmq hands out a message only when it is complete, so past the first frame nothing blocks.
            guard try receiveFrame(slot, wait: true) else { return .nothing }
            let hasMore = zmq_msg_more(slot) != 0
            message.accept(slot)
            if !hasMore { return message.isOversize ? .oversize : .message }
        }
    }

    private func receiveFrame(_ message: UnsafeMutablePointer<zmq_msg_t>, wait: Bool) throws(ZeroMQError) -> Bool {
        let socket = handle
        let result = try zeroMQCall("zmq_msg_recv", kind.rawValue) {
            zmq_msg_recv(message, socket, wait ? 0 : ZMQ_DONTWAIT)
        }
        if case .value = result { return true }
        return false
    }
}
